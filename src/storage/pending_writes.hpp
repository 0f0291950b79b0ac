// What is to be written, in order, with a bound: values only, no thread and no database.
//
// When memory runs out the oldest messages are given up, those first that are not in the journal;
// their sequence numbers become gaps, which are written in their place and say what is to be erased
// in the journal. What is known of sessions is never given up, only its outdated states. Rows of
// the audit trail go last.
#pragma once

#include "storage/batch_summary.hpp"
#include "storage/gap.hpp"
#include "storage/journal_segment.hpp"
#include "storage/records.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relay::storage {

// A session by the number of its row, or by its id while the number is 0.
struct SessionKey {
  std::int64_t number = 0;
  std::string id;
  auto operator<=>(const SessionKey&) const = default;
};

// Where an entry lies in the journal.
struct EntryPlace {
  std::uint32_t segment = 0;  // the number of the file; 0: the entry is not in the journal
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// Messages of a session that were recorded together.
struct MessagesWrite {
  SessionKey session;
  BatchSummary summary;
  EntryPlace place;
  std::string entry;  // what would be at the place
};
struct GapWrite {
  SessionKey session;
  Gap gap;
  // Entries whose messages were given up, of this session or others: nothing leads to them any
  // more.
  std::vector<EntryPlace> places = {};
};
struct ProgressWrite {
  SessionKey session;
  Progress progress;
};
// What is said of a session has the place of its entry, too: it goes with the session. Behind it
// are the places of what was outdated while it waited; where it is not in the journal itself, the
// first of these is taken for its own, and stays until the next one.
struct SessionCreate {
  std::int64_t number = 0;
  SessionRecord record;
  std::vector<EntryPlace> places = {};
};
struct SessionChange {
  SessionRecord record;
  std::vector<EntryPlace> places = {};
};
struct SessionClose {
  SessionId id;
  std::string cause;
  WallTime at;
  std::int64_t number = 0;  // under which its messages were recorded; 0: unknown
  std::vector<EntryPlace> places = {};
};
struct UseWrite {
  SessionId id;
  std::string upstream_use;
  std::vector<EntryPlace> places = {};
};
struct AuditWrite {
  AuditRecord record;
  EntryPlace place = {};  // its bytes go with the row
};
// All writes before it are in this file of the journal or an earlier one.
struct SegmentEnd {
  JournalSegment segment;
};

// Messages are nearly all there is: the rarer and larger alternatives lie apart to keep entries
// small.
using Write = std::variant<MessagesWrite, GapWrite, ProgressWrite, std::unique_ptr<SessionCreate>,
                           std::unique_ptr<SessionChange>, std::unique_ptr<SessionClose>,
                           std::unique_ptr<SegmentEnd>, std::unique_ptr<AuditWrite>,
                           std::unique_ptr<UseWrite>>;

// Notes where the entry lies that `write` is of.
void set_place(Write& write, EntryPlace place);

// Memory that a write holds, approximately.
std::size_t cost(const Write& write);

class PendingWrites {
 public:
  struct Entry {
    Write write;
    std::uint64_t order = 0;  // ascending
  };

  void push(Write write, std::uint64_t order);
  // Moves everything of `other` behind what is here.
  void take(PendingWrites& other);
  void pop(std::size_t count);

  bool empty() const { return first_ == entries_.size(); }
  std::size_t size() const { return entries_.size() - first_; }
  std::size_t bytes() const { return bytes_; }                  // of memory
  std::size_t journal_bytes() const { return journal_bytes_; }  // of their entries there
  std::span<const Entry> entries() const { return std::span(entries_).subspan(first_); }

  // The first entries, as many as `max_rows` and `max_bytes` allow, at least one. With messages
  // goes how far the agent has come with them.
  std::span<const Entry> group(std::size_t max_rows, std::size_t max_bytes) const;

  // Gives up the oldest messages until at most `limit` bytes are held (somewhat less, when anything
  // has to go). Answers how many messages, and rows of the audit trail, were given up.
  std::uint64_t give_up(std::size_t limit);

 private:
  std::uint64_t give_up_messages(std::size_t target, bool in_journal_too);
  void drop_outdated_changes();
  std::uint64_t give_up_audit(std::size_t target);

  std::vector<Entry> entries_;
  std::size_t first_ = 0;  // entries before it are gone
  std::size_t bytes_ = 0;
  std::size_t journal_bytes_ = 0;
};

}  // namespace relay::storage
