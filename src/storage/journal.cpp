#include "storage/journal.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".journal.";
constexpr std::chrono::milliseconds kRetryPause(200);

// The number behind the suffix; empty: another file.
std::optional<std::uint64_t> segment_number(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* const begin = name.data() + prefix.size();
  const char* const end = name.data() + name.size();
  const auto [rest, failure] = std::from_chars(begin, end, number);
  if (failure != std::errc() || rest != end || begin == end) return std::nullopt;
  return number;
}

}  // namespace

std::uint64_t journal_number(const std::string& path) {
  const std::size_t suffix = path.rfind(kSuffix);
  return segment_number(path, path.substr(0, suffix + kSuffix.size())).value_or(0);
}

std::string journal_head(std::string_view instance, std::uint64_t number) {
  std::string head = "acp-relay journal 2 ";
  head.append(instance).append(" ").append(std::to_string(number)).append("\n");
  return head;
}

std::vector<std::string> journal_segments(const std::string& database_path) {
  const fs::path database(database_path);
  const std::string prefix = database.filename().string() + std::string(kSuffix);
  const fs::path directory = database.has_parent_path() ? database.parent_path() : fs::path(".");
  std::vector<std::pair<std::uint64_t, std::string>> found;
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const auto number = segment_number(entry->path().filename().string(), prefix);
    std::error_code ignored;
    if (number && entry->is_regular_file(ignored))
      found.emplace_back(*number, entry->path().string());
  }
  std::ranges::sort(found);
  std::vector<std::string> paths;
  for (auto& [number, path] : found) paths.push_back(std::move(path));
  return paths;
}

Journal::Journal(std::string database_path, std::string instance, std::size_t max_bytes, Logger log)
    : database_path_(std::move(database_path)),
      instance_(std::move(instance)),
      max_bytes_(std::max(max_bytes, 2 * kSegmentBytes)),
      log_(std::move(log)) {}

bool Journal::append(const EntryView& entry, std::uint64_t order) {
  const std::size_t size = encoded_size(entry);
  const bool anew = anew_ && anew_.exchange(false);
  if (current_ && (anew || !current_->has_room_for(size))) {
    kept_bytes_ += current_->size();
    full_.push_back(std::move(*current_));
    current_.reset();
  }
  if (!current_ && !begin_segment(size)) return false;
  encode(entry, order, current_->append(size));
  return true;
}

const std::string& Journal::failure() {
  if (!failure_.empty()) begin_segment(0);
  return failure_;
}

std::vector<JournalSegment> Journal::take_full() { return std::exchange(full_, {}); }

void Journal::ended(JournalSegment segment) {
  kept_bytes_ -= segment.size();
  {
    const std::lock_guard lock(mutex_);
    if (!spare_ && segment.size() == kSegmentBytes) {
      spare_ = std::move(segment);
      return;
    }
  }
  segment.remove();
}

bool Journal::begin_segment(std::size_t size) {
  if (!failure_.empty() && Clock::now() < retry_at_) return false;
  auto segment = next_segment(size);
  if (!segment) return failed(std::move(segment.error().explanation));
  current_ = std::move(*segment);
  if (!failure_.empty()) {
    log_.info("the journal is written again", {{"path", current_->path()}});
    failure_.clear();
  }
  return true;
}

// The spare one, or a new one in which an entry of `size` has room.
Result<JournalSegment> Journal::next_segment(std::size_t size) {
  const std::uint64_t number = next_number_++;
  const std::string head = journal_head(instance_, number);
  std::string path = database_path_ + std::string(kSuffix) + std::to_string(number);
  const std::size_t needed = std::max(kSegmentBytes, head.size() + size);
  if (kept_bytes_ + needed > max_bytes_) {
    return make_error(ErrorType::kInternalError,
                      "the database does not take what is in the journal");
  }
  if (auto spare = needed == kSegmentBytes ? take_spare() : std::nullopt) {
    if (spare->begin_again(path, head)) return std::move(*spare);
  }
  return JournalSegment::make(std::move(path), needed, head);
}

std::optional<JournalSegment> Journal::take_spare() {
  const std::lock_guard lock(mutex_);
  return std::exchange(spare_, std::nullopt);
}

bool Journal::failed(std::string reason) {
  retry_at_ = Clock::now() + kRetryPause;
  if (failure_.empty()) {
    log_.error("messages are delivered without being in the journal: a crash could lose them",
               {{"reason", reason}, {"remedy", "make room on the disk of database.path"}});
  }
  failure_ = std::move(reason);
  return false;
}

void Journal::remove_all() {
  current_.reset();
  for (const std::string& path : journal_segments(database_path_)) ::unlink(path.c_str());
}

}  // namespace relay::storage
