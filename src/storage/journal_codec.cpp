#include "storage/journal_codec.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

// The functions themselves, so that nothing is linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace relay::storage {
namespace {

enum class Kind : std::uint8_t { kMessages, kCreate, kChange, kClose, kGap };

using Length = std::uint32_t;
constexpr std::size_t kHead = sizeof(Length) + sizeof(std::uint32_t);

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

// Where the parts of an entry go: counted, or copied to a place that has their size.
class Counter {
 public:
  void bytes(const void*, std::size_t size) { size_ += size; }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};
class Copier {
 public:
  explicit Copier(char* place) : place_(place) {}
  void bytes(const void* from, std::size_t size) {
    if (size > 0) std::memcpy(place_, from, size);
    place_ += size;
  }

 private:
  char* place_;
};

template <class Sink>
class EntryWriter {
 public:
  explicit EntryWriter(Sink& sink) : sink_(sink) {}

  template <class Number>
    requires std::is_integral_v<Number>
  void number(Number value) {
    sink_.bytes(&value, sizeof value);
  }
  void kind(Kind value) { number(static_cast<std::uint8_t>(value)); }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    sink_.bytes(value.data(), value.size());
  }
  void time(WallTime value) { number(std::int64_t{value.time_since_epoch().count()}); }

 private:
  Sink& sink_;
};

