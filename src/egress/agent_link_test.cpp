#include "egress/agent_link.hpp"

#include "base/unique_fd.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

namespace relay::egress {
namespace {

// What it reads has come before it begins, so that it never has to wait.
TEST(AgentLink, LeavesOthersTheirTurnWhileItLingers) {
  asio::io_context loop(1);
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  UniqueFd agent(ends[1]);
  http::Transport::Socket socket(loop);
  socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
  AgentLink link(std::move(socket));
  const std::string block(64u << 10, 'x');
  while (::send(agent.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) continue;
  agent.reset();
  int there = 0;
  ASSERT_EQ(::ioctl(ends[0], FIONREAD, &there), 0);
  ASSERT_GT(there, 128 << 10);  // or one turn would have all of it
  int left = 0;
  asio::co_spawn(loop, link.linger(), asio::detached);
  asio::post(loop, [&] { ::ioctl(ends[0], FIONREAD, &left); });
  loop.run();
  EXPECT_GT(left, 0);
}

}  // namespace
}  // namespace relay::egress
