// Sessions with a real agent: turns, replays while the agent talks, and every way to end.
#include "session/session.hpp"

#include "session/session_fixture.hpp"
#include "storage/journal.hpp"
#include "storage/journal_codec.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace relay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class SessionTest : public SessionFixture {
 protected:
  // What a client that has seen everything must have been sent of the stream.
  std::vector<std::int64_t> shown_to_everyone(const SessionId& id, storage::Sequence after = 0) {
    std::vector<std::int64_t> sequences;
    for (const storage::MessageRecord& message : history(id, after).messages) {
      if (message.to_client && message.kind == storage::MessageKind::kNotification) {
        sequences.push_back(message.sequence);
      }
    }
    return sequences;
  }
  static std::vector<std::int64_t> sequences(const Client& client) {
    std::vector<std::int64_t> all;
    for (const Delivery& delivery : client.got) {
      if (delivery.kind != DeliveryKind::kResponse) all.push_back(delivery.sequence);
    }
    return all;
  }
};

TEST_F(SessionTest, CarriesATurn) {
  const auto session = create();
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_THAT(session->new_result(), HasSubstr(session->id().value()));
  Client& a = reading(attach(*session));
  Client& b = reading(attach(*session));
  prompt(*session, a, "\"p\"", "one two");
  EXPECT_TRUE(session->turn_running());
  wait_for(a, R"("id":"p")");
  wait_for(b, "_acp-relay/turn_complete");
  EXPECT_FALSE(session->turn_running());
  EXPECT_LT(a.find("agent_message_chunk"), a.find(R"("id":"p")")) << "in the agent's order";
  EXPECT_THAT(a.text(a.find(R"("id":"p")")), HasSubstr("end_turn"));
  EXPECT_TRUE(b.has("user_message_chunk"));
  EXPECT_FALSE(a.has("user_message_chunk"));
  for (const Client* client : {&a, &b}) {
    for (const Delivery& delivery : client->got) {
      EXPECT_THAT(std::string(delivery.bytes.view()),
                  testing::Not(HasSubstr(session->record().agent_session_id)));
    }
  }
}

TEST_F(SessionTest, KnowsWhatTheAgentOffersHoweverLongTheIdOfTheRequestIs) {
  NewSession request = wanted();
  request.request_id = '"' + std::string(2000, 'i') + '"';
  const auto session = run(sessions().create(std::move(request)));
  ASSERT_TRUE(session);
  EXPECT_THAT((*session)->new_result(), HasSubstr((*session)->id().value()));
}

TEST_F(SessionTest, TheFirstMessageHasTheTimeWhenItCame) {
  NewSession request = wanted();
  const WallTime came = request.came - std::chrono::minutes(1);
  request.came = came;
  const auto session = run(sessions().create(std::move(request)));
  ASSERT_TRUE(session);
  const auto page = history((*session)->id());
  ASSERT_GE(page.messages.size(), 2U);
  EXPECT_EQ(page.messages[0].time, came);
  EXPECT_GT(page.messages[1].time, came) << "the agent's answer came later";
}

// Whenever the relay is killed, the next one goes on with the number behind the last message.
TEST_F(SessionTest, IsNotSaidToHaveMessagesBeforeTheyAreInTheJournal) {
  std::string directory = "/tmp/acp-relay-session-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  log_path_ = directory + "/log.db";
  const auto session = create();
  Client& client = reading(attach(*session));
  prompt(*session, client, "1", "a title");
  wait_for(client, R"("id":1)");

  std::ifstream file(storage::journal_path(log_path_, 1), std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  std::string_view rest = std::string_view(content).substr(content.find('\n') + 1);
  storage::Sequence last = 0;
  std::size_t changes = 0;
  while (const auto entry = storage::next_entry(rest)) {
    for (const storage::Write& write : entry->writes) {
      if (const auto* messages = std::get_if<storage::MessagesWrite>(&write)) {
        last = messages->summary.last;
      } else if (const auto* change =
                     std::get_if<std::unique_ptr<storage::SessionChange>>(&write)) {
        EXPECT_LE((*change)->record.last_sequence, last);
        ++changes;
      }
    }
  }
  EXPECT_GT(changes, 0u) << "at least its title";
  EXPECT_EQ(last, session->last_sequence());
  std::filesystem::remove_all(directory);
}

TEST_F(SessionTest, RecordsEverythingWithoutHoles) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/chunks 50 8");
  wait_for(a, R"("id":1)");
  const auto page = history(session->id());
  ASSERT_EQ(static_cast<storage::Sequence>(page.messages.size()), session->last_sequence());
  for (std::size_t i = 0; i < page.messages.size(); ++i) {
    EXPECT_EQ(page.messages[i].sequence, static_cast<storage::Sequence>(i) + 1);
  }
  EXPECT_EQ(page.messages[0].method, "session/new");
}

