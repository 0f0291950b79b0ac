#include "storage/journal_fold.hpp"

#include "storage/journal.hpp"
#include "storage/journal_codec.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::storage {
namespace {

// Of entries that are written in one transaction.
constexpr std::size_t kGroupWrites = 4'000;

struct Segment {
  std::string path;
  std::string bytes;
  std::size_t begin = 0;  // of the entries
};

// Where the entries begin; the end, when there are none: a relay may be killed before it has
// written the head of a new file, or of one that it uses again. Nothing: another database's.
std::optional<std::size_t> entries_of(std::string_view bytes, const std::string& instance,
                                      std::uint64_t number) {
  const std::string head = journal_head(instance, number);
  if (bytes.starts_with(head)) return head.size();
  const std::string own = head.substr(0, head.rfind(' ') + 1);
  const std::string_view begin = bytes.substr(0, std::min(bytes.size(), own.size()));
  const bool empty = begin.find_first_not_of('\0') == std::string_view::npos;
  return empty || own == begin ? std::optional(bytes.size()) : std::nullopt;
}

Result<std::vector<Segment>> read_segments(const std::string& database_path,
                                           const std::string& instance, const Logger& log) {
  std::vector<Segment> segments;
  for (const std::string& path : journal_segments(database_path)) {
    std::ifstream file(path, std::ios::binary);
    Segment segment{path, {std::istreambuf_iterator<char>(file), {}}};
    if (!file.is_open() || file.bad()) {
      return make_error(ErrorType::kInternalError,
                        "cannot read the journal " + path + ": " + std::strerror(errno))
          .suggest("make it readable for the relay's user: it holds what the database has not yet")
          .with("path", path);
    }
    const auto begin = entries_of(segment.bytes, instance, journal_number(path));
    if (!begin) {
      const std::string aside = path + ".foreign";
      std::error_code failure;
      std::filesystem::rename(path, aside, failure);
      log.warn("a journal beside the database is not its own, put aside",
               {{"path", path}, {"now", aside}});
      continue;
    }
    segment.begin = *begin;
    segments.push_back(std::move(segment));
  }
  return segments;
}

// Brings entries into the database in their order.
class Folding {
 public:
  explicit Folding(MessageStore& store) : store_(store) {}

  Result<void> take(JournalEntry entry) {
    for (Write& write : entry.writes) {
      const std::uint64_t order = entry.order++;
      // The database was ahead: it was written while the journal could not be.
      if (order <= store_.written_order()) continue;
      if (auto* message = std::get_if<MessageWrite>(&write)) {
        if (!is_missing(*message, order)) continue;
        ++messages_;
      }
      pending_.push(std::move(write), order);
    }
    return pending_.size() >= kGroupWrites ? commit() : Result<void>();
  }

  Result<void> commit() {
    if (pending_.empty()) return {};
    auto count = store_.write(pending_.entries());
    if (!count) return std::move(count.error());
    pending_.pop(pending_.size());
    return {};
  }

  std::uint64_t messages() const { return messages_; }

 private:
  // Messages of a session are committed in their order: what the database has, it has up to a
  // number.
  bool is_missing(const MessageWrite& write, std::uint64_t order) {
    const std::string& id = write.session.id;
    auto known = known_.find(id);
    if (known == known_.end()) known = known_.emplace(id, store_.known_up_to(id)).first;
    Sequence& last = known->second;
    const Sequence sequence = write.message.sequence;
    if (sequence <= last) return false;
    if (sequence > last + 1) {
      pending_.push(GapWrite{write.session, {last + 1, sequence - 1}}, order);
    }
    last = sequence;
    return true;
  }

  MessageStore& store_;
  std::map<std::string, Sequence> known_;
  PendingWrites pending_;
  std::uint64_t messages_ = 0;
};

}  // namespace

Result<void> fold_journal(const std::string& database_path, const std::string& instance,
                          MessageStore& store, const Logger& log) {
  const auto segments = read_segments(database_path, instance, log);
  if (!segments) return segments.error();
  Folding folding(store);
  for (const Segment& segment : *segments) {
    std::string_view bytes = std::string_view(segment.bytes).substr(segment.begin);
    while (auto entry = next_entry(bytes)) {
      auto taken = folding.take(std::move(*entry));
      if (!taken) return taken;
    }
    if (!is_journal_end(bytes)) {
      log.warn("the end of a journal is not whole, left out",
               {{"path", segment.path}, {"from", segment.bytes.size() - bytes.size()}});
    }
  }
  auto committed = folding.commit();
  if (!committed) return committed;
  store.forget_numbers();
  if (folding.messages() > 0) {
    log.info("messages of an earlier run were brought in from the journal",
             {{"messages", folding.messages()}});
  }
  for (const Segment& segment : *segments) ::unlink(segment.path.c_str());
  return {};
}

}  // namespace relay::storage