// Reads what EntryWriter wrote; past the end everything is empty and ok() is false.
class EntryReader {
 public:
  explicit EntryReader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number number() {
    Number value{};
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint32_t>();
    if (size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    std::string value(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return value;
  }
  WallTime time() { return WallTime(std::chrono::milliseconds(number<std::int64_t>())); }
  SessionKey key() { return {0, text()}; }

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

template <class Sink>
void write_record(EntryWriter<Sink>& entry, const SessionRecord& record) {
  entry.text(record.id.value());
  entry.text(record.agent_session_id);
  entry.text(record.owner);
  entry.text(record.working_directory);
  entry.text(record.isolation);
  entry.text(record.title);
  entry.text(record.agent);
  entry.text(record.agent_profile);
  entry.text(record.agent_settings);
  entry.time(record.created_at);
  entry.time(record.updated_at);
  entry.number(std::uint8_t{record.closed_at.has_value()});
  entry.time(record.closed_at.value_or(WallTime()));
  entry.text(record.cause);
  entry.number(record.last_sequence);
}

SessionRecord read_record(EntryReader& entry) {
  SessionRecord record;
  record.id = SessionId(entry.text());
  record.agent_session_id = entry.text();
  record.owner = entry.text();
  record.working_directory = entry.text();
  record.isolation = entry.text();
  record.title = entry.text();
  record.agent = entry.text();
  record.agent_profile = entry.text();
  record.agent_settings = entry.text();
  record.created_at = entry.time();
  record.updated_at = entry.time();
  const bool closed = entry.number<std::uint8_t>() != 0;
  const WallTime closed_at = entry.time();
  if (closed) record.closed_at = closed_at;
  record.cause = entry.text();
  record.last_sequence = entry.number<Sequence>();
  return record;
}

template <class Sink>
void write_message(EntryWriter<Sink>& entry, const MessageRecord& message) {
  entry.number(message.sequence);
  entry.number(static_cast<std::uint8_t>(message.origin));
  entry.number(static_cast<std::uint8_t>(message.kind));
  entry.number(std::uint8_t{message.to_client});
  entry.text(message.method);
  entry.text(message.rpc_id);
  entry.number(message.call);
  entry.text(message.peer_id);
  entry.time(message.time);
  entry.text(message.body.view());
}

MessageRecord read_message(EntryReader& entry) {
  MessageRecord message;
  message.sequence = entry.number<Sequence>();
  message.origin = static_cast<Origin>(entry.number<std::uint8_t>());
  message.kind = static_cast<MessageKind>(entry.number<std::uint8_t>());
  message.to_client = entry.number<std::uint8_t>() != 0;
  message.method = entry.text();
  message.rpc_id = entry.text();
  message.call = entry.number<std::int64_t>();
  message.peer_id = entry.text();
  message.time = entry.time();
  message.body = SharedBytes(entry.text());
  return message;
}

void read_messages(EntryReader& entry, std::vector<Write>& writes) {
  const SessionKey key = entry.key();
  ProgressWrite progress{key, {}};
  progress.progress.output.bytes = entry.number<std::uint64_t>();
  progress.progress.output.first_line = entry.number<std::uint64_t>();
  progress.progress.output.last_line = entry.number<std::uint64_t>();
  progress.progress.input = entry.number<Sequence>();
  progress.progress.prompt = entry.number<std::int64_t>();
  while (entry.ok() && !entry.at_end()) {
    MessageRecord message = read_message(entry);
    if (entry.ok()) writes.emplace_back(MessageWrite{key, std::move(message)});
  }
  if (progress.progress.any()) writes.emplace_back(std::move(progress));
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const MessageBatch& batch) {
  entry.text(batch.session.value());
  entry.number(batch.progress.output.bytes);
  entry.number(batch.progress.output.first_line);
  entry.number(batch.progress.output.last_line);
  entry.number(batch.progress.input);
  entry.number(batch.progress.prompt);
  for (const MessageRecord& message : batch.messages) write_message(entry, message);
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const SessionGap& gap) {
  entry.text(gap.session.value());
  entry.number(gap.gap.from);
  entry.number(gap.gap.to);
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const SessionCreate* create) {
  entry.number(create->number);
  write_record(entry, create->record);
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const SessionChange* change) {
  write_record(entry, change->record);
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const SessionClose* close) {
  entry.text(close->id.value());
  entry.text(close->cause);
  entry.time(close->at);
}

constexpr Kind kind_of(const MessageBatch&) { return Kind::kMessages; }
constexpr Kind kind_of(const SessionGap&) { return Kind::kGap; }
constexpr Kind kind_of(const SessionCreate*) { return Kind::kCreate; }
constexpr Kind kind_of(const SessionChange*) { return Kind::kChange; }
constexpr Kind kind_of(const SessionClose*) { return Kind::kClose; }

template <class Sink>
void write_payload(Sink& sink, std::uint64_t order, const EntryView& view) {
  std::visit(
      [&](const auto& content) {
        EntryWriter<Sink> entry(sink);
        entry.kind(kind_of(content));
        entry.number(order);
        write(entry, content);
      },
      view);
}

}  // namespace

std::size_t encoded_size(const EntryView& entry) {
  Counter counter;
  write_payload(counter, 0, entry);
  return kHead + counter.size();
}

void encode(const EntryView& entry, std::uint64_t order, std::span<char> place) {
  const std::span<char> payload = place.subspan(kHead);
  Copier copier(payload.data());
  write_payload(copier, order, entry);
  const std::uint32_t sum = checksum({payload.data(), payload.size()});
  std::memcpy(place.data() + sizeof(Length), &sum, sizeof sum);
  // A process that is killed has done what it did in this order, if the compiler keeps it.
  std::atomic_signal_fence(std::memory_order_release);
  const auto length = static_cast<Length>(payload.size());
  std::memcpy(place.data(), &length, sizeof length);
}

bool is_journal_end(std::string_view rest) {
  return std::ranges::all_of(rest.substr(0, sizeof(Length)), [](char byte) { return byte == 0; });
}

std::optional<JournalEntry> next_entry(std::string_view& bytes) {
  if (bytes.size() < kHead) return std::nullopt;
  std::uint32_t head[2];
  std::memcpy(head, bytes.data(), kHead);
  if (head[0] == 0 || head[0] > bytes.size() - kHead) return std::nullopt;
  const std::string_view payload = bytes.substr(kHead, head[0]);
  if (checksum(payload) != head[1]) return std::nullopt;

  JournalEntry result;
  EntryReader entry(payload);
  const auto kind = static_cast<Kind>(entry.number<std::uint8_t>());
  result.order = entry.number<std::uint64_t>();
  switch (kind) {
    case Kind::kMessages:
      read_messages(entry, result.writes);
      break;
    case Kind::kCreate: {
      const auto number = entry.number<std::int64_t>();
      result.writes.emplace_back(
          std::make_unique<SessionCreate>(SessionCreate{number, read_record(entry)}));
      break;
    }
    case Kind::kChange:
      result.writes.emplace_back(
          std::make_unique<SessionChange>(SessionChange{read_record(entry)}));
      break;
    case Kind::kClose: {
      SessionId id(entry.text());
      std::string cause = entry.text();
      const WallTime at = entry.time();
      result.writes.emplace_back(
          std::make_unique<SessionClose>(SessionClose{std::move(id), std::move(cause), at}));
      break;
    }
    case Kind::kGap: {
      SessionKey key = entry.key();
      const auto from = entry.number<Sequence>();
      const auto to = entry.number<Sequence>();
      result.writes.emplace_back(GapWrite{std::move(key), {from, to}});
      break;
    }
    default:
      return std::nullopt;
  }
  if (!entry.ok()) return std::nullopt;
  bytes.remove_prefix(kHead + head[0]);
  return result;
}

}  // namespace relay::storage
