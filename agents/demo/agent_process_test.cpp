// Drives the program itself over pipes, as a client does.
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace demo {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class DemoAgentTest : public testing::Test {
 protected:
  DemoAgentTest() { std::signal(SIGPIPE, SIG_IGN); }
  ~DemoAgentTest() override {
    close_input();
    if (output_ >= 0) ::close(output_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  void start(std::vector<std::string> arguments = {}) {
    close_input();
    if (output_ >= 0) ::close(output_);
    int in[2];
    int out[2];
    ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    arguments.insert(arguments.begin(), RELAY_BINARY_DIR "/acp-demo-agent");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ASSERT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), ::environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = out[0];
  }

  void send(std::string line) {
    line += '\n';
    ASSERT_EQ(::write(input_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }

  void close_input() {
    if (input_ >= 0) ::close(input_);
    input_ = -1;
  }

  // The next line; empty at the end of output.
  std::string read_line() {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (true) {
      const std::size_t newline = received_.find('\n');
      if (newline != std::string::npos) {
        std::string line = received_.substr(0, newline);
        received_.erase(0, newline + 1);
        return line;
      }
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no answer");
      pollfd output{output_, POLLIN, 0};
      if (::poll(&output, 1, 100) <= 0) continue;
      char bytes[65536];
      const ssize_t count = ::read(output_, bytes, sizeof bytes);
      if (count <= 0) return {};
      received_.append(bytes, static_cast<std::size_t>(count));
    }
  }

  json::object read_message() { return json::parse(read_line()).as_object(); }

  int error_of(const std::string& line) {
    send(line);
    const json::object answer = read_message();
    if (!answer.contains("error")) return 0;
    return static_cast<int>(answer.at("error").at("code").as_int64());
  }

  std::string new_session() {
    send(R"({"jsonrpc":"2.0","id":"new","method":"session/new",)"
         R"("params":{"cwd":"/tmp","mcpServers":[]}})");
    const json::object answer = read_message();
    EXPECT_THAT(read_line(), HasSubstr("available_commands_update"));
    return std::string(answer.at("result").at("sessionId").as_string());
  }

  void prompt(const std::string& session, std::string_view text) {
    const json::array blocks{
        json::object{{"type", "text"}, {"text", json::string(text.data(), text.size())}}};
    send(json::serialize(
        json::object{{"jsonrpc", "2.0"},
                     {"id", "p"},
                     {"method", "session/prompt"},
                     {"params", json::object{{"sessionId", session}, {"prompt", blocks}}}}));
  }

  struct Turn {
    std::vector<std::string> texts;
    std::string stop_reason;
    std::string whole() const {
      std::string all;
      for (const std::string& text : texts) all += text;
      return all;
    }
  };

  // Reads up to the answer of the prompt.
  Turn finish_turn() {
    Turn turn;
    while (true) {
      const json::object message = read_message();
      if (message.contains("result")) {
        EXPECT_EQ(message.at("id"), "p");
        turn.stop_reason = message.at("result").at("stopReason").as_string();
        return turn;
      }
      if (message.at("method") != "session/update") continue;
      const json::value& update = message.at("params").at("update");
      if (update.at("sessionUpdate") == "agent_message_chunk") {
        turn.texts.emplace_back(update.at("content").at("text").as_string());
      }
    }
  }

  Turn ask(const std::string& session, std::string_view text) {
    prompt(session, text);
    return finish_turn();
  }

  void cancel(const std::string& session) {
    send(R"({"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":")" + session +
         "\"}}");
  }

  int wait_status() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string received_;
};

TEST_F(DemoAgentTest, IntroducesItself) {
  start();
  send(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":2}})");
  const json::object answer = read_message();
  const json::value& result = answer.at("result");
  EXPECT_EQ(result.at("protocolVersion"), 1);
  EXPECT_EQ(result.at("agentInfo").at("name"), "acp-demo-agent");
  EXPECT_EQ(result.at("agentCapabilities").at("loadSession"), true);
  EXPECT_TRUE(result.at("agentCapabilities").at("sessionCapabilities").at("delete").is_object());
}

TEST_F(DemoAgentTest, ReturnsIdsAsTheyCame) {
  start();
  for (const char* id : {"9007199254740993", "null", R"("s")", "0", "-1", R"("\u0061")"}) {
    send(std::string(R"({"jsonrpc":"2.0","method":"_demo/echo","id":)") + id +
         R"(,"params":{"a":1}})");
    EXPECT_EQ(read_line(), std::string(R"({"jsonrpc":"2.0","id":)") + id + R"(,"result":{"a":1}})");
    send(std::string(R"({"jsonrpc":"2.0","method":"nope","id":)") + id + "}");
    EXPECT_THAT(read_line(),
                HasSubstr(std::string(R"("id":)") + id + R"(,"error":{"code":-32601)"));
  }
}

TEST_F(DemoAgentTest, AnswersBadMessagesWithTheRightCode) {
  start();
  const std::string call = R"({"jsonrpc":"2.0","id":1,"method":)";
  EXPECT_EQ(error_of("{\"jsonrpc\":"), -32700);
  EXPECT_EQ(error_of(call + R"("initialize","params":{"a":tru}})"), -32700);
  EXPECT_EQ(error_of("42"), -32600);
  EXPECT_EQ(error_of("[]"), -32600);
  EXPECT_EQ(error_of("{}"), -32600);
  EXPECT_EQ(error_of(R"({"jsonrpc":"1.0","id":1,"method":"initialize"})"), -32600);
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":{},"method":"initialize"})"), -32600);
  EXPECT_EQ(error_of(call + "7}"), -32600);
  EXPECT_EQ(error_of(call + R"("initialize"})"), -32602);
  EXPECT_EQ(error_of(call + R"("initialize","params":[]})"), -32602);
  EXPECT_EQ(error_of(call + R"("authenticate","params":{"methodId":"x"}})"), -32602);
  EXPECT_EQ(error_of(call + R"("authenticate","params":{"methodId":"demo"}})"), 0);
  EXPECT_EQ(error_of(call + R"("session/new","params":{"cwd":"a","mcpServers":[]}})"), -32602);
  EXPECT_EQ(error_of(call + R"("session/new","params":{"cwd":"/"}})"), -32602);
  EXPECT_EQ(error_of(call + R"("session/load","params":{"cwd":"/","sessionId":"x"}})"), -32002);
  EXPECT_EQ(error_of(call + R"("session/prompt","params":{"sessionId":"x"}})"), -32002);
  EXPECT_EQ(error_of(call + R"("session/delete","params":{"sessionId":"x"}})"), 0);
}

TEST_F(DemoAgentTest, NeverAnswersNotifications) {
  start();
  send(R"({"jsonrpc":"2.0","method":"unknown"})");
  send(R"({"jsonrpc":"2.0","method":"session/cancel","params":[1]})");
  send(R"({"jsonrpc":"2.0","id":77,"result":{}})");
  send(R"({"jsonrpc":"2.0","method":"_demo/echo","id":1})");
  EXPECT_EQ(read_line(), R"({"jsonrpc":"2.0","id":1,"result":null})");
}

TEST_F(DemoAgentTest, EchoesWordByWordAndReplaysOnLoad) {
  start();
  const std::string session = new_session();
  const Turn turn = ask(session, "hello you\nthere");
  EXPECT_THAT(turn.texts, ElementsAre("hello ", "you\n", "there"));
  EXPECT_EQ(turn.stop_reason, "end_turn");
  send(R"({"jsonrpc":"2.0","id":5,"method":"session/load","params":{"cwd":"/","mcpServers":[],)"
       R"("sessionId":")" +
       session + "\"}}");
  EXPECT_THAT(read_line(),
              HasSubstr(R"("user_message_chunk","content":{"type":"text","text":"hello)"));
  EXPECT_THAT(read_line(),
              HasSubstr(R"("agent_message_chunk","content":{"type":"text","text":"hello)"));
  EXPECT_THAT(read_line(), StartsWith(R"({"jsonrpc":"2.0","id":5,"result":{"modes")"));
}

TEST_F(DemoAgentTest, ListsClosesAndDeletesSessions) {
  start();
  const std::string session = new_session();
  send(R"({"jsonrpc":"2.0","id":1,"method":"session/list","params":{}})");
  EXPECT_THAT(read_line(), HasSubstr(session));
  const std::string named = R"("params":{"sessionId":")" + session + "\"}}";
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":1,"method":"session/close",)" + named), 0);
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":1,"method":"session/set_mode",)" + named), -32002);
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":1,"method":"session/delete",)" + named), 0);
  send(R"({"jsonrpc":"2.0","id":1,"method":"session/list"})");
  EXPECT_THAT(read_line(), HasSubstr(R"("sessions":[])"));
}

