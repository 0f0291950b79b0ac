// The place of an open database's files, and the way back to it when somebody deletes or replaces
// one of them under the running relay. What is written then goes into a file that nobody can open
// any more: the connection still has everything, so a copy of it is put at the path.
//
// Owns the lock on the path. Used by one thread.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "storage/message_store.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace relay::storage {

class DatabasePlace {
 public:
  // The database is open: what is at the path now are its files.
  // `instance` is the database's own: files of a journal that name another one are not its.
  DatabasePlace(std::string path, std::string instance, Durability durability, UniqueFd lock);

  // The first of the files (database, -wal, -shm) that is gone or is another one; empty: none.
  std::string moved() const;
  // On the disk of the database, for the relay's user; -1: not known.
  std::int64_t disk_free_bytes() const;
  // All of them are where they were again.
  void is_back();

  // Puts all that `store` has at the path, and opens it there. `store` has to be left() then.
  //
  // A database of a relay that is there is moved aside with its journal, to `<path>.replaced`.
  // Errors, after which `store` must not be written and it may be tried again: what is there would
  // be refused at a start, too; another relay uses the path; there is no room for the copy. The
  // copy is at
  // `<path>.restored` as long as its way is blocked.
  Result<std::unique_ptr<MessageStore>> restore(MessageStore& store);

  // Size of the write-ahead log.
  std::uint64_t wal_bytes() const;

  const std::string& path() const { return path_; }

 private:
  using Identity = std::optional<std::pair<unsigned long, unsigned long>>;  // device, inode
  static constexpr std::array kSuffixes = {"", "-wal", "-shm"};

  static Identity identity_of(const std::string& path);
  std::string copy_path() const { return path_ + ".restored"; }
  void remember();
  Result<void> copy(MessageStore& store);
  Result<void> hold_lock();
  Result<void> clear();
  void move_journal_aside() const;
  Error blocked(Error error) const;

  const std::string path_;
  const std::string instance_;
  const Durability durability_;
  UniqueFd lock_;
  std::array<Identity, kSuffixes.size()> files_;
  bool copied_ = false;
  Identity placed_;  // the copy, when it is at the path but could not be opened yet
};

}  // namespace relay::storage
