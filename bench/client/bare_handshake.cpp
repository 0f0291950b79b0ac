#include "client/bare_handshake.hpp"

#include "client/messages.hpp"

#include <array>
#include <string>
#include <string_view>
#include <unistd.h>

namespace relay::bench {

namespace {

void exchange(const Child& child, std::uint64_t id, std::string_view method,
              std::string_view params) {
  const std::string line = make_request(id, method, params) + "\n";
  if (::write(child.input.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    fail_errno("write to the agent");
  }
  std::array<char, 4096> answer{};
  const ssize_t got = ::read(child.output.get(), answer.data(), answer.size());
  if (got <= 0) fail("the agent did not answer");
  if (answer[static_cast<std::size_t>(got) - 1] != '\n') fail("the agent's answer is cut off");
}

}  // namespace

void shake_hands(const Child& child) {
  exchange(child, 1, "initialize", R"({"protocolVersion":1,"clientCapabilities":{}})");
  exchange(child, 2, "session/new", R"({"cwd":"/tmp","mcpServers":[]})");
}

}  // namespace relay::bench
