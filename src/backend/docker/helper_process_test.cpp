// How long a helper is waited for; small shell scripts stand for it.
#include "backend/docker/helper_process.hpp"

#include "backend/process/refused_calls.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <sys/syscall.h>
#include <utility>

namespace relay {
namespace {

using namespace std::chrono_literals;

constexpr const char* kNeverEnds = "exec /bin/sleep 600";

class HelperProcessTest : public testing::Test {
 protected:
  Result<HelperEnd> run(std::string script, HelperLimits limits = {}) {
    std::vector<std::string> arguments{"-c", std::move(script)};
    auto done = asio::co_spawn(
        io_,
        run_helper_process(io_.get_executor(), "/bin/sh", std::move(arguments), limits, unreaped_),
        asio::use_future);
    io_.restart();
    io_.run_for(60s);
    EXPECT_TRUE(io_.stopped()) << "something is left for the loop to wait for";
    if (done.wait_for(0s) != std::future_status::ready) {
      return make_error(ErrorType::kInternalError, "it hangs");
    }
    return done.get();
  }

  asio::io_context io_;
  UnreapedChildren unreaped_;
};

TEST_F(HelperProcessTest, TellsHowItEnded) {
  const auto ended = run("echo no room >&2; exit 3");
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->said, "no room\n");
}

TEST_F(HelperProcessTest, IsKilledAtItsLimit) {
  const auto ended = run(kNeverEnds, {.runs = 20ms});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().type, ErrorType::kWorkspaceUnavailable);
  EXPECT_NE(ended.error().explanation.find("in time"), std::string::npos);
  EXPECT_TRUE(ended.error().recoverable);
  EXPECT_TRUE(unreaped_.empty());
}

TEST_F(HelperProcessTest, IsKilledAtItsLimitAlsoWhenItSaysNoMore) {
  const auto ended = run("exec 2>&-; exec /bin/sleep 600", {.runs = 20ms});
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().explanation.find("in time"), std::string::npos);
}

TEST_F(HelperProcessTest, IsLeftBehindWhenItCanNotBeKilled) {
  on_thread_without({SYS_kill}, [this] {
    const auto ended = run(kNeverEnds, {.runs = 20ms, .ends = 20ms});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().type, ErrorType::kWorkspaceUnavailable);
    EXPECT_NE(ended.error().explanation.find("survives SIGKILL"), std::string::npos);
    EXPECT_EQ(unreaped_.size(), 1U);
  });
  ASSERT_EQ(unreaped_.size(), 1U);
  EXPECT_EQ(signal_that_ends(unreaped_.front()), SIGKILL) << "it ends with the thread";
  EXPECT_TRUE(run("exit 0"));
  EXPECT_TRUE(unreaped_.empty()) << "reaped by the next start";
}

TEST_F(HelperProcessTest, StartsNoneWhileTooManyHang) {
  const Result<ChildProcess> child = spawn(sleeping_program(), unreaped_);
  ASSERT_TRUE(child);
  unreaped_.assign(kMostStuckHelpers, child->pid);
  const auto refused = run("exit 0");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().explanation.find(std::to_string(child->pid)), std::string::npos);
  ::kill(child->pid, SIGKILL);
  EXPECT_EQ(signal_that_ends(child->pid), SIGKILL);
  EXPECT_TRUE(run("exit 0"));
}

}  // namespace
}  // namespace relay
