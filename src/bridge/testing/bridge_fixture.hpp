// For tests: a bridge, what it sends and shows, and an editor's first steps with it.
#pragma once

#include "bridge/bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace relay::bridge::testing {

inline constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":1}})";
inline constexpr const char* kGreeting =
    R"({"protocolVersion":1,"_meta":{"acp-relay":{"version":"1"}}})";

inline std::string result(const std::string& id, const std::string& body) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + body + "}";
}

class BridgeTest : public ::testing::Test {
 protected:
  explicit BridgeTest(BridgeLimits limits = {}) : bridge_("p", limits) {}

  using Lines = std::vector<std::string>;

  Lines sent() {
    Lines out;
    const Batch batch = bridge_.take_messages();
    for (const SharedBytes& message : batch.messages) out.emplace_back(message.view());
    mark_ = batch.mark;
    return out;
  }
  Lines shown() { return bridge_.take_lines(); }

  void initialize() {
    bridge_.connected();
    bridge_.from_editor(kInitialize);
    ASSERT_THAT(sent(), ::testing::SizeIs(1));
    bridge_.from_relay(result(R"("p-1")", kGreeting));
    ASSERT_THAT(shown(), ::testing::SizeIs(1));
  }
  // The editor has the session "s", made by its call p-2.
  void make_session() {
    initialize();
    bridge_.from_editor(
        R"({"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/w","mcpServers":[{"name":"m"}]}})");
    ASSERT_THAT(sent(), ::testing::SizeIs(1));
    bridge_.from_relay(result(R"("p-2")", R"({"sessionId":"s"})"));
    ASSERT_THAT(shown(), ::testing::ElementsAre(result("1", R"({"sessionId":"s"})")));
  }
  // A connection after which initialize (p-`id`) has been said and accepted.
  void reconnect(const std::string& id) {
    bridge_.dropped({});
    bridge_.connected();
    ASSERT_THAT(sent(), ::testing::ElementsAre(::testing::HasSubstr(R"("method":"initialize")")));
    bridge_.from_relay(result("\"p-" + id + "\"", kGreeting));
  }

  Bridge bridge_;
  std::uint64_t mark_ = 0;
};

}  // namespace relay::bridge::testing
