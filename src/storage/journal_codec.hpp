// Writes as bytes of the journal, and back. Pure.
//
// An entry is its length, a checksum of what follows, and the writes of one batch with the order of
// the first of them; the others follow it by one each. A length of zero is the end. Numbers are
// stored as this machine has them: a journal is read by the next run on the same machine, never
// sent.
#pragma once

#include "storage/pending_writes.hpp"

#include <optional>
#include <span>
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
                               const SessionClose*>;

// The bytes that encode() needs.
std::size_t encoded_size(const EntryView& entry);

// Puts an entry into `place`, which has that size: first everything behind its length, then the
// length. Who is interrupted in between leaves no entry there, if the length was zero before.
void encode(const EntryView& entry, std::uint64_t order, std::span<char> place);

struct JournalEntry {
  std::uint64_t order = 0;    // of the first write
  std::vector<Write> writes;  // sessions by their ids
};

// Takes the first entry off `bytes`. Empty: there is none, or it is not whole; then `bytes` stays.
std::optional<JournalEntry> next_entry(std::string_view& bytes);

// What is left behind the last entry is the end, not an entry that was torn.
bool is_journal_end(std::string_view rest);

}  // namespace relay::storage
