// A run: messages of one session without a hole between them, whose entries are in one file of the
// journal, or with the run itself. It is what the index has a row for. Pure.
#pragma once

#include "storage/extent.hpp"
#include "storage/pending_writes.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace relay::storage {

struct Run {
  std::int64_t session = 0;
  Sequence first = 0;
  Sequence last = 0;
  WallTime newest;
  std::uint32_t segment = 0;    // 0: what is in `entries`
  std::vector<Extent> extents;  // of the segment
  std::string entries;
  std::int64_t bytes = 0;  // of all entries
  std::string requests;    // as in BatchSummary

  std::int64_t count() const { return last - first + 1; }
};

// A run is read as a whole, so it is not made larger than this by a further batch.
inline constexpr std::int64_t kMaxRunBytes = 256 << 10;

// Makes `run` longer by what follows it. False: that is for another run.
bool extend(Run& run, const MessagesWrite& batch);

// One of a single batch.
Run run_of(std::int64_t session, const MessagesWrite& batch);

}  // namespace relay::storage
