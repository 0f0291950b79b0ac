#include "storage/run.hpp"

#include <algorithm>

namespace relay::storage {
namespace {

std::int64_t bytes_of(const MessagesWrite& batch) {
  return batch.place.segment == 0 ? std::ssize(batch.entry) : std::int64_t{batch.place.size};
}

void add(Run& run, const MessagesWrite& batch) {
  run.last = batch.summary.last;
  run.newest = std::max(run.newest, batch.summary.newest);
  run.bytes += bytes_of(batch);
  run.requests += batch.summary.requests;
  if (run.segment == 0) {
    run.entries += batch.entry;
  } else {
    add_extent(run.extents, {batch.place.offset, batch.place.size});
  }
}

}  // namespace

bool extend(Run& run, const MessagesWrite& batch) {
  if (batch.summary.first != run.last + 1 || batch.place.segment != run.segment ||
      run.bytes + bytes_of(batch) > kMaxRunBytes) {
    return false;
  }
  add(run, batch);
  return true;
}

Run run_of(std::int64_t session, const MessagesWrite& batch) {
  Run run;
  run.session = session;
  run.first = batch.summary.first;
  run.segment = batch.place.segment;
  add(run, batch);
  return run;
}

}  // namespace relay::storage
