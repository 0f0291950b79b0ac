#include "backend/docker/backend_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gmock/gmock.h>

#include <algorithm>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ImageTest : public DockerBackendTest {
 protected:
  // Of which nothing comes when it is pulled.
  ContainerOptions absent(std::chrono::milliseconds pull_timeout) const {
    ContainerOptions made = options_;
    made.image = "absent";
    made.pull_policy = ImagePull::kMissing;
    made.pull_timeout = pull_timeout;
    return made;
  }
  std::ptrdiff_t pulls() {
    return std::ranges::count_if(engine_.lines(), [](const std::string& line) {
      return line.find("/images/create?") != std::string::npos;
    });
  }
  template <class T>
  static bool is_ready(const std::future<T>& future) {
    return future.wait_for(0s) == std::future_status::ready;
  }
};

TEST_F(ImageTest, ThatCanNotBePulledIsToldOfToAllWhoWaitForIt) {
  run([this]() -> Task<void> {
    auto first = backend_->prepare(absent(500ms));
    auto second = backend_->prepare(absent(500ms));
    auto [one, other] = co_await (std::move(first) && std::move(second));
    EXPECT_FALSE(one);
    EXPECT_FALSE(other);
    if (one || other) co_return;
    EXPECT_NE(one.error().explanation.find("500 ms"), std::string::npos) << one.error().explanation;
    EXPECT_EQ(one.error().explanation, other.error().explanation);
  });
}

TEST_F(ImageTest, IsPulledAgainForOneWhoMayWaitLonger) {
  auto first = asio::co_spawn(io_, backend_->prepare(absent(300ms)), asio::use_future);
  run_until([this] { return pulls() == 1; });
  auto second = asio::co_spawn(io_, backend_->prepare(absent(700ms)), asio::use_future);
  run_until([&] { return is_ready(first) && is_ready(second); });
  EXPECT_EQ(pulls(), 2);
  const auto one = first.get();
  const auto other = second.get();
  ASSERT_FALSE(one);
  ASSERT_FALSE(other);
  EXPECT_THAT(one.error().explanation, HasSubstr("300 ms"));
  EXPECT_THAT(other.error().explanation, HasSubstr("700 ms"));
}

TEST_F(ImageTest, IsNoLongerWaitedForByOneWhoLeaves) {
  Event leaving(io_.get_executor());
  const auto wait_for_both = [&]() -> Task<void> {
    auto first = backend_->prepare(absent(60s));
    auto second = backend_->prepare(absent(60s));
    auto left = leaving.wait();
    co_await (std::move(first) || std::move(second) || std::move(left));
  };
  const auto done = asio::co_spawn(io_, wait_for_both(), asio::use_future);
  run_until([this] { return pulls() == 1; });
  leaving.happen();
  run_until([&done] { return is_ready(done); });
}

}  // namespace
}  // namespace relay
