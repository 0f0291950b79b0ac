// Messages where they lie: in the journal, or with their run.
#include "storage/journal_codec.hpp"
#include "storage/store_statements.hpp"

#include <algorithm>

namespace relay::storage {

MessageStore::RunMessages MessageStore::messages_of(const Statement& row, Sequence from) {
  RunMessages messages;
  messages.first = std::max(row.column_number(0), from);
  messages.last = row.column_number(1);
  messages.segment = static_cast<std::uint32_t>(row.column_number(2));
  messages.entries = row.column_view(3);
  if (messages.segment != 0) messages.extents = unpacked(messages.entries);
  return messages;
}

MessageStore::RunMessages MessageStore::messages_of(const MessagesWrite& held, Sequence from) {
  RunMessages messages;
  messages.first = std::max(held.summary.first, from);
  messages.last = held.summary.last;
  messages.segment = held.place.segment;
  messages.entries = held.entry;
  if (messages.segment != 0) messages.extents.push_back({held.place.offset, held.place.size});
  return messages;
}

Result<void> MessageStore::read(const RunMessages& messages, std::vector<Gap>& gaps,
                                const std::function<bool(MessageRecord)>& take) {
  Sequence next = messages.first;
  bool enough = false;
  const auto read = [&](std::string_view entries) {
    read_messages(entries, next, [&](MessageRecord message) {
      const Sequence sequence = message.sequence;
      if (sequence > messages.last) return false;
      if (sequence > next) add_gap(gaps, {next, sequence - 1});
      next = sequence + 1;
      enough = !take(std::move(message));
      return !enough;
    });
  };
  if (messages.segment == 0) read(messages.entries);
  for (const Extent extent : messages.extents) {
    if (enough || next > messages.last) return {};
    const auto entries = files_.read(messages.segment, extent);
    if (!entries) return entries.error();
    read(*entries);
  }
  if (!enough && next <= messages.last) add_gap(gaps, {next, messages.last});
  return {};
}

Result<std::optional<MessageRecord>> MessageStore::message_at(std::int64_t session,
                                                              Sequence sequence) {
  std::optional<MessageRecord> found;
  Statement& runs = statements_->runs_from;
  const ResetAtExit reset(runs);
  const Step step = runs.bind(1, session).bind(2, sequence).step();
  if (step == Step::kFailed) return failure("cannot read a message");
  if (step == Step::kDone) return found;
  std::vector<Gap> gaps;
  const auto is_read = read(messages_of(runs, sequence), gaps, [&](MessageRecord message) {
    if (message.sequence == sequence) found = std::move(message);
    return false;
  });
  if (!is_read) return is_read.error();
  return found;
}

}  // namespace relay::storage
