#include "backend/docker/backend_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace relay {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

class ImageTest : public DockerBackendTest {};

TEST_F(ImageTest, ThatCanNotBePulledIsToldOfToAllWhoWaitForIt) {
  ContainerOptions absent = options_;
  absent.image = "absent";
  absent.pull_policy = ImagePull::kMissing;
  absent.pull_timeout = std::chrono::milliseconds(500);
  run([this, absent]() -> Task<void> {
    auto first = backend_->prepare(absent);
    auto second = backend_->prepare(absent);
    auto [one, other] = co_await (std::move(first) && std::move(second));
    EXPECT_FALSE(one);
    EXPECT_FALSE(other);
    if (one || other) co_return;
    EXPECT_NE(one.error().explanation.find("500 ms"), std::string::npos) << one.error().explanation;
    EXPECT_EQ(one.error().explanation, other.error().explanation);
  });
}

}  // namespace
}  // namespace relay
