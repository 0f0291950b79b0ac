#include "storage/journal.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".journal.";
constexpr std::chrono::milliseconds kRetryPause(200);

// Larger memory is not kept for the next large entry.
constexpr std::size_t kKeptEntry = 1u << 20;

// The number behind the prefix; empty: another file.
std::optional<std::uint32_t> segment_number(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint32_t number = 0;
  const char* const begin = name.data() + prefix.size();
  const char* const end = name.data() + name.size();
  const auto [rest, failure] = std::from_chars(begin, end, number);
  if (failure != std::errc() || rest != end || begin == end) return std::nullopt;
  return number;
}

}  // namespace

std::string journal_path(const std::string& database_path, std::uint32_t number) {
  return database_path + std::string(kSuffix) + std::to_string(number);
}

std::string journal_head(std::string_view instance, std::uint32_t number) {
  std::string head = "acp-relay journal 3 ";
  head.append(instance).append(" ").append(std::to_string(number)).append("\n");
  return head;
}

Result<std::vector<std::uint32_t>> journal_segments(const std::string& database_path) {
  const fs::path database(database_path);
  const std::string prefix = database.filename().string() + std::string(kSuffix);
  const fs::path directory = database.has_parent_path() ? database.parent_path() : fs::path(".");
  std::vector<std::uint32_t> found;
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const auto number = segment_number(entry->path().filename().string(), prefix);
    if (!number) continue;
    std::error_code ignored;
    const fs::file_type type = entry->status(ignored).type();
    if (type == fs::file_type::regular || type == fs::file_type::none) found.push_back(*number);
  }
  if (failure) {
    return make_error(ErrorType::kInternalError,
                      "cannot read the directory " + directory.string() + ": " + failure.message())
        .suggest("make it readable for the relay's user: the journal is there")
        .with("path", directory.string());
  }
  std::ranges::sort(found);
  return found;
}

Journal::Journal(std::string database_path, std::string instance, std::uint32_t next_number,
                 std::size_t max_bytes, Logger log)
    : database_path_(std::move(database_path)),
      instance_(std::move(instance)),
      max_bytes_(std::max(max_bytes, 2 * kSegmentBytes)),
      log_(std::move(log)),
      next_number_(next_number) {}

std::optional<EntryPlace> Journal::append(const EntryView& entry, std::uint64_t order) {
  const std::size_t size = encoded_size(entry);
  const bool anew = anew_ && anew_.exchange(false);
  if (current_ && (anew || !current_->has_room_for(size))) close();
  if (!current_ && !begin_segment(size)) return std::nullopt;
  const EntryPlace place{current_->number(), static_cast<std::uint32_t>(current_->used()),
                         static_cast<std::uint32_t>(size)};
  const auto written = put(entry, order, size);
  // A file that was made for this entry has room for no other: the database may be done with it.
  if (!written || current_->size() > kSegmentBytes) close();
  if (written) return place;
  failed(written.error());
  return std::nullopt;
}

Result<void> Journal::put(const EntryView& entry, std::uint64_t order, std::size_t size) {
  if (size < kLargeEntry) {
    encode(entry, order, current_->append(size));
    return {};
  }
  if (large_entry_.size() < size) large_entry_.resize(size);
  const std::span<char> bytes(large_entry_.data(), size);
  encode(entry, order, bytes);
  auto written = current_->append(std::string_view(bytes.data(), size));
  if (size > kKeptEntry) large_entry_ = std::string();
  return written;
}

const std::string& Journal::failure() {
  if (!failure_.empty()) begin_segment(0);
  return failure_;
}

std::vector<Journal::Begun> Journal::take_begun() { return std::exchange(begun_, {}); }

std::vector<JournalSegment> Journal::take_full() { return std::exchange(full_, {}); }

void Journal::ended(JournalSegment segment) {
  kept_bytes_ -= segment.size();
  segment.finish();
}

void Journal::close() {
  if (!current_) return;
  kept_bytes_ += current_->size();
  full_.push_back(std::move(*current_));
  current_.reset();
}

bool Journal::begin_segment(std::size_t size) {
  if (!failure_.empty() && Clock::now() < retry_at_) return false;
  auto segment = next_segment(size);
  if (!segment) return failed(segment.error());
  current_ = std::move(*segment);
  begun_.push_back({current_->number(), current_->descriptor()});
  if (!failure_.empty()) {
    log_.info("the journal is written again", {{"path", current_->path()}});
    failure_.clear();
  }
  return true;
}

// One in which an entry of `size` has room.
Result<JournalSegment> Journal::next_segment(std::size_t size) {
  const std::uint32_t number = next_number_;
  const std::string head = journal_head(instance_, number);
  const std::size_t needed = std::max(kSegmentBytes, head.size() + size);
  // Whatever the size: else a large entry would not go in where nothing else waits either.
  if (kept_bytes_ + kSegmentBytes > max_bytes_) {
    return make_error(ErrorType::kInternalError,
                      "the database does not take what is in the journal")
        .suggest(
            "see whether the database can be written; else raise database.max_pending_bytes, best "
            "to more than twice server.max_message_bytes");
  }
  ++next_number_;
  return JournalSegment::make(journal_path(database_path_, number), number, needed, head);
}

bool Journal::failed(const Error& why) {
  retry_at_ = Clock::now() + kRetryPause;
  if (failure_.empty()) {
    log_.error("messages are delivered without being in the journal: a crash could lose them",
               {{"reason", why.explanation},
                {"remedy", why.suggested_actions.empty() ? "make room on the disk of database.path"
                                                         : why.suggested_actions.front()}});
  }
  failure_ = why.explanation;
  return false;
}

}  // namespace relay::storage
