// Agents in containers that outlive the relay which started them, on a real Engine: the one of
// DOCKER_HOST. A run of the relay is a backend; it ends by letting its agents go.
#include "backend/docker/docker_backend.hpp"
#include "backend/docker/test_directory.hpp"
#include "demo_image.hpp"
#include "engine/testing/run_task.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;
using engine::testing::run;
using engine::testing::why;
using ::testing::HasSubstr;

// Told at once, for what is destroyed on the way out may end the program.
[[noreturn]] void give_up(const std::string& why_so) {
  ADD_FAILURE() << why_so;
  throw std::runtime_error(why_so);
}

// One run of the relay.
struct RelayRun {
  std::unique_ptr<DockerHost> host;
  std::unique_ptr<DockerBackend> backend;
};

// All that a session has taken in of its agent, over all runs.
struct Taken {
  std::vector<std::string> lines;
  OutputPosition position;

  bool has(std::string_view text) const {
    return std::any_of(lines.begin(), lines.end(), [text](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
};

// Text of the chunks among the lines, each of which is a whole message.
std::vector<std::string> chunks_of(const std::vector<std::string>& lines) {
  std::vector<std::string> chunks;
  for (const std::string& line : lines) {
    boost::json::error_code failure;
    const boost::json::value message = boost::json::parse(line, failure);
    EXPECT_FALSE(failure) << line.substr(0, 200);
    if (failure || line.find("agent_message_chunk") == std::string::npos) continue;
    chunks.emplace_back(message.at_pointer("/params/update/content/text").as_string());
  }
  return chunks;
}

class Reattach : public engine::DemoImageTest {
 protected:
  // After a failure too nothing is left.
  void TearDown() override {
    if (!is_ready()) return;
    run([this]() -> Task<void> {
      const auto executor = co_await asio::this_coro::executor;
      engine::EngineClient client(executor, endpoint_, {});
      const auto removed = co_await client.remove(name_);
      EXPECT_TRUE(removed) << why(removed);
    });
  }

  ContainerOptions options() const {
    ContainerOptions made;
    made.image = image();
    made.workspace_base_dir = directory_.path();
    made.pull_policy = ImagePull::kNever;
    made.helper_program = RELAY_BINARY_DIR "/acp-workspace-helper";
    made.log_driver = log_driver_;
    made.log_opts = log_opts_;
    return made;
  }

  Task<RelayRun> begin(std::string instance) {
    const auto executor = co_await asio::this_coro::executor;
    const ContainerOptions made = options();
    RelayRun relay;
    auto host = co_await DockerHost::open(executor, made, instance, Logger::silent());
    if (!host) give_up(host.error().explanation);
    relay.host = std::move(*host);
    const KeepOfSession keep = [](SessionId) -> Task<Keep> { co_return Keep::kAgent; };
    auto backend = co_await DockerBackend::open(*relay.host, made, keep, Logger::silent());
    if (!backend) give_up(backend.error().explanation);
    relay.backend = std::move(*backend);
    co_return relay;
  }
  static Task<void> end(RelayRun& relay) {
    co_await relay.backend->shut_down();
    co_await relay.host->shut_down();
  }

  static Task<void> say(Agent& agent, std::string message) {
    const std::vector<SharedBytes> messages{SharedBytes(std::move(message))};
    const auto sent = co_await agent.send(messages);
    EXPECT_TRUE(sent) << why(sent);
  }
  static Task<void> prompt(Agent& agent, int id, std::string text) {
    co_await say(agent, R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
                            R"(,"method":"session/prompt","params":{"sessionId":")" + inner_ +
                            R"(","prompt":[{"type":"text","text":")" + text + R"("}]}})");
  }
  static std::string answer_to(int id) { return "\"id\":" + std::to_string(id) + ","; }

  // Takes in the agent's output until a line has `text`.
  static Task<void> take(Agent& agent, Taken& taken, std::string text) {
    for (bool found = false; !found;) {
      auto output = co_await agent.receive();
      if (!output) give_up("the output ended before " + text);
      taken.position = output->position;
      for (std::string& line : output->lines) {
        found = found || line.find(text) != std::string::npos;
        taken.lines.push_back(std::move(line));
      }
    }
  }

  // An agent that has shaken hands.
  Task<std::unique_ptr<Agent>> launch(RelayRun& relay, Taken& taken) {
    LaunchSpec spec;
    spec.session = session_;
    auto launched = co_await relay.backend->launch(std::move(spec));
    if (!launched) give_up(launched.error().explanation);
    Agent& agent = **launched;
    co_await say(agent, R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":)"
                        R"({"protocolVersion":1}})");
    co_await take(agent, taken, answer_to(1));
    co_await say(agent, R"({"jsonrpc":"2.0","id":2,"method":"session/new","params":)"
                        R"({"cwd":"/","mcpServers":[]}})");
    co_await take(agent, taken, "sessionId");
    const std::string& line = taken.lines.back();
    const std::size_t at = line.find("sessionId\":\"") + 12;
    inner_ = line.substr(at, line.find('"', at) - at);
    co_return std::move(*launched);
  }