// Clients come at every moment of a turn at which the session has something more to show.
TEST_F(SessionTest, ReplaysWithoutGapsAndDoublesWhileTheAgentTalks) {
  const auto session = create();
  Client& first = reading(attach(*session));
  std::vector<Client*> late;
  storage::Sequence seen = session->last_sequence();
  prompt(*session, first, "1", "/chunks 1000 8");
  run_until([&] {
    if (session->last_sequence() != seen && late.size() < 300) {
      seen = session->last_sequence();
      late.push_back(&reading(attach(*session, 0)));
      late.push_back(&reading(attach(*session, seen / 2)));
      late.push_back(&reading(attach(*session, seen)));
    }
    return first.has(R"("id":1)");
  });
  ASSERT_GT(late.size(), 3u);
  prompt(*session, first, "2", "the end");
  wait_for(first, R"("id":2)");
  run_until([&] {
    return std::all_of(late.begin(), late.end(), [&](const Client* client) {
      return !client->got.empty() && client->got.back().sequence == session->last_sequence();
    });
  });
  const auto everything = shown_to_everyone(session->id());
  ASSERT_GT(everything.size(), 1000u);
  for (const Client* client : late) {
    const auto got = sequences(*client);
    ASSERT_FALSE(got.empty());
    const auto begin = std::find(everything.begin(), everything.end(), got.front());
    ASSERT_NE(begin, everything.end());
    EXPECT_THAT(got, ElementsAreArray(begin, everything.end()));
  }
}

TEST_F(SessionTest, ReplaysFromTheSequenceThatAClientHasSeen) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/chunks 20 8");
  wait_for(a, R"("id":1)");
  for (storage::Sequence after = 0; after <= session->last_sequence(); ++after) {
    const auto expected = shown_to_everyone(session->id(), after);
    Client& late = reading(attach(*session, after));
    if (!expected.empty()) run_until([&] { return late.got.size() >= expected.size(); });
    EXPECT_THAT(sequences(late), ElementsAreArray(expected)) << after;
    session->detach(late.id);
  }
}

TEST_F(SessionTest, TellsAClientThatIsAheadOfTheStream) {
  const auto session = create();
  const storage::Sequence last = session->last_sequence();
  Client& late = reading(attach(*session, last + 5));
  wait_for(late, "_acp-relay/gap");
  EXPECT_THAT(late.text(0), AllOf(HasSubstr("\"from\":" + std::to_string(last + 1)),
                                  HasSubstr("\"to\":" + std::to_string(last + 5))));
}

TEST_F(SessionTest, AnswersInOrderAlsoWhoCatchesUp) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/chunks 9000 8");
  wait_for(a, R"("id":1)");
  Client& late = reading(attach(*session, 0));
  prompt(*session, late, "\"late\"", "one two three");
  wait_for(late, R"("id":"late")");
  run_until([&] { return sequences(late).size() >= sequences(a).size(); });
  const std::size_t answer = late.find(R"("id":"late")");
  for (std::size_t i = answer; i < late.got.size(); ++i) {
    ASSERT_GE(late.got[i].sequence, late.got[answer].sequence) << "shown after the answer";
  }
}

TEST_F(SessionTest, ShowsAFeedThatCatchesUpEachAnswerOnce) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "\"first\"", "/chunks 3000 8");
  wait_for(a, R"("id":"first")");
  Client& feed = reading(attach(*session, 0, {}, true));
  prompt(*session, feed, "\"own\"", "one two three");
  wait_for(a, R"("_acp-relay/turn_complete")");
  run_until([&] { return feed.has("three") && feed.has(R"("id":"own")"); });
  prompt(*session, a, "2", "the end");
  wait_for(feed, "the end");
  for (const std::string_view id : {R"("id":"first",)", R"("id":"own",)"}) {
    const auto answers = std::ranges::count_if(feed.got, [&](const Delivery& one) {
      return one.kind == DeliveryKind::kResponse && one.bytes.view().find(id) != std::string::npos;
    });
    EXPECT_EQ(answers, 1) << id;
  }
}