TEST_F(DemoAgentTest, KeepsSessionsForOtherProcessesAndForksThem) {
  std::string state = testing::TempDir() + "demo-state-XXXXXX";
  ASSERT_NE(::mkdtemp(state.data()), nullptr);
  start({"--state", state});
  const std::string session = new_session();
  ask(session, "one");
  close_input();
  EXPECT_EQ(wait_status(), 0);

  start({"--state", state});
  const auto call = [](std::string_view method, std::string_view id) {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
           R"(","params":{"cwd":"/","sessionId":")" + std::string(id) + "\"}}";
  };
  send(call("session/fork", session));
  const json::object forked = read_message();
  const std::string fork(forked.at("result").at("sessionId").as_string());
  EXPECT_NE(fork, session);
  EXPECT_EQ(ask(fork, "/recall").whole(), "one\n/recall\n");
  EXPECT_EQ(error_of(call("session/resume", session)), 0);
  EXPECT_THAT(read_line(), HasSubstr("available_commands_update"));
  EXPECT_EQ(ask(session, "/recall").whole(), "one\n/recall\n") << "they go ways of their own";
  for (const char* strange : {"demo-../x", "demo-", "nothing"}) {
    EXPECT_EQ(error_of(call("session/load", strange)), -32002) << strange;
  }
  std::filesystem::remove_all(state);
}

TEST_F(DemoAgentTest, ChangesModeAndOptions) {
  start();
  const std::string session = new_session();
  const std::string begin = R"("params":{"sessionId":")" + session + "\",";
  send(R"({"jsonrpc":"2.0","id":1,"method":"session/set_mode",)" + begin + R"("modeId":"code"}})");
  EXPECT_THAT(read_line(), HasSubstr(R"("current_mode_update","currentModeId":"code")"));
  EXPECT_THAT(read_line(), HasSubstr("config_option_update"));
  EXPECT_EQ(read_line(), R"({"jsonrpc":"2.0","id":1,"result":{}})");
  send(R"({"jsonrpc":"2.0","id":2,"method":"session/set_config_option",)" + begin +
       R"("configId":"style","value":"loud"}})");
  EXPECT_THAT(read_line(), HasSubstr("config_option_update"));
  EXPECT_EQ(read_message().at("result").at("configOptions").as_array().size(), 2U);
  EXPECT_EQ(ask(session, "hi").whole(), "HI");
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":2,"method":"session/set_config_option",)" + begin +
                     R"("configId":"style","value":"x"}})"),
            -32602);
}