  // Until the container's log has the text.
  static Task<void> logged(RelayRun& relay, std::string name, std::string text) {
    for (bool found = false; !found;) {
      const engine::LogSelection all;
      const auto stream = co_await relay.host->engine.logs(name, all);
      RELAY_NEED(stream);
      std::string log;
      while (true) {
        const auto bytes = co_await (*stream)->read_some();
        if (!bytes || bytes->empty()) break;
        log += *bytes;
      }
      found = log.find(text) != std::string::npos;
      if (!found) co_await sleep_for(20ms);
    }
  }

  static Task<bool> exists(RelayRun& relay, std::string name) {
    const auto facts = co_await relay.host->engine.inspect(name);
    co_return facts && facts->has_value();
  }

  void goes_on_exactly();

  static inline std::string inner_;  // what the agent calls its session

  TestDirectory directory_;
  const SessionId session_{"sess_" + tag_};
  const std::string name_ = container_name(session_);
  std::string log_driver_ = "json-file";
  NameValues log_opts_;
};

void Reattach::goes_on_exactly() {
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun first = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(first, taken);
    // Lines that the Engine's logs do not keep as they are.
    std::string echo = R"({"jsonrpc":"2.0","id":3,"method":"_demo/echo","params":{"text":"a)";
    for (int count = 0; count < 30'000; ++count) echo += "\xc3\xa9";
    echo += "\"}}";
    co_await say(*agent, echo);
    co_await take(*agent, taken, answer_to(3));
    co_await prompt(*agent, 4, "/huge 40000");
    co_await take(*agent, taken, answer_to(4));
    taken.lines.clear();
    // More than a backend holds, so that no single receive() has it all.
    co_await prompt(*agent, 5, "/chunks 30000 40");
    co_await take(*agent, taken, "agent_message_chunk");
    EXPECT_FALSE(taken.has(answer_to(5))) << "the turn is to be cut";
    EXPECT_TRUE(agent->leave());
    agent.reset();
    co_await end(first);

    RelayRun second = co_await begin(tag_);
    auto again = co_await second.backend->reattach(session_, taken.position);
    RELAY_NEED(again);
    EXPECT_FALSE(again->output_lost);
    co_await take(*again->agent, taken, answer_to(5));
    const auto chunks = chunks_of(taken.lines);
    EXPECT_EQ(chunks.size(), 30'000U);
    for (std::size_t index = 0; index < chunks.size(); ++index) {
      if (!chunks[index].starts_with(std::to_string(index))) {
        ADD_FAILURE() << "chunk " << index << " is " << chunks[index];
        break;
      }
    }
    EXPECT_EQ(again->agent->working_directory(), "/workspace");

    // Left once more, between two turns.
    co_await prompt(*again->agent, 6, "/huge 50000");
    co_await take(*again->agent, taken, answer_to(6));
    EXPECT_TRUE(again->agent->leave());
    co_await end(second);
    RelayRun third = co_await begin(tag_);
    auto last = co_await third.backend->reattach(session_, taken.position);
    RELAY_NEED(last);
    EXPECT_FALSE(last->output_lost);
    taken.lines.clear();
    co_await prompt(*last->agent, 7, "hello");
    co_await take(*last->agent, taken, answer_to(7));
    EXPECT_EQ(chunks_of(taken.lines).size(), 1U);
    const AgentExit exit = co_await last->agent->stop(2s);
    EXPECT_FALSE(exit.cause) << exit.cause->explanation;
    const bool left = co_await exists(third, name_);
    EXPECT_FALSE(left);
    co_await third.backend->release(session_);
    EXPECT_FALSE(directory_.has(session_.value()));
    co_await end(third);
  });
}

TEST_F(Reattach, GoesOnExactlyFromAJsonFileLog) { goes_on_exactly(); }

TEST_F(Reattach, GoesOnExactlyFromALocalLog) {
  log_driver_ = "local";
  goes_on_exactly();
}

TEST_F(Reattach, GoesOnWithWhatARotatedLogStillHas) {
  log_opts_ = {{"max-size", "1m"}, {"max-file", "1"}};
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun first = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(first, taken);
    co_await prompt(*agent, 3, "/chunks 30000 100");
    co_await take(*agent, taken, "agent_message_chunk");
    EXPECT_TRUE(agent->leave());
    co_await logged(first, name_, answer_to(3));
    co_await end(first);

    RelayRun second = co_await begin(tag_);
    auto again = co_await second.backend->reattach(session_, taken.position);
    RELAY_NEED(again);
    EXPECT_TRUE(again->output_lost);
    Taken rest;
    co_await take(*again->agent, rest, answer_to(3));
    const auto chunks = chunks_of(rest.lines);  // fails where a line is cut
    EXPECT_GT(chunks.size(), 100U);
    if (chunks.empty()) co_return;
    for (std::size_t back = 0; back < chunks.size(); ++back) {
      const std::string wanted = std::to_string(29'999 - back);
      if (!chunks[chunks.size() - 1 - back].starts_with(wanted)) {
        ADD_FAILURE() << "not " << wanted << ": " << chunks[chunks.size() - 1 - back];
        break;
      }
    }

    // What was read last is in the log: the output goes on behind it.
    co_await prompt(*again->agent, 4, "/chunks 20 40");
    EXPECT_TRUE(again->agent->leave());
    co_await logged(second, name_, answer_to(4));
    co_await end(second);
    RelayRun third = co_await begin(tag_);
    auto last = co_await third.backend->reattach(session_, rest.position);
    RELAY_NEED(last);
    EXPECT_FALSE(last->output_lost) << "the place is known again";
    rest.lines.clear();
    co_await take(*last->agent, rest, answer_to(4));
    EXPECT_EQ(chunks_of(rest.lines).size(), 20U);
    last->agent.reset();
    co_await third.backend->release(session_);
    co_await end(third);
  });
}