// What was in its outbox never arrived, in the middle of a turn that is still its own.
TEST_F(SessionTest, GoesOnInAnotherOutboxWithEverythingAfterANumberAndItsAnswers) {
  const auto session = create();
  Client& lost = reading(attach(*session));
  prompt(*session, lost, "1", "/chunks 50 8");
  wait_for(lost, R"("id":1)");
  const Delivery answer = lost.got[lost.find(R"("id":1)")];
  const storage::Sequence after = lost.got[10].sequence;
  prompt(*session, lost, "2", "/chunks 2000 8");
  run_until([&] { return lost.got.size() > 300; });
  const auto move_on = [&](const std::vector<Delivery>& answers) -> Client& {
    Client& one = clients_.emplace_back();
    one.id = lost.id;
    one.outbox =
        std::make_shared<Outbox>(io_.get_executor(), OutboxLimits{}, metrics_.slow_clients);
    EXPECT_TRUE(session->replay(one.id, one.outbox, after, answers));
    return reading(one);
  };
  const Client& short_lived = move_on({answer});
  Client& client = move_on({});
  wait_for(client, R"("id":2)");
  EXPECT_TRUE(short_lived.got.empty());
  EXPECT_EQ(session->client_count(), 1u);
  std::vector<std::int64_t> expected;
  for (const std::int64_t sequence : shown_to_everyone(session->id(), after)) {
    const bool is_its_own_turns_end = sequence == session->last_sequence();
    if (!is_its_own_turns_end) expected.push_back(sequence);
  }
  EXPECT_THAT(sequences(client), ElementsAreArray(expected));
  const std::size_t at = client.find(R"("id":1)");
  ASSERT_GT(at, 0u);
  ASSERT_LT(at + 1, client.got.size());
  EXPECT_LT(client.got[at - 1].sequence, answer.sequence) << "in its place";
  EXPECT_GT(client.got[at + 1].sequence, answer.sequence) << "in its place";
  session->detach(lost.id);
  EXPECT_FALSE(session->replay(lost.id, client.outbox, after, {}));
}

TEST_F(SessionTest, BoundsItsClients) {
  options_.max_clients = 2;
  const auto session = create();
  attach(*session);
  Client& b = attach(*session);
  Attachment third;
  third.outbox =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits(), metrics_.slow_clients);
  const auto refused = session->attach(third);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionLimitReached);
  session->detach(b.id);
  EXPECT_TRUE(session->attach(third));
}

TEST_F(SessionTest, AClientThatComesLateIsAskedForPermission) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/permission");
  wait_for(a, "session/request_permission");
  session->detach(a.id);
  Client& late = reading(attach(*session, 0));
  wait_for(late, "session/request_permission");
  EXPECT_EQ(late.got.back().kind, DeliveryKind::kRequest) << "after all that was before";
  const auto frame = Frame::parse(std::string(late.got.back().bytes.view()), {});
  ASSERT_TRUE(frame);
  auto answer = Frame::parse(
      rpc::result(frame->id(), R"({"outcome":{"outcome":"selected","optionId":"allow"}})"), {});
  session->submit(late.id, std::move(*answer));
  wait_for(late, "_acp-relay/turn_complete");
}

TEST_F(SessionTest, CancelsATurnThatTakesTooLong) {
  options_.prompt_timeout = 50ms;
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/sleep 60");
  wait_for(a, R"("id":1)");
  EXPECT_THAT(a.text(a.find(R"("id":1)")),
              AllOf(HasSubstr("\"cancelled\""), HasSubstr("prompt_timeout")));
  EXPECT_EQ(session->state(), SessionState::kReady);
}

TEST_F(SessionTest, GivesEachTurnThatWaitedItsOwnTime) {
  options_.prompt_timeout = 100ms;
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/sleep 60");
  prompt(*session, a, "2", "/sleep 60");
  prompt(*session, a, "3", "still here");
  wait_for(a, R"("id":3)");
  for (const char* const id : {R"("id":1)", R"("id":2)"}) {
    EXPECT_THAT(a.text(a.find(id)), AllOf(HasSubstr("\"cancelled\""), HasSubstr("prompt_timeout")));
  }
  EXPECT_EQ(session->state(), SessionState::kReady);
}

TEST_F(SessionTest, TellsWhoStillCatchesUpOfItsEnd) {
  options_.cancel_grace = 50ms;
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/flood 6000");
  wait_for(a, R"("id":1)");
  OutboxLimits small;
  small.frames = 5000;  // half of it is filled by the first page
  Client& slow = attach(*session, 0, small);
  run_until([&] { return slow.outbox->queued_frames() >= 4000; });
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  run_void(session->wait_closed());
  reading(slow);
  wait_for(slow, "_acp-relay/session_closed");
  const std::size_t gap = slow.find("_acp-relay/gap");
  ASSERT_LT(gap, slow.got.size()) << "what it was not given is named";
  EXPECT_LT(gap, slow.find("_acp-relay/session_closed"));
}

TEST_F(SessionTest, LetsWhoCatchesUpReadTheLogToItsEnd) {
  options_.cancel_grace = 60s;
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/flood 6000");
  wait_for(a, R"("id":1)");
  OutboxLimits small;
  small.frames = 5000;
  Client& slow = attach(*session, 0, small);
  run_until([&] { return slow.outbox->queued_frames() >= 4000; });
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  reading(slow);
  run_void(session->wait_closed());
  wait_for(slow, "_acp-relay/session_closed");
  EXPECT_FALSE(slow.has("_acp-relay/gap"));
  EXPECT_THAT(sequences(slow), ElementsAreArray(shown_to_everyone(session->id())));
}

