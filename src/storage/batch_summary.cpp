#include "storage/batch_summary.hpp"

#include <algorithm>
#include <charconv>

namespace relay::storage {

// The text of a JSON value has no line break where it is not a string's, and there it is escaped.
void BatchSummary::add_request(Sequence sequence, std::string_view id) {
  requests.append(std::to_string(sequence)).append(" ").append(id).append("\n");
}

RequestMark next_request(std::string_view& requests) {
  const std::string_view line = requests.substr(0, requests.find('\n'));
  requests.remove_prefix(std::min(requests.size(), line.size() + 1));
  RequestMark mark;
  const char* const end = line.data() + line.size();
  const auto [rest, failure] = std::from_chars(line.data(), end, mark.sequence);
  if (failure == std::errc() && rest != end) mark.id = {rest + 1, end};
  return mark;
}

}  // namespace relay::storage
