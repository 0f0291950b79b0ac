#include "storage/segment_files.hpp"

#include "storage/log_fixture.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/mman.h>

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

// While it lives, files that belong to root are somebody else's to this thread, also as root.
class WithoutPrivileges {
 public:
  WithoutPrivileges() : before_(static_cast<uid_t>(::setfsuid(65534))) {}
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;
  ~WithoutPrivileges() { ::setfsuid(before_); }

 private:
  uid_t before_;
};

class SegmentFilesTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kMany = 3 * SegmentFiles::kMostOpen;

  void SetUp() override {
    for (std::uint32_t number = 1; number <= kMany; ++number) {
      std::ofstream(journal_path(path_, number)) << content(number);
    }
  }
  static std::string head(std::uint32_t number) { return journal_head("mine", number); }
  static std::string content(std::uint32_t number) {
    return head(number) + "file " + std::to_string(number) + " and more";
  }
  static Extent behind_head(std::uint32_t number, std::uint32_t size) {
    return {static_cast<std::uint32_t>(head(number).size()), size};
  }
  std::string bytes(std::uint32_t number, Extent extent) {
    const auto read = files_.read(number, extent);
    EXPECT_TRUE(read) << read.error().explanation;
    return std::string(read.value_or("can't be read"));
  }
  static std::size_t open_files() {
    const fs::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("log.db");
  SegmentFiles files_{path_, "mine"};
};

TEST_F(SegmentFilesTest, AreOpenInABoundedNumberThatHasWhatIsWritten) {
  const std::size_t before = open_files();
  files_.written_from(kMany);
  files_.used(kMany);
  for (std::uint32_t number = 1; number < kMany; ++number) {
    EXPECT_EQ(bytes(number, behind_head(number, 5)), "file ");
    EXPECT_LE(open_files(), before + SegmentFiles::kMostOpen);
  }
  EXPECT_EQ(files_.moved(), 0u);
  fs::remove(journal_path(path_, kMany));
  EXPECT_EQ(files_.moved(), kMany) << "it is known however many others were read";
  ASSERT_TRUE(files_.put_back());
  EXPECT_EQ(content_of(journal_path(path_, kMany)), content(kMany));
  EXPECT_EQ(files_.moved(), 0u);
  EXPECT_FALSE(fs::exists(journal_path(path_, kMany) + ".restored"));
}

TEST_F(SegmentFilesTest, GiveWhatIsThereAndNothingOfWhatIsGone) {
  EXPECT_EQ(bytes(1, behind_head(1, 100)), "file 1 and more");
  EXPECT_EQ(bytes(1, {100, 5}), "");
  EXPECT_EQ(bytes(kMany + 1, {0, 5}), "");
  files_.remove(1);
  EXPECT_EQ(bytes(1, {0, 5}), "");
  EXPECT_FALSE(files_.sync(1));
  EXPECT_TRUE(files_.sync(2));
}

TEST_F(SegmentFilesTest, AreNotMissingWhenTheyCanNotBeOpened) {
  const std::string path = journal_path(path_, 1);
  {
    const Unopenable file(path);
    const auto read = files_.read(1, behind_head(1, 5));
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().explanation.find(path), std::string::npos) << read.error().explanation;
    EXPECT_TRUE(read.error().recoverable);
    EXPECT_FALSE(files_.erase(1, behind_head(1, 10)));
  }
  EXPECT_EQ(bytes(1, behind_head(1, 5)), "file ");
  EXPECT_TRUE(files_.erase(1, behind_head(1, 10)));
  EXPECT_EQ(content_of(path).find("file 1"), std::string::npos);
  fs::remove(journal_path(path_, 2));
  EXPECT_TRUE(files_.erase(2, behind_head(2, 10))) << "what is gone is erased";
}

TEST_F(SegmentFilesTest, AreReadWhereTheyCanNotBeWritten) {
  const std::string path = journal_path(path_, 1);
  fs::permissions(directory_.path(), fs::perms(0755));
  fs::permissions(path, fs::perms(0444));
  {
    const WithoutPrivileges unprivileged;
    const UniqueFd readable(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!readable) GTEST_SKIP() << "temporary files are not everybody's";
    EXPECT_EQ(bytes(1, behind_head(1, 5)), "file ");
    const auto erased = files_.erase(1, behind_head(1, 10));
    ASSERT_FALSE(erased);
    EXPECT_EQ(erased.error().explanation, "cannot erase in " + path + ": Permission denied");
    EXPECT_EQ(bytes(1, behind_head(1, 5)), "file ");
  }
  fs::permissions(path, fs::perms(0644));
  EXPECT_TRUE(files_.erase(1, behind_head(1, 10)));
  EXPECT_EQ(content_of(path).find("file 1"), std::string::npos);
}

