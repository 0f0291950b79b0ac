#include "cli/connect_run.hpp"

#include "base/unique_fd.hpp"
#include "cli/run_task.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

namespace relay::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

// What the editor holds, and what the program does.
struct EditorPipe {
  UniqueFd editors, programs;

  EditorPipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    editors = UniqueFd(ends[0]);
    programs = UniqueFd(ends[1]);
  }
  void say(const std::string& text) const {
    EXPECT_EQ(::send(editors.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  std::string heard() const {
    std::string text(4096, '\0');
    const ssize_t got = ::recv(editors.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
};

TEST(ConnectRun, SaysThatARelayDoesNotAnswer) {
  EditorPipe in, out;
  in.say(R"({"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":1}})");
  in.editors.reset();
  const ExitCode code = run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    // The kernel lets in who comes, and nobody says anything.
    const asio::ip::tcp::acceptor listener(executor, {asio::ip::address_v4::loopback(), 0});
    const std::string url =
        "ws://127.0.0.1:" + std::to_string(listener.local_endpoint().port()) + "/acp";
    Result<StandardStream> input = StandardStream::open(executor, in.programs.get());
    Result<StandardStream> output = StandardStream::open(executor, out.programs.get());
    ConnectTimes times;
    times.grace = 50ms;
    ConnectRun run(executor, {*http::WebSocketUrl::parse(url), {}}, times, std::move(*input),
                   std::move(*output));
    co_return co_await run.run();
  });
  EXPECT_EQ(code, ExitCode::kCannotConnect);
  EXPECT_THAT(out.heard(), AllOf(HasSubstr(R"("id":7,"error")"), HasSubstr("did not answer")));
}

}  // namespace
}  // namespace relay::cli
