#include "storage/pending_writes.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

namespace relay::storage {
namespace {

constexpr std::size_t kEntryBytes = sizeof(PendingWrites::Entry);
// Buffers that grew beyond this are not kept for the next group.
constexpr std::size_t kKeptCapacity = 8192;

std::size_t cost_of(const MessagesWrite& write) {
  return write.entry.size() + write.summary.requests.size() +
         write.summary.calls.size() * sizeof(CallMark);
}
std::size_t cost_of(const std::vector<EntryPlace>& places) {
  return places.size() * sizeof(EntryPlace);
}
std::size_t cost_of(const GapWrite& write) { return cost_of(write.places); }
std::size_t cost_of(const ProgressWrite&) { return 0; }
std::size_t cost_of(const SessionRecord& record) {
  return sizeof(record) + record.agent_session_id.size() + record.working_directory.size() +
         record.title.size() + record.owner.size() + record.agent.size() +
         record.agent_profile.size() + record.agent_settings.size();
}
std::size_t cost_of(const std::unique_ptr<SessionCreate>& write) {
  return cost_of(write->record) + cost_of(write->places);
}
std::size_t cost_of(const std::unique_ptr<SessionChange>& write) {
  return cost_of(write->record) + cost_of(write->places);
}
std::size_t cost_of(const std::unique_ptr<SessionClose>& write) {
  return sizeof(SessionClose) + write->cause.size() + cost_of(write->places);
}
std::size_t cost_of(const std::unique_ptr<AuditWrite>& write) {
  const AuditRecord* const record = &write->record;
  return sizeof(AuditWrite) + record->session.value().size() + record->action.size() +
         record->detail.size() + record->actor.principal.size() + record->actor.transport.size() +
         record->actor.peer.size();
}
std::size_t cost_of(const std::unique_ptr<UseWrite>& write) {
  return sizeof(UseWrite) + write->id.value().size() + write->upstream_use.size() +
         cost_of(write->places);
}
std::size_t cost_of(const std::unique_ptr<SegmentEnd>&) { return sizeof(SegmentEnd); }

std::size_t journal_bytes_of(const Write& write) {
  const auto* const messages = std::get_if<MessagesWrite>(&write);
  return messages == nullptr ? 0 : messages->place.size;
}

// Those that lie side by side become one.
std::vector<EntryPlace> joined(std::vector<EntryPlace> places) {
  std::ranges::sort(places, {},
                    [](const EntryPlace& place) { return std::pair(place.segment, place.offset); });
  std::vector<EntryPlace> all;
  for (const EntryPlace& place : places) {
    const bool follows = !all.empty() && all.back().segment == place.segment &&
                         all.back().offset + all.back().size == place.offset;
    if (follows) {
      all.back().size += place.size;
    } else {
      all.push_back(place);
    }
  }
  return all;
}

struct PlaceSetter {
  EntryPlace place;
  void operator()(MessagesWrite& write) const { write.place = place; }
  void operator()(std::unique_ptr<SessionCreate>& write) const { write->places = {place}; }
  void operator()(std::unique_ptr<SessionChange>& write) const { write->places = {place}; }
  void operator()(std::unique_ptr<SessionClose>& write) const { write->places = {place}; }
  void operator()(std::unique_ptr<UseWrite>& write) const { write->places = {place}; }
  void operator()(std::unique_ptr<AuditWrite>& write) const { write->place = place; }
  template <class Other>
  void operator()(Other&) const {}
};

// Where the last word on each session is.
using LastWords = std::map<std::string, std::size_t>;

// Whether a later entry has said more than `write` does: then it has the places of both.
template <class Said>
bool is_outdated(LastWords& words, const std::string& session, const Said& write,
                 std::vector<PendingWrites::Entry>& kept) {
  const auto [later, is_last] = words.try_emplace(session, kept.size());
  if (is_last) return false;
  auto& places = std::get<std::unique_ptr<Said>>(kept[later->second].write)->places;
  places.insert(places.end(), write.places.begin(), write.places.end());
  return true;
}

}  // namespace

void set_place(Write& write, EntryPlace place) { std::visit(PlaceSetter{place}, write); }

std::size_t cost(const Write& write) {
  return kEntryBytes + std::visit([](const auto& kind) { return cost_of(kind); }, write);
}

void PendingWrites::push(Write write, std::uint64_t order) {
  bytes_ += cost(write);
  journal_bytes_ += journal_bytes_of(write);
  entries_.push_back(Entry{std::move(write), order});
}

void PendingWrites::take(PendingWrites& other) {
  if (empty()) {
    // Swapping hands the emptied buffer back, so that both sides stop allocating.
    entries_.clear();
    if (entries_.capacity() > kKeptCapacity) entries_ = std::vector<Entry>();
    first_ = 0;
    bytes_ = journal_bytes_ = 0;
    std::swap(entries_, other.entries_);
    std::swap(first_, other.first_);
    std::swap(bytes_, other.bytes_);
    std::swap(journal_bytes_, other.journal_bytes_);
    return;
  }
  const auto moved = other.entries_.begin() + static_cast<std::ptrdiff_t>(other.first_);
  entries_.insert(entries_.end(), std::make_move_iterator(moved),
                  std::make_move_iterator(other.entries_.end()));
  bytes_ += other.bytes_;
  journal_bytes_ += other.journal_bytes_;
  other.entries_.clear();
  other.first_ = 0;
  other.bytes_ = other.journal_bytes_ = 0;
}

void PendingWrites::pop(std::size_t count) {
  for (std::size_t index = first_; index < first_ + count; ++index) {
    bytes_ -= cost(entries_[index].write);
    journal_bytes_ -= journal_bytes_of(entries_[index].write);
    entries_[index].write = GapWrite{};
  }
  first_ += count;
  if (empty()) {
    entries_.clear();
    first_ = 0;
  } else if (first_ > entries_.size() / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

std::span<const PendingWrites::Entry> PendingWrites::group(std::size_t max_rows,
                                                           std::size_t max_bytes) const {
  const auto all = entries();
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (; count < all.size(); ++count) {
    if (count > 0 && std::holds_alternative<ProgressWrite>(all[count].write)) continue;
    bytes += cost(all[count].write);
    if (count >= max_rows || (count > 0 && bytes > max_bytes)) break;
  }
  return all.first(count);
}

std::uint64_t PendingWrites::give_up(std::size_t limit) {
  if (bytes_ <= limit) return 0;
  // Some room beyond what is needed, so that not every further message causes a pass.
  const std::size_t target = limit - limit / 16;
  std::uint64_t lost = give_up_messages(target, false);
  if (bytes_ > target) lost += give_up_messages(target, true);
  if (bytes_ > target) drop_outdated_changes();
  if (bytes_ > target) lost += give_up_audit(target);
  return lost;
}

std::uint64_t PendingWrites::give_up_audit(std::size_t target) {
  std::uint64_t lost = 0;
  std::vector<Entry> kept;
  for (Entry& entry : std::span(entries_).subspan(first_)) {
    const bool goes =
        bytes_ > target && std::holds_alternative<std::unique_ptr<AuditWrite>>(entry.write);
    if (goes) {
      bytes_ -= cost(entry.write);
      ++lost;
    } else {
      kept.push_back(std::move(entry));
    }
  }
  entries_ = std::move(kept);
  first_ = 0;
  return lost;
}

std::uint64_t PendingWrites::give_up_messages(std::size_t target, bool in_journal_too) {
  std::map<SessionKey, std::vector<Gap>> gaps;
  std::vector<EntryPlace> places;
  std::vector<Entry> kept;
  std::uint64_t lost = 0;
  std::uint64_t order = 0;
  std::size_t index = first_;
  for (; index < entries_.size() && bytes_ > target; ++index) {
    Entry& entry = entries_[index];
    order = entry.order;
    const std::size_t bytes = cost(entry.write);
    auto* const messages = std::get_if<MessagesWrite>(&entry.write);
    if (messages != nullptr && (in_journal_too || messages->place.segment == 0)) {
      const BatchSummary& summary = messages->summary;
      add_gap(gaps[std::move(messages->session)], Gap{summary.first, summary.last});
      lost += static_cast<std::uint64_t>(summary.count());
      bytes_ -= bytes;
      journal_bytes_ -= messages->place.size;
      if (messages->place.segment != 0) places.push_back(messages->place);
    } else if (auto* gap = std::get_if<GapWrite>(&entry.write)) {
      add_gap(gaps[std::move(gap->session)], gap->gap);
      places.insert(places.end(), gap->places.begin(), gap->places.end());
      bytes_ -= bytes;
    } else {
      kept.push_back(std::move(entry));
    }
  }
  places = joined(std::move(places));
  for (auto& [session, ranges] : gaps) {
    for (const Gap& gap : ranges) {
      kept.push_back(Entry{GapWrite{session, gap, std::exchange(places, {})}, order});
      bytes_ += cost(kept.back().write);
    }
  }
  kept.insert(kept.end(),
              std::make_move_iterator(entries_.begin() + static_cast<std::ptrdiff_t>(index)),
              std::make_move_iterator(entries_.end()));
  entries_ = std::move(kept);
  first_ = 0;
  return lost;
}

void PendingWrites::drop_outdated_changes() {
  LastWords changed, used;                       // in `kept`
  std::map<SessionKey, std::size_t> progressed;  // where the last one is in `kept`
  std::vector<Entry> kept;
  for (std::size_t index = entries_.size(); index > first_; --index) {
    Entry& entry = entries_[index - 1];
    if (const auto* change = std::get_if<std::unique_ptr<SessionChange>>(&entry.write)) {
      if (is_outdated(changed, (*change)->record.id.value(), **change, kept)) {
        bytes_ -= cost(entry.write) - cost_of((*change)->places);
        continue;
      }
    }
    if (const auto* use = std::get_if<std::unique_ptr<UseWrite>>(&entry.write)) {
      if (is_outdated(used, (*use)->id.value(), **use, kept)) {
        bytes_ -= cost(entry.write) - cost_of((*use)->places);
        continue;
      }
    }
    if (const auto* progress = std::get_if<ProgressWrite>(&entry.write)) {
      const auto [later, is_last] = progressed.try_emplace(progress->session, kept.size());
      if (!is_last) {
        auto& merged = std::get<ProgressWrite>(kept[later->second].write).progress;
        Progress both = progress->progress;
        both.advance(merged);
        merged = both;
        bytes_ -= cost(entry.write);
        continue;
      }
    }
    kept.push_back(std::move(entry));
  }
  std::reverse(kept.begin(), kept.end());
  entries_ = std::move(kept);
  first_ = 0;
}

}  // namespace relay::storage