TEST_F(DemoAgentTest, SendsExactlyTheChunksAskedFor) {
  start();
  const std::string session = new_session();
  const Turn turn = ask(session, "/chunks 1000 20");
  ASSERT_EQ(turn.texts.size(), 1000U);
  EXPECT_EQ(turn.texts[999], "999 xxxxxxxxxxxxxxxx");
  EXPECT_EQ(ask(session, "/flood 3000").texts.size(), 3000U);
  EXPECT_EQ(ask(session, "/chunks 2 1").texts[1], "x");
  prompt(session, "/huge 100000");
  EXPECT_EQ(read_line().size(), 100000U);
}

TEST_F(DemoAgentTest, CancelsWhateverItIsDoing) {
  start();
  const std::string session = new_session();
  for (const char* text : {"/sleep 1000", "/chunks 1000000000 100", "/permission", "/call x"}) {
    prompt(session, text);
    cancel(session);
    EXPECT_EQ(finish_turn().stop_reason, "cancelled") << text;
  }
  prompt(session, "/sleep 1000");
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"p"}})"),
            -32800);
  EXPECT_EQ(ask(session, "/sleep 0.01").stop_reason, "end_turn");
}

TEST_F(DemoAgentTest, RefusesASecondPromptAndFinishesTheFirst) {
  start();
  const std::string session = new_session();
  prompt(session, "/permission");
  const json::object request = read_message();
  prompt(session, "too early");
  EXPECT_EQ(read_message().at("error").at("code"), -32600);
  send(R"({"jsonrpc":"2.0","id":)" + json::serialize(request.at("id")) +
       R"(,"result":{"outcome":{"outcome":"selected","optionId":"allow"}}})");
  EXPECT_EQ(finish_turn().whole(), "Permission: allow");
}

TEST_F(DemoAgentTest, AsksForPermissionAndReportsTheOutcome) {
  start();
  const std::string session = new_session();
  const auto answer = [&](const std::string& outcome) {
    prompt(session, "/permission");
    const json::object request = read_message();
    EXPECT_EQ(request.at("method"), "session/request_permission");
    send(R"({"jsonrpc":"2.0","id":)" + json::serialize(request.at("id")) + "," + outcome + "}");
    return finish_turn();
  };
  EXPECT_EQ(answer(R"("result":{"outcome":{"outcome":"selected","optionId":"allow"}})").whole(),
            "Permission: allow");
  EXPECT_EQ(answer(R"("result":{"outcome":{"outcome":"cancelled"}})").stop_reason, "cancelled");
  EXPECT_THAT(answer(R"("error":{"code":-32601,"message":"no"})").whole(), HasSubstr("-32601"));
  EXPECT_THAT(answer(R"("result":null)").whole(), HasSubstr("makes no sense"));
}