TEST_F(SessionTest, EndsATurnProperlyWhenItIsClosed) {
  const auto session = create();
  Client& a = reading(attach(*session));
  prompt(*session, a, "1", "/sleep 60");
  prompt(*session, a, "2", "queued");
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  session->close(make_error(ErrorType::kInternalError, "second"), "second");
  run_void(session->wait_closed());
  run_until([&] { return a.has("_acp-relay/session_closed"); });
  EXPECT_THAT(a.text(a.find(R"("id":1)")), HasSubstr("\"cancelled\""));
  EXPECT_THAT(a.text(a.find(R"("id":2)")), HasSubstr("\"cancelled\""));
  EXPECT_THAT(a.got.back().bytes.view(), HasSubstr("_acp-relay/session_closed"));
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_FALSE(has_children());
  const auto stored = record(session->id());
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->cause, "test");
  EXPECT_TRUE(stored->closed_at);

  Attachment another;
  another.outbox =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits(), metrics_.slow_clients);
  const auto refused = session->attach(another);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, ErrorType::kSessionClosed);
  prompt(*session, a, "3", "late");  // goes nowhere
  session->cancel(session->id().value(), 1);
  session->detach(a.id);
}

TEST_F(SessionTest, CountsWhatClientsSendWhateverWayItComes) {
  const auto session = create();
  Client& a = reading(attach(*session));
  const std::uint64_t& messages = metrics_.messages[metrics::Direction::kClientToRelay];
  const std::uint64_t& bytes = metrics_.message_bytes[metrics::Direction::kClientToRelay];
  prompt(*session, a, "1", "/permission");
  EXPECT_EQ(messages, 1u);
  const std::uint64_t prompted = bytes;
  wait_for(a, "session/request_permission");
  const auto asked = Frame::parse(a.text(a.find("session/request_permission")), {});
  ASSERT_TRUE(asked);
  const std::int64_t request = std::stoll(std::string(asked->id()));
  const char* const decision = R"({"outcome":{"outcome":"cancelled"}})";
  EXPECT_TRUE(session->answer(request, "result", decision, {}, 100));
  EXPECT_FALSE(session->answer(request, "result", decision, {}, 20));  // it came, too
  session->cancel(session->id().value(), 3);
  EXPECT_EQ(messages, 4u);
  EXPECT_EQ(bytes, prompted + 123);
}

TEST_F(SessionTest, TellsEveryoneWhenTheAgentDiesInATurn) {
  const auto session = create();
  Client& a = reading(attach(*session));
  Client& b = reading(attach(*session));
  prompt(*session, a, "1", "/exit 3");
  prompt(*session, b, "1", "queued");
  run_void(session->wait_closed());
  run_until(
      [&] { return a.has("_acp-relay/session_closed") && b.has("_acp-relay/session_closed"); });
  for (const Client* client : {&a, &b}) {
    EXPECT_THAT(client->text(client->find(R"("id":1)")),
                AllOf(HasSubstr("agent_exited"), HasSubstr("\"exit_code\":3")));
  }
  EXPECT_TRUE(b.has("_acp-relay/turn_complete"));
  EXPECT_EQ(session->closed_because().type, ErrorType::kAgentExited);
  EXPECT_THAT(record(session->id())->cause, HasSubstr("exit code 3"));
  EXPECT_FALSE(has_children());
}

TEST_F(SessionTest, TellsNoticesInItsStreamWhileItIsOpen) {
  const auto session = create();
  Client& a = reading(attach(*session));
  const Error notice = make_error(ErrorType::kUpstreamDenied, "no rule has it");
  EXPECT_TRUE(session->tell_notice(notice));
  wait_for(a, "_acp-relay/agent_notice");
  EXPECT_THAT(a.text(a.find("_acp-relay/agent_notice")),
              AllOf(HasSubstr("upstream_denied"), HasSubstr("no rule has it")));
  EXPECT_EQ(sequences(a).back(), session->last_sequence());
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  run_void(session->wait_closed());
  EXPECT_FALSE(session->tell_notice(notice));
}

TEST_F(SessionTest, EndsAFeedWithTheSession) {
  const auto session = create();
  Client& feed = reading(attach(*session, 0, {}, true));
  Client& a = reading(attach(*session));
  prompt(*session, a, "\"p\"", "hi");
  wait_for(feed, R"("id":"p")");
  session->close(make_error(ErrorType::kSessionClosed, "closed by a test"), "test");
  run_void(session->wait_closed());
  EXPECT_EQ(feed.outbox->end(), Outbox::End::kClosed);
  EXPECT_EQ(a.outbox->end(), Outbox::End::kOpen);
}

}  // namespace
}  // namespace relay
