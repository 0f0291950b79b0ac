#include "http/media_type.hpp"

#include "http/header_fields.hpp"

#include <algorithm>

namespace relay::http {

namespace {

constexpr int kFullWeight = 1000;

// Takes the text up to `separator` off the front; one between double quotes separates nothing.
std::string_view take_item(std::string_view& list, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < list.size(); ++end) {
    if (list[end] == '"') quoted = !quoted;
    if (quoted && list[end] == '\\') ++end;
    if (!quoted && list[end] == separator) break;
  }
  end = std::min(end, list.size());
  const std::string_view item = list.substr(0, end);
  list.remove_prefix(std::min(list.size(), end + 1));
  return trimmed(item);
}

// "0.25" is 250. What is no weight counts as none given.
int read_weight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5) return kFullWeight;
  if (text.size() > 1 && text[1] != '.') return kFullWeight;
  int weight = (text[0] - '0') * kFullWeight;
  int place = kFullWeight / 10;
  for (const char digit : text.substr(std::min<std::size_t>(text.size(), 2))) {
    if (digit < '0' || digit > '9') return kFullWeight;
    weight += (digit - '0') * place;
    place /= 10;
  }
  return std::min(weight, kFullWeight);
}

// 3 for the type itself, 2 for "type/*", 1 for "*/*", 0: another type.
int closeness(std::string_view range, std::string_view media_type) {
  if (equals_ignoring_case(range, media_type)) return 3;
  const std::size_t kind = media_type.find('/') + 1;
  if (range.ends_with("/*") &&
      equals_ignoring_case(range.substr(0, range.size() - 1), media_type.substr(0, kind))) {
    return 2;
  }
  return range == "*/*" ? 1 : 0;
}

}  // namespace

Preference preference(const Headers& headers, std::string_view media_type) {
  bool asks = false;
  int closest = 0;
  int weight = 0;
  for (const Header& header : headers) {
    if (!equals_ignoring_case(header.name, "Accept")) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      std::string_view parameters = take_item(list, ',');
      const std::string_view range = take_item(parameters, ';');
      if (range.empty()) continue;
      asks = true;
      const int close = closeness(range, media_type);
      if (close == 0 || close < closest) continue;
      int given = kFullWeight;
      while (!parameters.empty()) {
        const std::string_view parameter = take_item(parameters, ';');
        if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
          given = read_weight(parameter.substr(2));
        }
      }
      weight = close > closest ? given : std::max(weight, given);
      closest = close;
    }
  }
  if (!asks) return {kFullWeight, false};
  return {weight, closest == 3 && weight > 0};
}

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))), media_type);
}

}  // namespace relay::http
