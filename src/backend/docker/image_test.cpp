#include "backend/docker/backend_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

using namespace std::chrono_literals;

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
  run([this]() -> Task<void> {
    auto first = backend_->prepare(absent(300ms));
    auto second = backend_->prepare(absent(700ms));
    auto [one, other] = co_await (std::move(first) && std::move(second));
    EXPECT_FALSE(one);
    EXPECT_FALSE(other);
    if (one || other) co_return;
    EXPECT_NE(one.error().explanation.find("300 ms"), std::string::npos) << one.error().explanation;
    EXPECT_NE(other.error().explanation.find("700 ms"), std::string::npos)
        << other.error().explanation;
  });
}

TEST_F(ImageTest, IsNoLongerWaitedForByOneWhoLeaves) {
  run([this]() -> Task<void> {
    auto first = backend_->prepare(absent(60s));
    auto second = backend_->prepare(absent(60s));
    auto clock = sleep_for(100ms);
    co_await (std::move(first) || std::move(second) || std::move(clock));
  });
}

}  // namespace
}  // namespace relay
