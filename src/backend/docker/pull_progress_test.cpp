#include "backend/docker/pull_progress.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace relay {
namespace {

using namespace std::chrono_literals;

class Pull : public testing::Test {
 protected:
  // What is shown after `pause`.
  std::optional<std::string> take(std::string status, std::string layer, std::int64_t current = 0,
                                  std::int64_t total = 0,
                                  std::chrono::milliseconds pause = PullProgress::kPause) {
    now_ += pause;
    return progress_.take({std::move(status), std::move(layer), current, total, ""}, now_);
  }

  PullProgress progress_;
  PullProgress::Time now_{};
};

TEST_F(Pull, CountsLayersAndMegabytes) {
  EXPECT_EQ(take("Pulling from library/node", "latest"), std::nullopt);
  EXPECT_EQ(take("Pulling fs layer", "a"), "0 of 1 layers, 0 of 0 MB");
  EXPECT_EQ(take("Already exists", "b"), "1 of 2 layers, 0 of 0 MB");
  EXPECT_EQ(take("Downloading", "a", 10'000'000, 50'000'000), "1 of 2 layers, 10 of 50 MB");
  EXPECT_EQ(take("Downloading", "c", 1'999'999, 20'000'000), "1 of 3 layers, 11 of 70 MB");
  EXPECT_EQ(take("Verifying Checksum", "a"), "1 of 3 layers, 11 of 70 MB");
  EXPECT_EQ(take("Download complete", "a"), "1 of 3 layers, 51 of 70 MB");
  EXPECT_EQ(take("Extracting", "a", 5, 50'000'000), "1 of 3 layers, 51 of 70 MB");
  EXPECT_EQ(take("Pull complete", "a"), "2 of 3 layers, 51 of 70 MB");
  EXPECT_EQ(take("Status: Downloaded newer image", ""), "2 of 3 layers, 51 of 70 MB");
}

TEST_F(Pull, SaysNothingBeforeTheFirstLayerAndNotTooOften) {
  EXPECT_EQ(take("Digest: sha256:1", ""), std::nullopt);
  EXPECT_NE(take("Pulling fs layer", "a"), std::nullopt);
  EXPECT_EQ(take("Waiting", "a", 0, 0, 1999ms), std::nullopt);
  EXPECT_NE(take("Waiting", "a", 0, 0, 1ms), std::nullopt);
  EXPECT_EQ(take("Waiting", "a", 0, 0, 0ms), std::nullopt);
}

TEST_F(Pull, IsBoundedWhateverTheEngineSays) {
  for (int layer = 0; layer < 5'000; ++layer) {
    take("Downloading", std::to_string(layer), std::numeric_limits<std::int64_t>::max(),
         std::numeric_limits<std::int64_t>::max(), 0ms);
  }
  const auto text = take("Downloading", "0", -5, -7);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find("0 of 1000 layers, "), 0U) << *text;
  EXPECT_EQ(text->find('-'), std::string::npos) << *text;
}

}  // namespace
}  // namespace relay
