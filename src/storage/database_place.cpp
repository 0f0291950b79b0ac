#include "storage/database_place.hpp"

#include "storage/database_file.hpp"
#include "storage/journal.hpp"
#include "storage/open_database.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

namespace relay::storage {
namespace {

Error not_put_back(const std::string& path, int error) {
  return make_error(ErrorType::kInternalError,
                    "cannot write " + path + ": " + std::generic_category().message(error))
      .suggest("make room on the disk of database.path, in a directory that the relay may write")
      .with("path", path);
}

}  // namespace

DatabasePlace::DatabasePlace(std::string path, std::string instance, Durability durability,
                             UniqueFd lock)
    : path_(std::move(path)),
      instance_(std::move(instance)),
      durability_(durability),
      lock_(std::move(lock)) {
  remember();
}

DatabasePlace::Identity DatabasePlace::identity_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair<unsigned long, unsigned long>(status.st_dev, status.st_ino);
}

void DatabasePlace::remember() {
  for (std::size_t file = 0; file < files_.size(); ++file) {
    files_[file] = identity_of(path_ + kSuffixes[file]);
  }
  placed_.reset();
  copied_ = false;
}

std::string DatabasePlace::moved() const {
  for (std::size_t file = 0; file < files_.size(); ++file) {
    const std::string path = path_ + kSuffixes[file];
    if (files_[file] && identity_of(path) != files_[file]) return path;
  }
  return {};
}

std::uint64_t DatabasePlace::wal_bytes() const {
  struct stat wal {};
  return ::stat((path_ + "-wal").c_str(), &wal) == 0 ? static_cast<std::uint64_t>(wal.st_size) : 0;
}

std::int64_t DatabasePlace::disk_free_bytes() const {
  struct statvfs disk {};
  const std::filesystem::path directory = std::filesystem::path(path_).parent_path();
  if (::statvfs(directory.empty() ? "." : directory.c_str(), &disk) != 0) return -1;
  return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

void DatabasePlace::is_back() {
  if (copied_) ::unlink(copy_path().c_str());
  copied_ = false;
}

Result<std::unique_ptr<MessageStore>> DatabasePlace::restore(MessageStore& store) {
  const Identity there = identity_of(path_);
  if (!placed_ || there != placed_) {
    if (!copied_) {
      auto made = copy(store);
      if (!made) return std::move(made.error());
    }
    // Not of its own file: closing a descriptor of that would give up SQLite's locks.
    if (there != files_[0]) {
      auto usable = check_database_file(path_);
      if (!usable) return blocked(std::move(usable.error()));
    }
    auto locked = hold_lock();
    if (!locked) return blocked(std::move(locked.error()));
    auto cleared = clear();
    if (!cleared) return blocked(std::move(cleared.error()));
    if (::rename(copy_path().c_str(), path_.c_str()) != 0) {
      copied_ = false;  // it may be gone, too
      return not_put_back(path_, errno);
    }
    copied_ = false;
    placed_ = identity_of(path_);
  }
  auto database = open_database(path_, durability_);
  if (!database) return std::move(database.error());
  auto restored = MessageStore::make(std::move(*database), path_, durability_);
  if (!restored) return explained(std::move(restored.error()), path_);
  (*restored)->go_on_from(store);
  remember();
  return restored;
}

Result<void> DatabasePlace::copy(MessageStore& store) {
  const std::string path = copy_path();
  ::unlink(path.c_str());
  auto writable = make_writable_file(path);
  if (!writable) return writable;
  auto copied = store.copy_to(path);
  if (!copied) {
    ::unlink(path.c_str());
    return explained(std::move(copied.error()).suggest("make room on the disk of database.path"),
                     path);
  }
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return not_put_back(path, errno);
  copied_ = true;
  return {};
}

// The file of the lock may have gone with the others, and a second relay may use the path.
Result<void> DatabasePlace::hold_lock() {
  struct stat held {};
  const Identity there = identity_of(path_ + ".lock");
  if (there && ::fstat(lock_.get(), &held) == 0 && there->first == held.st_dev &&
      there->second == held.st_ino) {
    return {};
  }
  auto locked = lock_database(path_);
  if (!locked) return std::move(locked.error());
  lock_ = std::move(*locked);
  return {};
}

// What is of the database's own goes, for the copy has it; what is not is moved aside.
Result<void> DatabasePlace::clear() {
  for (std::size_t file = 0; file < files_.size(); ++file) {
    const std::string path = path_ + kSuffixes[file];
    const Identity there = identity_of(path);
    if (!there) continue;
    if (there == files_[file]) {
      if (file > 0) ::unlink(path.c_str());  // the copy replaces the database itself
      continue;
    }
    const std::string aside = path_ + ".replaced" + kSuffixes[file];
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) != 0) {
      return make_error(ErrorType::kInternalError, "cannot move " + path + " to " + aside + ": " +
                                                       std::generic_category().message(errno))
          .suggest("move both away")
          .with("path", path);
    }
  }
  move_journal_aside();
  return {};
}

// What has no head yet is being made, by the loop. What can't be moved is put aside by the next
// start.
void DatabasePlace::move_journal_aside() const {
  const auto numbers = journal_segments(path_);
  if (!numbers) return;
  for (const std::uint32_t number : *numbers) {
    const std::string path = journal_path(path_, number);
    const std::string head = journal_head(instance_, number);
    std::string begin(head.size(), '\0');
    std::ifstream(path, std::ios::binary).read(begin.data(), std::ssize(begin));
    if (begin == head || begin.find_first_not_of('\0') == std::string::npos) continue;
    const std::string aside = journal_path(path_ + ".replaced", number);
    ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE);
  }
}

Error DatabasePlace::blocked(Error error) const {
  error.explanation += "; all that the relay's own database had is in " + copy_path();
  return error;
}

}  // namespace relay::storage
