// What a connection has brought, for those who connect again.
#include "bridge/testing/bridge_fixture.hpp"

#include <utility>

namespace relay::bridge {
namespace {

using testing::BridgeTest;
using testing::result;

class BridgeSettledTest : public BridgeTest {
 protected:
  bool has_settled() {
    const std::uint64_t before = std::exchange(before_, bridge_.settled());
    return before_ != before;
  }
  void from_session(const std::string& begin, const std::string& meta = R"({"acp-relay/seq":4})") {
    bridge_.from_relay(R"({"jsonrpc":"2.0",)" + begin + R"(,"params":{"_meta":)" + meta +
                       R"(,"sessionId":"s"}})");
  }
  void update(const std::string& meta) { from_session(R"("method":"session/update")", meta); }
  void ask() { from_session(R"("id":1,"method":"session/request_permission")"); }

  std::uint64_t before_ = 0;
};

TEST_F(BridgeSettledTest, GrowsWithWhatIsNewOnly) {
  make_session();
  EXPECT_TRUE(has_settled()) << "two answers";
  bridge_.from_editor(
      R"({"jsonrpc":"2.0","id":5,"method":"session/prompt","params":{"sessionId":"s"}})");
  sent();
  EXPECT_FALSE(has_settled());
  update(R"({"acp-relay/seq":3})");
  EXPECT_TRUE(has_settled());
  ask();
  EXPECT_TRUE(has_settled());
  bridge_.from_editor(result("1", R"("yes")"));
  sent();
  EXPECT_FALSE(has_settled()) << "it has not arrived";
  bridge_.dropped({});
  EXPECT_FALSE(has_settled()) << "nor ever on this connection";
  bridge_.connected();
  sent();
  bridge_.from_relay(result(R"("p-4")", testing::kGreeting));
  sent();
  bridge_.from_relay(result(R"("p-5")", R"({"_meta":{"acp-relay/requests":["p-3"]}})"));
  update(R"({"acp-relay/seq":3})");
  update("{}");  // its state, told to everybody who comes
  ask();
  EXPECT_FALSE(has_settled()) << "as it was before";
  sent();
  bridge_.acknowledged(mark_);
  EXPECT_TRUE(has_settled()) << "the answer";
  bridge_.from_relay(result(R"("p-3")", R"({"stopReason":"end_turn"})"));
  EXPECT_TRUE(has_settled());
}

}  // namespace
}  // namespace relay::bridge