TEST_F(DemoAgentTest, CallsTheClientAndShowsTheAnswer) {
  start();
  const std::string session = new_session();
  prompt(session, R"(/call _x/y {"s":"$SESSION"})");
  const json::object request = read_message();
  EXPECT_EQ(request.at("method"), "_x/y");
  EXPECT_EQ(request.at("params").at("s"), json::string(session));
  send(R"({"jsonrpc":"2.0","id":)" + json::serialize(request.at("id")) + R"(,"result":{"ok":1}})");
  EXPECT_EQ(finish_turn().whole(), R"(Result: {"ok":1})");
  EXPECT_THAT(ask(session, "/call x {").whole(), HasSubstr("not JSON"));
}

TEST_F(DemoAgentTest, WritesAndReadsFilesBelowItsDirectory) {
  start();
  const std::string session = new_session();
  const std::string name = "demo-agent-test-" + std::to_string(::getpid());
  EXPECT_EQ(ask(session, "/write " + name + " some text").whole(), "Wrote 9 bytes to /tmp/" + name);
  EXPECT_EQ(ask(session, "/read " + name).whole(), "some text");
  ::unlink(("/tmp/" + name).c_str());
  EXPECT_THAT(ask(session, "/read " + name).whole(), HasSubstr("No such file"));
  EXPECT_THAT(ask(session, "/env").whole(), HasSubstr("PATH="));
  EXPECT_THAT(ask(session, "/cwd").whole(), HasSubstr("session: /tmp"));
}

TEST_F(DemoAgentTest, ReportsToolCallsAndSurvivesItsOwnGarbage) {
  start();
  const std::string session = new_session();
  prompt(session, "/tool");
  EXPECT_THAT(read_line(), HasSubstr(R"("sessionUpdate":"plan")"));
  EXPECT_THAT(read_line(), HasSubstr(R"("sessionUpdate":"tool_call")"));
  EXPECT_EQ(finish_turn().stop_reason, "end_turn");
  prompt(session, "/garbage");
  for (int i = 0; i < 13; ++i) read_line();
  EXPECT_EQ(finish_turn().whole(), "That was garbage.");
  prompt(session, "/dup");
  EXPECT_THAT(read_line(), HasSubstr("no-such-request"));
  EXPECT_EQ(read_line(), read_line());
}

TEST_F(DemoAgentTest, HasASubagentForClientsThatKnowThem) {
  start();
  EXPECT_THAT(ask(new_session(), "/subagent").whole(), HasSubstr("does not show sub-agents"));
  send(R"({"jsonrpc":"2.0","id":1,"method":"initialize",)"
       R"("params":{"protocolVersion":1,"clientCapabilities":{"subagents":{}}}})");
  read_line();
  const std::string session = new_session();
  const std::string helper = R"("sessionId":")" + session + R"(-helper")";
  for (const bool first : {true, false}) {
    prompt(session, "/subagent");
    if (first) {
      EXPECT_THAT(read_line(), AllOf(HasSubstr("subagent_update"), HasSubstr(helper)));
    }
    EXPECT_THAT(read_line(), AllOf(HasSubstr("The helper asks."), HasSubstr(helper)));
    EXPECT_THAT(read_line(), HasSubstr("session_message"));
    const std::string question = read_line();
    EXPECT_THAT(question, AllOf(HasSubstr("session/request_permission"), HasSubstr(helper)));
    send(R"({"jsonrpc":"2.0","id":)" + std::string(first ? "1" : "2") +
         R"(,"result":{"outcome":{"outcome":"selected","optionId":"allow"}}})");
    EXPECT_EQ(finish_turn().whole(), "Permission: allow");
  }
}

TEST_F(DemoAgentTest, EndsAtTheEndOfInputAndOnCommand) {
  start();
  const std::string session = new_session();
  prompt(session, "/sleep 1000");
  close_input();
  EXPECT_EQ(wait_status(), 0);
  start();
  prompt(new_session(), "/exit 7");
  EXPECT_EQ(WEXITSTATUS(wait_status()), 7);
}

TEST_F(DemoAgentTest, MayRequireAuthentication) {
  start({"--require-auth"});
  const std::string create =
      R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[]}})";
  EXPECT_EQ(error_of(create), -32000);
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":1,"method":"authenticate",)"
                     R"("params":{"methodId":"demo"}})"),
            0);
  EXPECT_EQ(error_of(create), 0);
}

TEST_F(DemoAgentTest, ExitsWhereItIsTold) {
  start({"--exit-on", "initialize"});
  send(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}})");
  EXPECT_EQ(WEXITSTATUS(wait_status()), 3);
}

}  // namespace
}  // namespace demo
