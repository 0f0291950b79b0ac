#include "storage/journal_fold.hpp"

#include "storage/journal.hpp"
#include "storage/journal_codec.hpp"
#include "storage/segment_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace relay::storage {
namespace {

// Of entries that are written in one transaction.
constexpr std::size_t kGroupWrites = 4'000;
constexpr std::size_t kReadAtOnce = 1u << 20;

struct Segment {
  std::uint32_t number;
  std::string path;
  std::string bytes;
  std::size_t begin = 0;  // of the entries that are looked at
};

// Where the entries begin; the end, when there are none: a relay may be killed before it has
// written the head of a new file. Nothing: another database's.
std::optional<std::size_t> entries_of(std::string_view bytes, const std::string& instance,
                                      std::uint32_t number) {
  const std::string head = journal_head(instance, number);
  if (bytes.starts_with(head)) return head.size();
  const std::string_view begin = bytes.substr(0, std::min(bytes.size(), head.size()));
  const bool empty = begin.find_first_not_of('\0') == std::string_view::npos;
  return empty ? std::optional(bytes.size()) : std::nullopt;
}

// 0, or why it can't be read (errno).
int read_all(const std::string& path, std::string& bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return errno;
  while (true) {
    const std::size_t done = bytes.size();
    bytes.resize(done + kReadAtOnce);
    const ssize_t count = read_at(file.get(), bytes.data() + done, kReadAtOnce, done);
    if (count < 0) return errno;
    bytes.resize(done + static_cast<std::size_t>(count));
    if (static_cast<std::size_t>(count) < kReadAtOnce) return 0;
  }
}

Result<Segment> read_segment(const std::string& database_path, std::uint32_t number) {
  Segment segment{number, journal_path(database_path, number), {}};
  const int error = read_all(segment.path, segment.bytes);
  if (error == 0) return segment;
  const std::string what = "cannot read the journal " + segment.path + ": " + std::strerror(error);
  if (is_lost_by(error)) {
    return make_error(ErrorType::kInternalError, what)
        .suggest(
            "see to its disk, or move the file away: then what the database has not yet of it is "
            "a gap")
        .with("path", segment.path);
  }
  return make_error(ErrorType::kInternalError, what)
      .suggest("make it readable for the relay's user: it holds what the database has not yet")
      .with("path", segment.path);
}

void put_aside(const std::string& path, const Logger& log) {
  std::string aside = path + ".foreign";
  for (int count = 2; std::filesystem::exists(aside); ++count) {
    aside = path + ".foreign." + std::to_string(count);
  }
  std::error_code failure;
  std::filesystem::rename(path, aside, failure);
  log.warn("a journal beside the database is not its own, put aside",
           {{"path", path}, {"now", failure ? failure.message() : aside}});
}

// Brings entries into the database in their order.
class Folding {
 public:
  explicit Folding(MessageStore& store) : store_(store) {}

  // `place`: of the entry.
  Result<void> take(JournalEntry entry, EntryPlace place) {
    for (Write& write : entry.writes) {
      const std::uint64_t order = entry.order++;
      // The database was ahead: it was written while the journal could not be.
      if (order <= store_.written_order()) continue;
      if (auto* messages = std::get_if<MessagesWrite>(&write)) {
        const auto missing = is_missing(*messages, order);
        if (!missing) return missing.error();
        if (!*missing) continue;
        messages_ += static_cast<std::uint64_t>(messages->summary.count());
      }
      set_place(write, place);
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
  Result<bool> is_missing(MessagesWrite& write, std::uint64_t order) {
    const std::string& id = write.session.id;
    auto known = known_.find(id);
    if (known == known_.end()) {
      const auto last_known = store_.known_up_to(id);
      if (!last_known) return last_known.error();
      known = known_.emplace(id, *last_known).first;
    }
    Sequence& last = known->second;
    BatchSummary& summary = write.summary;
    if (summary.last <= last) return false;
    summary.first = std::max(summary.first, last + 1);
    if (summary.first > last + 1) {
      pending_.push(GapWrite{write.session, {last + 1, summary.first - 1}}, order);
    }
    last = summary.last;
    return true;
  }

  MessageStore& store_;
  std::map<std::string, Sequence> known_;
  PendingWrites pending_;
  std::uint64_t messages_ = 0;
};

// Answers where the entries end; behind what can't be read there may be more, which stays.
Result<std::size_t> fold(const Segment& segment, Folding& folding, const Logger& log) {
  std::string_view bytes = std::string_view(segment.bytes).substr(segment.begin);
  const auto offset = [&] { return segment.bytes.size() - bytes.size(); };
  for (std::size_t at = offset(); auto entry = next_entry(bytes); at = offset()) {
    const EntryPlace place{segment.number, static_cast<std::uint32_t>(at),
                           static_cast<std::uint32_t>(entry->size)};
    if (entry->is_damaged) {
      log.warn("an entry of the journal is damaged, left out",
               {{"path", segment.path}, {"at", at}});
    }
    auto taken = folding.take(std::move(*entry), place);
    if (!taken) return taken.error();
  }
  if (!is_journal_end(bytes)) {
    log.warn("the end of a journal is not whole, left out",
             {{"path", segment.path}, {"from", offset()}});
    return segment.bytes.size();
  }
  return offset();
}

}  // namespace

Result<std::uint32_t> fold_journal(const std::string& database_path, const std::string& instance,
                                   MessageStore& store, const Logger& log) {
  const auto unused = store.next_segment();
  if (!unused) return unused.error();
  const auto numbers = journal_segments(database_path);
  if (!numbers) return numbers.error();
  std::uint32_t next = *unused;
  Folding folding(store);
  std::vector<std::pair<std::uint32_t, std::size_t>> ends;
  for (const std::uint32_t number : *numbers) {
    next = std::max(next, number + 1);
    if (number < store.unread_segment() && store.uses_segment(number)) continue;
    auto segment = read_segment(database_path, number);
    if (!segment) return segment.error();
    const auto begin = entries_of(segment->bytes, instance, number);
    if (!begin) {
      put_aside(segment->path, log);
      continue;
    }
    segment->begin = *begin;
    auto end = fold(*segment, folding, log);
    if (!end) return end.error();
    // A power cut may leave zeros, which look like the end, in place of any page: the database
    // tells that there is more.
    const auto known = store.known_end(number);
    if (!known) return known.error();
    if (*end < std::min(*known, segment->bytes.size())) {
      segment->begin = std::min(*known, segment->bytes.size());
      end = fold(*segment, folding, log);
      if (!end) return end.error();
    }
    ends.emplace_back(number, *end);
  }
  auto committed = folding.commit();
  if (!committed) return committed.error();
  auto read = store.read_up_to(next);
  if (!read) return read.error();
  store.forget_numbers();
  if (folding.messages() > 0) {
    log.info("messages of an earlier run were brought in from the journal",
             {{"messages", folding.messages()}});
  }
  for (const auto& [number, end] : ends) {
    // The room behind the last entry. What can't be cut off stays: nothing is lost.
    std::error_code ignored;
    std::filesystem::resize_file(journal_path(database_path, number), end, ignored);
    store.segment_ended(number);
  }
  return next;
}

}  // namespace relay::storage
