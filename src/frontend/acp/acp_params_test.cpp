#include "frontend/acp/acp_params.hpp"

#include "protocol/json_scan.hpp"

#include <gmock/gmock.h>

namespace relay::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(AcpInitialize, KeepsWhatTheClientSaysOfItself) {
  const auto request = read_acp_initialize(
      R"({"protocolVersion":1,"clientCapabilities":{"fs":{"readTextFile":true},"x":1e400},)"
      R"("clientInfo":{"name":"c"}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->client_capabilities, R"({"fs":{"readTextFile":true},"x":1e400})");
  EXPECT_EQ(request->client_info, R"({"name":"c"})");
  EXPECT_FALSE(request->wants_sequences);
}

TEST(AcpInitialize, KnowsABridgeByItsMark) {
  const auto request = read_acp_initialize(
      R"({"protocolVersion":2,"clientCapabilities":{"_meta":{"acp-relay/seq":true}}})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->wants_sequences);
}

TEST(AcpInitialize, WantsAVersion) {
  for (const char* params : {"", "{}", "[]", R"({"protocolVersion":"1"})",
                             R"({"protocolVersion":-1})", R"({"protocolVersion":65536})"}) {
    const auto request = read_acp_initialize(params);
    ASSERT_FALSE(request) << params;
    EXPECT_EQ(request.error().type, ErrorType::kInvalidParams) << params;
  }
}

TEST(AcpInitialize, IsBoundedInBytes) {
  for (const std::string key : {"clientCapabilities", "clientInfo"}) {
    const auto read = [&](std::size_t size) {
      const std::string frame = R"({"x":""})";
      const std::string value = R"({"x":")" + std::string(size - frame.size(), 'x') + R"("})";
      return read_acp_initialize(R"({"protocolVersion":1,")" + key + "\":" + value + "}");
    };
    EXPECT_TRUE(read(64u << 10)) << key;
    const auto over = read((64u << 10) + 1);
    ASSERT_FALSE(over) << key;
    EXPECT_THAT(over.error().explanation, HasSubstr(key + " is larger than 65536 bytes"));
  }
}

TEST(AcpInitialize, TakesMalformedOptionalsForMissing) {
  const auto request =
      read_acp_initialize(R"({"protocolVersion":1,"clientCapabilities":7,"clientInfo":"x"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->client_capabilities, "{}");
  EXPECT_EQ(request->client_info, "");
}

struct Stripping {
  const char* client;
  bool strip_disk;
  const char* agent;
};
class ClientCapabilities : public testing::TestWithParam<Stripping> {};
TEST_P(ClientCapabilities, ReachTheAgentWithoutWhatNoRemoteClientHas) {
  EXPECT_EQ(capabilities_for_agent(GetParam().client, GetParam().strip_disk), GetParam().agent);
}
INSTANTIATE_TEST_SUITE_P(
    Table, ClientCapabilities,
    testing::Values(
        Stripping{"{}", true, "{}"}, Stripping{R"({"fs":{},"terminal":true})", true, "{}"},
        Stripping{R"({"fs":{},"terminal":true})", false, R"({"fs":{},"terminal":true})"},
        Stripping{R"({"auth":{"terminal":true}})", false, R"({"auth":{}})"},
        Stripping{R"({"auth":{"terminal":true,"x":1},"y":2})", true, R"({"auth":{"x":1},"y":2})"},
        Stripping{R"({"elicitation":{"form":{}}})", true, R"({"elicitation":{"form":{}}})"}));

std::string offered(const std::string& result, std::initializer_list<const char*> path) {
  std::string at = result;
  for (const char* key : path) at = std::string(object_member(at, key).value_or("none"));
  return at;
}

TEST(AcpInitializeResult, OffersWhatTheRelayDoesForEveryAgent) {
  const std::string result = acp_initialize_result(
      R"({"protocolVersion":1,"agentCapabilities":{"promptCapabilities":{"image":true}}})",
      {true, "process"});
  EXPECT_EQ(offered(result, {"agentCapabilities", "loadSession"}), "true");
  for (const char* own : {"list", "resume", "close", "delete"}) {
    EXPECT_EQ(offered(result, {"agentCapabilities", "sessionCapabilities", own}), "{}") << own;
  }
  EXPECT_EQ(offered(result, {"agentCapabilities", "promptCapabilities"}), R"({"image":true})");
  EXPECT_EQ(offered(result, {"_meta", "acp-relay", "isolation"}), "\"process\"");
  EXPECT_EQ(offered(acp_initialize_result("{}", {true, "process", true, 7}),
                    {"_meta", "acp-relay", "maxMessageBytes"}),
            "7");
}

TEST(AcpInitializeResult, OffersNoPastWithoutALog) {
  const std::string result = acp_initialize_result(
      R"({"agentCapabilities":{"loadSession":true,"sessionCapabilities":{"list":{}}}})",
      {false, "process"});
  EXPECT_EQ(offered(result, {"agentCapabilities", "loadSession"}), "false");
  EXPECT_EQ(offered(result, {"agentCapabilities", "sessionCapabilities", "list"}), "none");
  EXPECT_EQ(offered(result, {"agentCapabilities", "sessionCapabilities", "resume"}), "{}");
  EXPECT_EQ(offered(result, {"protocolVersion"}), "1");
}

TEST(AcpInitializeResult, DoesNotOfferWhatItDoesNotCarry) {
  const char* const agent =
      R"({"agentCapabilities":{"sessionCapabilities":{"fork":{},"additionalDirectories":{}}}})";
  const std::string contained = acp_initialize_result(agent, {true, "container"});
  EXPECT_THAT(contained, Not(HasSubstr("additionalDirectories")));
  EXPECT_THAT(acp_initialize_result(agent, {true, "process"}), HasSubstr("additionalDirectories"));
}

TEST(AcpInitializeResult, OffersForksOfAgentsThatFindTheirSessionsAgain) {
  const auto offers_fork = [](const char* agent, bool forks = true) {
    return acp_initialize_result(agent, {true, "container", forks}).find("fork") !=
           std::string::npos;
  };
  const char* const able =
      R"({"agentCapabilities":{"sessionCapabilities":{"fork":{},"resume":{}}}})";
  const char* const loads =
      R"({"agentCapabilities":{"loadSession":true,"sessionCapabilities":{"fork":{}}}})";
  EXPECT_TRUE(offers_fork(able));
  EXPECT_TRUE(offers_fork(loads));
  EXPECT_FALSE(offers_fork(able, false));
  EXPECT_FALSE(offers_fork(R"({"agentCapabilities":{"sessionCapabilities":{"fork":{}}}})"))
      << "in another process of it nothing would be left to fork";
  EXPECT_FALSE(offers_fork(R"({"agentCapabilities":{"loadSession":true}})"));
}

TEST(AcpFork, PassesTheParamsOnAsTheyAre) {
  const auto request =
      read_acp_fork(R"({"sessionId":"s","cwd":"/w","systemPrompt":{"x":[ ]},"env":1})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->session_id, "s");
  EXPECT_EQ(request->session.working_directory, "/w");
  EXPECT_EQ(request->session.session_params, R"({"cwd":"/w","systemPrompt":{"x":[ ]},"env":1})");
  EXPECT_FALSE(read_acp_fork(R"({"cwd":"/w"})"));
  EXPECT_FALSE(read_acp_fork(R"({"sessionId":"s","cwd":"w"})"));
  EXPECT_FALSE(read_acp_fork(R"({"sessionId":"s","cwd":"/w","cursorId":"c"})"));
}

TEST(ClientCapabilities, LoseTheCursorsThatForksCantBeMadeAt) {
  EXPECT_EQ(capabilities_for_agent(R"({"session":{"cursors":{},"x":1},"y":2})", false),
            R"({"session":{"x":1},"y":2})");
}

TEST(AcpNew, PassesTheParamsOnAsTheyAre) {
  const char* const params = R"({"cwd":"/w","mcpServers":[{"n":1e2}],"systemPrompt":{"x":[ ]}})";
  const auto request = read_acp_new(params);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->working_directory, "/w");
  EXPECT_EQ(request->session_params, params);
}

TEST(AcpNew, WantsAnAbsoluteDirectory) {
  for (const char* params : {"", "{}", R"({"cwd":""})", R"({"cwd":"w"})", R"({"cwd":7})",
                             R"({"cwd":"/w","mcpServers":{}})", R"({"cwd":"/w"})"}) {
    EXPECT_FALSE(read_acp_new(params)) << params;
  }
}

TEST(AcpReturn, ReadsWhatABridgeAsks) {
  const auto request = read_acp_return(
      R"({"sessionId":"s","_meta":{"acp-relay/after":7,"acp-relay/requests":["a-1", 5]}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->after, 7);
  EXPECT_THAT(request->requests, ElementsAre("\"a-1\"", "5"));
}

TEST(AcpReturn, AsksForNothingByItself) {
  const auto request = read_acp_return(R"({"sessionId":"s","cwd":"/w"})");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->after);
  EXPECT_TRUE(request->requests.empty());
  EXPECT_FALSE(read_acp_return(R"({"cwd":"/w"})"));
  EXPECT_FALSE(read_acp_return(R"({"sessionId":"s","_meta":{"acp-relay/after":-1}})"));
}

TEST(AcpReturn, BoundsWhatABridgeAsks) {
  std::string ids = "1";
  for (int i = 0; i < 1000; ++i) ids += ",1";
  EXPECT_FALSE(
      read_acp_return(R"({"sessionId":"s","_meta":{"acp-relay/requests":[)" + ids + "]}}"));
}

TEST(AcpList, GivesTheFieldsOfTheSchema) {
  storage::SessionPage page;
  page.sessions.resize(2);
  page.sessions[0].id = SessionId("a");
  page.sessions[0].working_directory = "/w";
  page.sessions[0].title = "hello";
  page.sessions[1].id = SessionId("b");
  page.next_cursor = "7";
  const std::string list = acp_session_list(page);
  EXPECT_THAT(list, HasSubstr(R"({"sessionId":"a","cwd":"/w","title":"hello","updatedAt":")"));
  EXPECT_THAT(list, HasSubstr(R"({"sessionId":"b","cwd":"","updatedAt":")"));
  EXPECT_THAT(list, HasSubstr(R"("nextCursor":"7")"));
}

TEST(Sequence, StandsInTheMetaOfParamsOrResult) {
  EXPECT_EQ(with_sequence(R"({"method":"m","params":{"a":1}})", 5),
            R"({"method":"m","params":{"_meta":{"acp-relay/seq":5},"a":1}})");
  EXPECT_EQ(with_sequence(R"({"id":1,"result":{"_meta":{"x":1}}})", 6),
            R"({"id":1,"result":{"_meta":{"acp-relay/seq":6,"x":1}}})");
  for (const char* const other :
       {R"({"id":1,"result":null})", R"({"id":1,"error":{"code":1}})", R"({"method":"m"})"}) {
    EXPECT_EQ(with_sequence(other, 7), other);
  }
}

}  // namespace
}  // namespace relay::frontend
