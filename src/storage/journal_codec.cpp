#include "storage/journal_codec.hpp"

#include "storage/entry_bytes.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

// The functions themselves, so that nothing is linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace relay::storage {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie here");

enum class Kind : std::uint8_t { kMessages, kCreate, kChange, kClose, kGap, kAudit, kUse };

// Length and checksum.
using Head = std::array<std::uint32_t, 2>;
constexpr std::size_t kHead = sizeof(Head);
constexpr std::uint32_t kErased = 0x80000000;

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

std::uint8_t flags_of(const MessageRecord& message) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(message.origin) |
                                   static_cast<unsigned>(message.kind) << 2 |
                                   static_cast<unsigned>(message.to_client) << 4);
}

// A message where it lies in an entry.
struct MessageView {
  Sequence sequence = 0;
  Origin origin = Origin::kAgent;
  MessageKind kind = MessageKind::kNotification;
  bool to_client = false;
  std::int64_t call = 0;
  std::string_view method, rpc_id, peer_id, body;
  WallTime time;
};

MessageRecord record_of(const MessageView& view) {
  MessageRecord message;
  message.sequence = view.sequence;
  message.origin = view.origin;
  message.kind = view.kind;
  message.to_client = view.to_client;
  message.method = view.method;
  message.rpc_id = view.rpc_id;
  message.body = SharedBytes(std::string(view.body));
  message.time = view.time;
  message.call = view.call;
  message.peer_id = view.peer_id;
  return message;
}

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
  entry.byte(record.closed_at.has_value());
  entry.time(record.closed_at.value_or(WallTime()));
  entry.text(record.cause);
  entry.number(record.last_sequence);
  entry.text(record.image);
  entry.text(record.image_id);
}

SessionRecord read_record(EntryReader& entry) {
  SessionRecord record;
  record.id = SessionId(std::string(entry.text()));
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
  const bool closed = entry.byte() != 0;
  const WallTime closed_at = entry.time();
  if (closed) record.closed_at = closed_at;
  record.cause = entry.text();
  record.last_sequence = entry.number<Sequence>();
  if (entry.at_end()) return record;  // of an earlier version
  record.image = entry.text();
  record.image_id = entry.text();
  return record;
}

template <class Sink>
void write_message(EntryWriter<Sink>& entry, const MessageRecord& message) {
  entry.byte(flags_of(message));
  entry.text(message.method);
  entry.text(message.rpc_id);
  entry.number(message.call);
  entry.text(message.peer_id);
  entry.time(message.time);
  entry.text(message.body.view());
}

MessageView read_message(EntryReader& entry, Sequence sequence) {
  MessageView message;
  const unsigned flags = entry.byte();
  message.sequence = sequence;
  message.origin = static_cast<Origin>(flags & 3);
  message.kind = static_cast<MessageKind>(flags >> 2 & 3);
  message.to_client = (flags >> 4 & 1) != 0;
  message.method = entry.text();
  message.rpc_id = entry.text();
  message.call = entry.number<std::int64_t>();
  message.peer_id = entry.text();
  message.time = entry.time();
  message.body = entry.text();
  return message;
}

// The part of a batch before its messages.
struct BatchHead {
  std::string_view session;
  Progress progress;
  Sequence first = 0;
};

BatchHead read_batch_head(EntryReader& entry) {
  BatchHead head;
  head.session = entry.text();
  head.progress.output.bytes = entry.number<std::uint64_t>();
  head.progress.output.first_line = entry.number<std::uint64_t>();
  head.progress.output.last_line = entry.number<std::uint64_t>();
  head.progress.input = entry.number<Sequence>();
  head.progress.prompt = entry.number<std::int64_t>();
  head.first = entry.number<Sequence>();
  return head;
}