TEST_F(SegmentFilesTest, KnowWhatAnErrorSays) {
  struct Case {
    int error;
    bool is_lost, is_read_only;
  };
  constexpr Case kTable[] = {
      {EIO, true, false},     {EUCLEAN, true, false}, {EBADMSG, true, false},
      {EROFS, false, true},   {EACCES, false, true},  {EPERM, false, true},
      {EMFILE, false, false}, {ENFILE, false, false}, {ENOMEM, false, false},
      {ENOENT, false, false}, {ELOOP, false, false},  {EISDIR, false, false},
  };
  for (const Case& row : kTable) {
    EXPECT_EQ(is_lost_by(row.error), row.is_lost) << row.error;
    EXPECT_EQ(may_be_read_only(row.error), row.is_read_only) << row.error;
  }
}

TEST_F(SegmentFilesTest, AreAsGoodAsEmptyWhereTheDiskHasLostTheirBeginning) {
  const std::string path = journal_path(path_, 1);
  {
    const Unreadable file(path);
    for (int time = 0; time < 2; ++time) EXPECT_EQ(bytes(1, behind_head(1, 5)), "");
    EXPECT_FALSE(files_.erase(1, behind_head(1, 10))) << "it may be another database's";
    EXPECT_EQ(bytes(2, behind_head(2, 6)), "file 2");
  }
  EXPECT_THAT(files_.take_lost(), testing::ElementsAre(testing::HasSubstr(path)));
  EXPECT_EQ(bytes(1, behind_head(1, 5)), "file ");
  EXPECT_THAT(files_.take_lost(), testing::IsEmpty());
}

// A file that is the memory of this process: it can be read where there is some.
TEST_F(SegmentFilesTest, LackWhatTheDiskHasLostAndNoMore) {
  constexpr std::uint32_t kPlace = 0x2000'0000;
  constexpr std::uint32_t kPage = 1u << 16;
  void* const page =
      ::mmap(reinterpret_cast<void*>(std::uintptr_t{kPlace}), kPage, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (page != reinterpret_cast<void*>(std::uintptr_t{kPlace})) GTEST_SKIP() << "no such memory";
  std::memcpy(page, "words", 5);
  files_.begun(kMany + 1, UniqueFd(::open("/proc/self/mem", O_RDWR | O_CLOEXEC)));
  EXPECT_EQ(bytes(kMany + 1, {0, 5}), "");
  EXPECT_EQ(bytes(kMany + 1, {kPlace, 5}), "words");
  EXPECT_EQ(bytes(kMany + 1, {kPlace - 5, 5}), "");
  EXPECT_EQ(files_.take_lost().size(), 1u) << "it is said once a file";
  ::munmap(page, kPage);
}

TEST_F(SegmentFilesTest, OfAnotherDatabaseAreNotRead) {
  std::ofstream(journal_path(path_, 1)) << journal_head("other", 1) << "words of somebody";
  std::ofstream(journal_path(path_, 2)) << content(3);
  for (const std::uint32_t number : {1u, 2u}) {
    EXPECT_EQ(bytes(number, {0, 10}), "");
    const std::string before = content_of(journal_path(path_, number));
    EXPECT_TRUE(files_.erase(number, {20, 10}));
    EXPECT_EQ(content_of(journal_path(path_, number)), before);
  }
}

// The loop appends until it knows: what it appended is at the path when it has ended the file.
TEST_F(SegmentFilesTest, HaveWhatIsAppendedWhileTheyArePutBack) {
  files_.written_from(1);
  files_.used(1);
  std::ofstream appending(journal_path(path_, 1), std::ios::app);
  fs::remove(journal_path(path_, 1));
  ASSERT_TRUE(files_.put_back());
  EXPECT_EQ(content_of(journal_path(path_, 1)), content(1));
  appending << ", appended" << std::flush;
  EXPECT_EQ(files_.moved(), 0u);
  EXPECT_EQ(bytes(1, behind_head(1, 100)), "file 1 and more, appended");
  ASSERT_TRUE(files_.erase(1, behind_head(1, 10)));
  files_.ended(1);
  EXPECT_EQ(content_of(journal_path(path_, 1)).substr(head(1).size() + 10), " more, appended");
  EXPECT_EQ(bytes(1, {behind_head(1, 0).offset + 10, 100}), " more, appended");
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
  EXPECT_EQ(content_of(journal_path(path_, 1)), content(1));
  EXPECT_EQ(content_of(journal_path(path_ + ".replaced", 1)), "of somebody");
}

}  // namespace
}  // namespace relay::storage
