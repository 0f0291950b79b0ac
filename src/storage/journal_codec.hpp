// Writes as bytes of the journal, and back. Pure.
//
// An entry is its length and a checksum of what follows (four bytes each, the lowest first), and
// the writes of one batch with the order of the first of them; the others follow it by one each. A
// length of zero is the end. An entry that was erased keeps its length, marked, and nothing else.
#pragma once

#include "storage/pending_writes.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relay::storage {

// A batch of one session's messages, with what it says of the session's progress.
struct MessageBatch {
  const SessionId& session;
  std::span<const MessageRecord> messages;
  const Progress& progress;
};
struct SessionGap {
  const SessionId& session;
  Gap gap;
};

// What an entry is made of, where it lies.
using EntryView = std::variant<MessageBatch, SessionGap, const SessionCreate*, const SessionChange*,
                               const SessionClose*, const AuditRecord*, const UseWrite*>;

// The bytes that encode() needs.
std::size_t encoded_size(const EntryView& entry);

// Puts an entry into `place`, which has that size: first everything behind its length, then the
// length. Who is interrupted in between leaves no entry there, if the length was zero before.
void encode(const EntryView& entry, std::uint64_t order, std::span<char> place);

struct JournalEntry {
  std::uint64_t order = 0;    // of the first write
  std::vector<Write> writes;  // sessions by their ids, messages without their place
  std::size_t size = 0;
  bool is_damaged = false;
};

// Takes the first entry off `bytes`; one that was erased or is damaged has no writes. Nothing:
// there is none that ends within `bytes`, which then stay.
std::optional<JournalEntry> next_entry(std::string_view& bytes);

// What is left behind the last entry is the end, not an entry that was torn.
bool is_journal_end(std::string_view rest);

// Gives `take` the messages of entries that lie side by side, in order, those with the number
// `from` and higher, until it answers false. Those of erased and damaged ones are missing.
void read_messages(std::string_view entries, Sequence from,
                   const std::function<bool(MessageRecord)>& take);

// What stands in the place of `size` bytes of entries that were erased: its head, which is written
// at their begin; what is behind it counts no more.
std::string erased_head(std::size_t size);

}  // namespace relay::storage
