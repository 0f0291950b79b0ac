#include "session/history_view.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

using storage::MessageKind;
using storage::MessageRecord;
using storage::Origin;

const WallTime kNoon{std::chrono::milliseconds(1'769'860'800'123)};

TEST(Direction, FollowsFromWhoMadeTheMessageAndWhoItWasFor) {
  struct Case {
    Origin origin;
    bool to_client;
    std::string_view expected;
  };
  const Case cases[] = {
      {Origin::kClient, false, "client_to_relay"}, {Origin::kClient, true, "client_to_relay"},
      {Origin::kAgent, true, "agent_to_relay"},    {Origin::kAgent, false, "agent_to_relay"},
      {Origin::kRelay, true, "relay_to_client"},   {Origin::kRelay, false, "relay_to_agent"},
  };
  for (const Case& row : cases) {
    MessageRecord message;
    message.origin = row.origin;
    message.to_client = row.to_client;
    EXPECT_EQ(direction(message), row.expected);
  }
}

TEST(HistoryItem, HasTheFieldsOfARequest) {
  MessageRecord message;
  message.sequence = 7;
  message.origin = Origin::kClient;
  message.kind = MessageKind::kRequest;
  message.method = "session/prompt";
  message.rpc_id = R"("a\"1")";
  message.body = SharedBytes(R"({"id":"a\"1"})");
  message.time = kNoon;
  EXPECT_EQ(history_item(message),
            R"({"id":7,"direction":"client_to_relay","messageType":"request",)"
            R"("method":"session/prompt","jsonrpcId":"a\"1",)"
            R"("rawMessage":"{\"id\":\"a\\\"1\"}","timestamp":"2026-01-31T12:00:00.123Z",)"
            R"("sequence":7})");
}

TEST(HistoryItem, ShowsWhatAMessageLacksAsNull) {
  MessageRecord response;
  response.kind = MessageKind::kResponse;
  response.rpc_id = "12";
  const std::string shown = history_item(response);
  EXPECT_NE(shown.find(R"("messageType":"response","method":null,"jsonrpcId":12,)"),
            std::string::npos)
      << shown;

  MessageRecord notification;
  notification.method = "session/update";
  const std::string other = history_item(notification);
  EXPECT_NE(
      other.find(R"("messageType":"notification","method":"session/update","jsonrpcId":null)"),
      std::string::npos)
      << other;
}

TEST(SessionItem, TellsAnOpenSessionFromAClosedOne) {
  storage::SessionRecord session;
  session.id = SessionId("sess_1");
  session.agent_session_id = "inner";
  session.working_directory = "/srv/\"x\"";
  session.isolation = "process";
  session.created_at = kNoon;
  session.last_sequence = 3;
  EXPECT_EQ(
      session_item(session, true),
      R"({"id":"sess_1","agentSessionId":"inner","agent":null,)"
      R"("workingDirectory":"/srv/\"x\"",)"
      R"("createdAt":"2026-01-31T12:00:00.123Z","closedAt":null,"isActive":true,)"
      R"("isolation":"process","image":null,"imageId":null,"title":null,"cause":null,"lastSequence":3})");

  session.closed_at = kNoon + std::chrono::seconds(1);
  session.title = "Fix it";
  session.agent = "claude";
  session.cause = "client";
  const std::string closed = session_item(session, false);
  EXPECT_NE(closed.find(R"("closedAt":"2026-01-31T12:00:01.123Z","isActive":false)"),
            std::string::npos)
      << closed;
  EXPECT_NE(closed.find(R"("agent":"claude")"), std::string::npos) << closed;
  EXPECT_NE(closed.find(R"("title":"Fix it","cause":"client")"), std::string::npos) << closed;
}

}  // namespace
}  // namespace relay
