#include "storage/gap.hpp"

#include <algorithm>

namespace relay::storage {

void add_gap(std::vector<Gap>& gaps, Gap added) {
  // Most gaps grow at their end, so the search begins there.
  auto first = gaps.end();
  while (first != gaps.begin() && std::prev(first)->to >= added.from - 1) --first;
  auto last = first;
  while (last != gaps.end() && last->from <= added.to + 1) {
    added.from = std::min(added.from, last->from);
    added.to = std::max(added.to, last->to);
    ++last;
  }
  gaps.insert(gaps.erase(first, last), added);
}

std::vector<Gap> clip_gaps(const std::vector<Gap>& gaps, Sequence from, Sequence to) {
  std::vector<Gap> clipped;
  for (const Gap& gap : gaps) {
    const Gap part{std::max(gap.from, from), std::min(gap.to, to)};
    if (part.from <= part.to) clipped.push_back(part);
  }
  return clipped;
}

}  // namespace relay::storage