TEST_F(Reattach, GoesOnWithTheLiveOutputWithoutALog) {
  log_driver_ = "none";
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun first = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(first, taken);
    EXPECT_TRUE(agent->leave());
    co_await end(first);
    RelayRun second = co_await begin(tag_);
    auto again = co_await second.backend->reattach(session_, taken.position);
    RELAY_NEED(again);
    EXPECT_TRUE(again->output_lost);
    taken.lines.clear();
    co_await prompt(*again->agent, 3, "hello");
    co_await take(*again->agent, taken, answer_to(3));
    EXPECT_EQ(chunks_of(taken.lines).size(), 1U) << "the first whole line is not dropped";
    again->agent.reset();
    co_await second.backend->release(session_);
    co_await end(second);
  });
}

TEST_F(Reattach, EndsAMessageThatWasHalfWritten) {
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun first = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(first, taken);
    EXPECT_TRUE(agent->leave());
    const auto input = co_await first.host->engine.attach_input(name_);
    RELAY_NEED(input);
    const auto written = co_await (*input)->write(R"({"jsonrpc":"2.0","id":3,"meth)");
    EXPECT_TRUE(written);
    (*input)->close();
    co_await end(first);
    RelayRun second = co_await begin(tag_);
    auto again = co_await second.backend->reattach(session_, taken.position);
    RELAY_NEED(again);
    co_await prompt(*again->agent, 4, "hello");
    co_await take(*again->agent, taken, answer_to(4));
    EXPECT_TRUE(taken.has("-32700")) << "the piece is a line of its own";
    again->agent.reset();
    co_await second.backend->release(session_);
    co_await end(second);
  });
}

TEST_F(Reattach, SaysHowAnAgentEndedMeanwhile) {
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun first = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(first, taken);
    co_await prompt(*agent, 3, "/stderr last words");
    co_await take(*agent, taken, answer_to(3));
    co_await prompt(*agent, 4, "/exit 3");
    EXPECT_TRUE(agent->leave());
    auto watch =
        co_await first.host->engine.watch_exit(name_, engine::EngineClient::Until::kNotRunning);
    RELAY_NEED(watch);
    const auto code = co_await watch->wait();
    RELAY_NEED(code);
    EXPECT_EQ(*code, 3);
    co_await end(first);
    RelayRun second = co_await begin(tag_);
    const auto again = co_await second.backend->reattach(session_, taken.position);
    if (again) give_up("nothing runs");
    EXPECT_EQ(again.error().type, ErrorType::kRelayRestarted);
    EXPECT_THAT(again.error().explanation, HasSubstr("exited with code 3"));
    bool has_errors = false;
    for (const auto& [key, value] : again.error().state) {
      if (key == "stderr_tail")
        has_errors = std::get<std::string>(value).find("last words") != std::string::npos;
    }
    EXPECT_TRUE(has_errors);
    co_await second.backend->release(session_);  // waits for the container to be gone
    const bool left = co_await exists(second, name_);
    EXPECT_FALSE(left);
    const auto nothing = co_await second.backend->reattach(session_, taken.position);
    EXPECT_FALSE(nothing);
    co_await end(second);
  });
}

TEST_F(Reattach, LeavesTheContainersOfAnotherRelayAlone) {
  run([this]() -> Task<void> {
    Taken taken;
    RelayRun mine = co_await begin(tag_);
    std::unique_ptr<Agent> agent = co_await launch(mine, taken);
    RelayRun other = co_await begin(tag_ + "-other");
    const auto taken_up = co_await other.backend->reattach(session_, taken.position);
    if (taken_up) give_up("it belongs to another relay");
    EXPECT_EQ(taken_up.error().type, ErrorType::kRelayRestarted);
    const bool left = co_await exists(other, name_);
    EXPECT_TRUE(left);
    co_await end(other);
    co_await prompt(*agent, 3, "hello");
    co_await take(*agent, taken, answer_to(3));
    agent.reset();
    co_await mine.backend->release(session_);
    co_await end(mine);
  });
}

}  // namespace
}  // namespace relay
