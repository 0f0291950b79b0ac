#include "frontend/acp/acp_connection.hpp"

#include "session/session_fixture.hpp"

#include <gmock/gmock.h>

#include <map>

namespace relay::frontend {
namespace {

using ::testing::IsEmpty;

// Those of a connection over HTTP, without their readers.
class NamedStreams final : public AcpStreams {
 public:
  NamedStreams(asio::any_io_executor executor, Metrics& metrics)
      : executor_(std::move(executor)), metrics_(metrics) {}

  std::shared_ptr<Outbox> of_connection() override { return own; }
  std::shared_ptr<Outbox> of_session(const std::string& id, Claim) override {
    auto& stream = of_sessions[id];
    if (!stream) stream = make();
    return stream;
  }
  bool are_one() const override { return false; }
  void answer_follows(const std::string&) override {}

 private:
  std::shared_ptr<Outbox> make() {
    return std::make_shared<Outbox>(executor_, OutboxLimits{}, metrics_.slow_clients);
  }

  asio::any_io_executor executor_;
  Metrics& metrics_;

 public:
  std::shared_ptr<Outbox> own = make();
  std::map<std::string, std::shared_ptr<Outbox>> of_sessions;
};

class AcpConnectionTest : public SessionFixture {
 protected:
  void SetUp() override {
    api_.emplace(sessions(), ApiOptions{});
    connection_.emplace(*api_, metrics_, acp_options_, streams_, AcpCaller{}, io_.get_executor());
  }
  void TearDown() override {
    run_void(connection_->end());
    SessionFixture::TearDown();
  }
  void ask(std::string_view method, const std::string& params) {
    auto frame = Frame::parse(rpc::request(std::to_string(++asked_), method, params), {});
    ASSERT_TRUE(frame);
    connection_->take(std::move(*frame));
  }
  static std::string about(const std::string& session) {
    return R"({"sessionId":")" + session + R"(","cwd":"/tmp","mcpServers":[]})";
  }

  AcpOptions acp_options_;
  NamedStreams streams_{io_.get_executor(), metrics_};
  std::optional<RelayApi> api_;
  std::optional<AcpConnection> connection_;
  std::size_t asked_ = 0;
};

TEST_F(AcpConnectionTest, KeepsNothingOfAnIdThatNoSessionCanHave) {
  const std::string session = "sess_0123456789abcdef0123456789abcdef";
  const std::string long_child = session + "." + std::string(257, 'x');
  for (const std::string& id : {std::string(1u << 20, 'x'), std::string("x"), long_child}) {
    for (const char* const method :
         {"session/delete", "session/close", "session/load", "session/fork"}) {
      ask(method, about(id));
      run_until([&] { return streams_.own->queued_frames() == asked_; });
    }
  }
  ask("_x/y", about(std::string(1u << 20, 'x')));
  EXPECT_EQ(streams_.own->queued_frames(), asked_) << "without a search";
  EXPECT_THAT(streams_.of_sessions, IsEmpty());
  ask("session/delete", about(session));
  run_until([&] { return streams_.of_sessions.size() == 1; });
  EXPECT_TRUE(streams_.of_sessions.contains(session));
}

TEST_F(AcpConnectionTest, UndoesASessionOfWhichAClientLearnsNothingThatDoesNotRead) {
  streams_.own->overflow();
  ask("session/new", R"({"cwd":"/tmp","mcpServers":[]})");
  run_until([&] { return sessions_->all().size() == 1; });
  run_until([&] { return sessions_->all().empty(); });
  EXPECT_THAT(streams_.of_sessions, IsEmpty());
}

TEST_F(AcpConnectionTest, UndoesASessionWhoseAnswerIsTooMuchForTheClient) {
  streams_.own =
      std::make_shared<Outbox>(io_.get_executor(), OutboxLimits{8, 100}, metrics_.slow_clients);
  ask("session/new", R"({"cwd":"/tmp","mcpServers":[]})");
  run_until([&] { return sessions_->all().size() == 1; });
  run_until([&] { return sessions_->all().empty(); });
  EXPECT_EQ(streams_.own->end(), Outbox::End::kOverflow);
}

}  // namespace
}  // namespace relay::frontend
