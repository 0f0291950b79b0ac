#include "storage/segment_files.hpp"

#include "storage/log_fixture.hpp"

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

class SegmentFilesTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kMany = 3 * SegmentFiles::kMostOpen;

  void SetUp() override {
    for (std::uint32_t number = 1; number <= kMany; ++number) {
      std::ofstream(journal_path(path_, number)) << "file " << number << " and more";
    }
  }
  static std::size_t open_files() {
    const fs::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  SegmentFiles files_{path_};
};

TEST_F(SegmentFilesTest, AreOpenInABoundedNumberThatHasWhatIsWritten) {
  const std::size_t before = open_files();
  files_.written_from(kMany);
  files_.used(kMany);
  for (std::uint32_t number = 1; number < kMany; ++number) {
    EXPECT_EQ(files_.read(number, {0, 5}), "file ");
    EXPECT_LE(open_files(), before + SegmentFiles::kMostOpen);
  }
  EXPECT_EQ(files_.moved(), 0u);
  fs::remove(journal_path(path_, kMany));
  EXPECT_EQ(files_.moved(), kMany) << "it is known however many others were read";
  ASSERT_TRUE(files_.put_back());
  EXPECT_EQ(content_of(journal_path(path_, kMany)), "file " + std::to_string(kMany) + " and more");
  EXPECT_EQ(files_.moved(), 0u);
  EXPECT_FALSE(fs::exists(journal_path(path_, kMany) + ".restored"));
}

TEST_F(SegmentFilesTest, GiveWhatIsThereAndNothingOfWhatIsGone) {
  EXPECT_EQ(files_.read(1, {5, 100}), "1 and more");
  EXPECT_EQ(files_.read(1, {100, 5}), "");
  EXPECT_EQ(files_.read(kMany + 1, {0, 5}), "");
  files_.remove(1);
  EXPECT_EQ(files_.read(1, {0, 5}), "");
  EXPECT_FALSE(files_.sync(1));
  EXPECT_TRUE(files_.sync(2));
}

// What lies in the way of a file, and of the place for that, stays.
TEST_F(SegmentFilesTest, AreNotPutBackOverWhatSomebodyElseHas) {
  files_.used(1);
  fs::remove(journal_path(path_, 1));
  for (const std::string& path : {path_, path_ + ".replaced"}) {
    std::ofstream(journal_path(path, 1)) << "of somebody";
  }
  EXPECT_FALSE(files_.put_back());
  for (const std::string& path : {path_, path_ + ".replaced"}) {
    EXPECT_EQ(content_of(journal_path(path, 1)), "of somebody");
  }
  EXPECT_FALSE(fs::exists(journal_path(path_, 1) + ".restored"));
  fs::remove(journal_path(path_ + ".replaced", 1));
  EXPECT_TRUE(files_.put_back());
  EXPECT_EQ(content_of(journal_path(path_, 1)), "file 1 and more");
  EXPECT_EQ(content_of(journal_path(path_ + ".replaced", 1)), "of somebody");
}

}  // namespace
}  // namespace relay::storage
