#include "engine/call_target.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace relay::engine {

namespace json = boost::json;

namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

}  // namespace

std::optional<ApiVersion> common_api(const EngineVersion& engine) {
  const ApiVersion api = std::min(engine.api, kNewestApi);
  if (api < kOldestApi || api < engine.min_api) return std::nullopt;
  return api;
}

std::string escaped(std::string_view value, std::string_view keep) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
        keep.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

bool is_container_name(std::string_view id) {
  const auto belongs = [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
  };
  return !id.empty() && id.size() <= 255 && is_alphanumeric(id.front()) &&
         std::ranges::all_of(id, belongs);
}

bool is_signal_name(std::string_view signal) {
  const auto belongs = [](char c) { return is_alphanumeric(c) || c == '+' || c == '-'; };
  return !signal.empty() && signal.size() <= 16 && std::ranges::all_of(signal, belongs);
}

std::string label_filter(const std::vector<std::string>& labels) {
  json::array list;
  for (const std::string& label : labels) list.emplace_back(text(label));
  json::object filter;
  if (!list.empty()) filter["label"] = std::move(list);
  return escaped(json::serialize(filter));
}

std::string event_filter(std::string_view label) {
  json::object filter;
  filter["type"] = json::array{"container"};
  if (!label.empty()) filter["label"] = json::array{text(label)};
  return escaped(json::serialize(filter));
}

}  // namespace relay::engine