void read_batch(EntryReader& entry, std::vector<Write>& writes) {
  const BatchHead head = read_batch_head(entry);
  const SessionKey key{0, std::string(head.session)};
  BatchSummary summary;
  for (Sequence next = head.first; entry.ok() && !entry.at_end(); ++next) {
    const MessageView message = read_message(entry, next);
    if (entry.ok()) summary.add(message);
  }
  if (summary.count() > 0) writes.emplace_back(MessagesWrite{key, std::move(summary), {}, {}});
  if (head.progress.any()) writes.emplace_back(ProgressWrite{key, head.progress});
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const MessageBatch& batch) {
  entry.text(batch.session.value());
  entry.number(std::uint64_t{batch.progress.output.bytes});
  entry.number(std::uint64_t{batch.progress.output.first_line});
  entry.number(std::uint64_t{batch.progress.output.last_line});
  entry.number(batch.progress.input);
  entry.number(batch.progress.prompt);
  entry.number(batch.messages.empty() ? Sequence{0} : batch.messages.front().sequence);
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

template <class Sink>
void write(EntryWriter<Sink>& entry, const AuditRecord* record) {
  entry.time(record->time);
  entry.text(record->session.value());
  entry.text(record->action);
  entry.text(record->detail);
  entry.text(record->actor.principal);
  entry.text(record->actor.transport);
  entry.text(record->actor.peer);
}

template <class Sink>
void write(EntryWriter<Sink>& entry, const UseWrite* use) {
  entry.text(use->id.value());
  entry.text(use->upstream_use);
}

AuditRecord read_audit(EntryReader& entry) {
  AuditRecord record;
  record.time = entry.time();
  record.session = SessionId(std::string(entry.text()));
  record.action = entry.text();
  record.detail = entry.text();
  record.actor.principal = entry.text();
  record.actor.transport = entry.text();
  record.actor.peer = entry.text();
  return record;
}

constexpr Kind kind_of(const MessageBatch&) { return Kind::kMessages; }
constexpr Kind kind_of(const SessionGap&) { return Kind::kGap; }
constexpr Kind kind_of(const SessionCreate*) { return Kind::kCreate; }
constexpr Kind kind_of(const SessionChange*) { return Kind::kChange; }
constexpr Kind kind_of(const SessionClose*) { return Kind::kClose; }
constexpr Kind kind_of(const AuditRecord*) { return Kind::kAudit; }
constexpr Kind kind_of(const UseWrite*) { return Kind::kUse; }

template <class Sink>
void write_payload(Sink& sink, std::uint64_t order, const EntryView& view) {
  EntryWriter<Sink> entry(sink);
  std::visit(
      [&](const auto& content) {
        entry.byte(static_cast<std::uint8_t>(kind_of(content)));
        entry.fixed(order);
        write(entry, content);
      },
      view);
}

struct Payload {
  std::string_view bytes;  // empty when the entry was erased or is damaged
  bool is_damaged = false;
};

// What is behind the head of the first entry. Nothing: there is no entry of this length.
std::optional<Payload> take_payload(std::string_view& bytes) {
  if (bytes.size() < kHead) return std::nullopt;
  Head head;
  std::memcpy(head.data(), bytes.data(), kHead);
  const std::uint32_t length = head[0] & ~kErased;
  if (head[0] == 0 || length > bytes.size() - kHead) return std::nullopt;
  const std::string_view payload = bytes.substr(kHead, length);
  bytes.remove_prefix(kHead + length);
  if ((head[0] & kErased) != 0) return Payload();
  if (checksum(payload) != head[1]) return Payload{{}, true};
  return Payload{payload};
}

void read_writes(EntryReader& entry, Kind kind, std::vector<Write>& writes) {
  switch (kind) {
    case Kind::kMessages:
      read_batch(entry, writes);
      break;
    case Kind::kCreate: {
      const auto number = entry.number<std::int64_t>();
      writes.emplace_back(
          std::make_unique<SessionCreate>(SessionCreate{number, read_record(entry)}));
      break;
    }
    case Kind::kChange:
      writes.emplace_back(std::make_unique<SessionChange>(SessionChange{read_record(entry)}));
      break;
    case Kind::kClose: {
      SessionId id{std::string(entry.text())};
      std::string cause{entry.text()};
      const WallTime at = entry.time();
      writes.emplace_back(
          std::make_unique<SessionClose>(SessionClose{std::move(id), std::move(cause), at}));
      break;
    }
    case Kind::kGap: {
      SessionKey key{0, std::string(entry.text())};
      const auto from = entry.number<Sequence>();
      const auto to = entry.number<Sequence>();
      writes.emplace_back(GapWrite{std::move(key), {from, to}});
      break;
    }
    case Kind::kAudit:
      writes.emplace_back(std::make_unique<AuditWrite>(AuditWrite{read_audit(entry)}));
      break;
    case Kind::kUse: {
      SessionId id{std::string(entry.text())};
      std::string use{entry.text()};
      writes.emplace_back(std::make_unique<UseWrite>(UseWrite{std::move(id), std::move(use)}));
      break;
    }
  }
}

}  // namespace

std::size_t encoded_size(const EntryView& entry) {
  ByteCounter counter;
  write_payload(counter, 0, entry);
  return kHead + counter.size();
}

void encode(const EntryView& entry, std::uint64_t order, std::span<char> place) {
  const std::span<char> payload = place.subspan(kHead);
  ByteCopier copier(payload.data());
  write_payload(copier, order, entry);
  const std::uint32_t sum = checksum({payload.data(), payload.size()});
  std::memcpy(place.data() + sizeof(std::uint32_t), &sum, sizeof sum);
  // A process that is killed has done what it did in this order, if the compiler keeps it.
  std::atomic_signal_fence(std::memory_order_release);
  const auto length = static_cast<std::uint32_t>(payload.size());
  std::memcpy(place.data(), &length, sizeof length);
}

bool is_journal_end(std::string_view rest) {
  return std::ranges::all_of(rest.substr(0, sizeof(std::uint32_t)),
                             [](char byte) { return byte == 0; });
}

std::optional<JournalEntry> next_entry(std::string_view& bytes) {
  std::string_view rest = bytes;
  const auto payload = take_payload(rest);
  if (!payload) return std::nullopt;
  JournalEntry result;
  result.size = bytes.size() - rest.size();
  result.is_damaged = payload->is_damaged;
  if (!payload->bytes.empty()) {
    EntryReader entry(payload->bytes);
    const unsigned kind = entry.byte();
    result.order = entry.fixed();
    if (kind > static_cast<unsigned>(Kind::kUse)) return std::nullopt;
    read_writes(entry, static_cast<Kind>(kind), result.writes);
    if (!entry.ok()) return std::nullopt;
  }
  bytes = rest;
  return result;
}

void read_messages(std::string_view entries, Sequence from,
                   const std::function<bool(MessageRecord)>& take) {
  while (const auto payload = take_payload(entries)) {
    EntryReader entry(payload->bytes);
    if (payload->bytes.empty() || static_cast<Kind>(entry.byte()) != Kind::kMessages) continue;
    entry.fixed();  // the order
    for (Sequence next = read_batch_head(entry).first; !entry.at_end(); ++next) {
      const MessageView message = read_message(entry, next);
      if (!entry.ok()) break;
      if (next >= from && !take(record_of(message))) return;
    }
  }
}

std::string erased_head(std::size_t size) {
  const Head head{static_cast<std::uint32_t>(size - kHead) | kErased, 0};
  std::string bytes(kHead, '\0');
  std::memcpy(bytes.data(), head.data(), kHead);
  return bytes;
}

}  // namespace relay::storage
