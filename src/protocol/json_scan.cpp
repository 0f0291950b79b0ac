#include "protocol/json_scan.hpp"

#include <map>

namespace relay {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The parts between the commas of an array or an object.
std::vector<std::string_view> parts_of(std::string_view array) {
  std::vector<std::string_view> elements;
  std::size_t depth = 0;
  std::size_t begin = 1;
  const auto finish = [&](std::size_t end) {
    const std::string_view element = trimmed(array.substr(begin, end - begin));
    if (!element.empty()) elements.push_back(element);
    begin = end + 1;
  };
  for (std::size_t at = 1; at < array.size();) {
    const char c = array[at];
    if (c == '"') {
      at = after_string(array, at);
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ',' && depth == 0) finish(at);
    if (c == ']' || c == '}') {
      if (depth == 0) {
        finish(at);
        break;
      }
      --depth;
    }
    ++at;
  }
  return elements;
}

JsonMember member_of(std::string_view part) {
  const std::size_t key_end = after_string(part, 0);
  const std::size_t colon = part.find(':', key_end);
  return {part.substr(1, key_end - 2), trimmed(part.substr(colon + 1))};
}

}  // namespace

// A quote with an odd number of backslashes before it belongs to the string.
std::size_t after_string(std::string_view text, std::size_t at) {
  for (std::size_t quote = text.find('"', at + 1); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    std::size_t escapes = quote;
    while (text[escapes - 1] == '\\') --escapes;
    if ((quote - escapes) % 2 == 0) return quote + 1;
  }
  return text.size() + 1;
}

std::vector<std::string_view> array_elements(std::string_view array) {
  if (array.size() < 2 || array.front() != '[') return {};
  return parts_of(array);
}

std::vector<JsonMember> object_members(std::string_view object) {
  std::vector<JsonMember> members;
  if (object.size() < 2 || object.front() != '{') return members;
  for (const std::string_view part : parts_of(object)) members.push_back(member_of(part));
  return members;
}

std::optional<std::string_view> object_member(std::string_view object, std::string_view key) {
  if (object.size() < 2 || object.front() != '{') return std::nullopt;
  for (const std::string_view part : parts_of(object)) {
    const JsonMember member = member_of(part);
    if (member.key == key) return member.value;
  }
  return std::nullopt;
}

std::string with_member(std::string_view object, std::string_view key, std::string_view json) {
  if (!object.starts_with('{')) object = "{}";
  if (const auto value = object_member(object, key)) {
    const auto at = static_cast<std::size_t>(value->data() - object.data());
    std::string out(object.substr(0, at));
    out.append(json).append(object.substr(at + value->size()));
    return out;
  }
  const bool empty = trimmed(object.substr(1, object.size() - 2)).empty();
  std::string out = "{\"";
  out.append(key).append("\":").append(json).append(empty ? "" : ",").append(object.substr(1));
  return out;
}

std::string with_members(std::string_view object, std::string_view update) {
  if (!object.starts_with('{')) object = "{}";
  const std::vector<JsonMember> members = object_members(update);
  std::map<std::string_view, std::string_view> values;
  for (const JsonMember& member : members) values[member.key] = member.value;
  std::string old;
  std::size_t at = 1;
  for (const JsonMember& member : object_members(object)) {
    const auto found = values.find(member.key);
    if (found == values.end()) continue;
    const auto begin = static_cast<std::size_t>(member.value.data() - object.data());
    old.append(object, at, begin - at).append(found->second);
    at = begin + member.value.size();
    values.erase(found);
  }
  old.append(object, at);
  std::string out = "{";
  for (const JsonMember& member : members) {
    const auto left = values.extract(member.key);
    if (!left) continue;
    out.append(out.size() > 1 ? ",\"" : "\"").append(member.key).append("\":");
    out.append(left.mapped());
  }
  const bool is_empty = trimmed(old) == "}";
  return out.append(out.size() > 1 && !is_empty ? "," : "") + old;
}

std::string without_member(std::string_view object, std::string_view key) {
  if (!object_member(object, key)) return std::string(object);
  std::string out = "{";
  for (const std::string_view part : parts_of(object)) {
    if (part.substr(1, after_string(part, 0) - 2) == key) continue;
    if (out.size() > 1) out += ',';
    out += part;
  }
  return out + '}';
}

std::string with_meta(std::string_view object, std::string_view members) {
  if (!object.starts_with('{')) object = "{}";
  const auto insert = [&](std::string_view into, std::string_view what) {
    const bool empty = trimmed(into.substr(1, into.size() - 2)).empty();
    std::string out(into.substr(0, 1));
    out.append(what).append(empty ? "" : ",").append(into.substr(1));
    return out;
  };
  const auto meta = object_member(object, "_meta");
  if (!meta) return insert(object, R"("_meta":{)" + std::string(members) + "}");
  std::string out(object.substr(0, static_cast<std::size_t>(meta->data() - object.data())));
  out += insert(meta->starts_with('{') ? *meta : "{}", members);
  out.append(object.substr(static_cast<std::size_t>(meta->data() - object.data()) + meta->size()));
  return out;
}

}  // namespace relay
