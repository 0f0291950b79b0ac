#include "egress/request_target.hpp"

#include "egress/withheld.hpp"
#include "http/target.hpp"

#include <algorithm>
#include <utility>

namespace relay::egress {
namespace {

Error refused(const std::string& what) {
  return make_error(ErrorType::kInvalidRequest, "the request's path " + what)
      .suggest("Ask for /UPSTREAM/PATH, as the agent's base URL says.");
}

// ASCII only: other bytes are more than one thing to servers.
bool is_plain(char c) { return c > ' ' && c < '\x7f' && c != '\\' && c != '#'; }

// Whether a decoded segment may stand for another path somewhere on the way.
bool is_dotted(std::string_view segment) {
  // "..;x" is ".." for servers that know path parameters.
  const std::string_view name = segment.substr(0, segment.find(';'));
  return name == "." || name == "..";
}

// Without the parameters of which `goes_away` says so, told their plain names and their values.
template <class GoesAway>
std::string left_of_query(std::string_view query, const GoesAway& goes_away) {
  std::string out;
  bool has_one = false;
  // Some servers take a semicolon for an ampersand.
  for (std::size_t begin = 0; begin <= query.size();) {
    const std::size_t end = std::min(query.find_first_of("&;", begin), query.size());
    const std::string_view pair = query.substr(begin, end - begin);
    const std::size_t joint = begin;
    begin = end + 1;
    const Result<http::Target> decoded = http::parse_target("/?" + std::string(pair));
    if (decoded && !decoded->query.empty()) {
      const auto& [name, value] = decoded->query.front();
      if (goes_away(plain_parameter(name), value)) continue;
    }
    if (std::exchange(has_one, true)) out += query[joint - 1];
    out += pair;
  }
  return out;
}

}  // namespace

Result<RequestTarget> parse_request_target(std::string_view target) {
  if (!target.starts_with('/')) return refused("does not begin with a slash");
  if (!std::ranges::all_of(target, is_plain))
    return refused("has a character that may not be there");
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  RequestTarget out;
  if (mark != std::string_view::npos) out.query = target.substr(mark + 1);
  const std::size_t slash = path.find('/', 1);
  out.upstream = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
  out.raw_path = slash == std::string_view::npos ? std::string_view("/") : path.substr(slash);
  std::string_view left = out.raw_path.substr(1);
  for (;;) {
    const std::size_t end = left.find('/');
    const std::string_view raw = left.substr(0, end);
    const Result<http::Target> decoded = http::parse_target("/" + std::string(raw));
    if (!decoded) return decoded.error();
    const std::string segment = decoded->path.substr(1);
    if (segment.find_first_of("/\\%") != std::string::npos) return refused("hides a slash");
    if (!std::ranges::all_of(segment, [](char c) { return is_plain(c) || c == ' ' || c == '#'; })) {
      return refused("has a character that may not be there");
    }
    if (is_dotted(segment)) return refused("has a segment \"" + segment + "\"");
    const bool is_last = end == std::string_view::npos;
    if (segment.empty() && !is_last) return refused("has an empty segment");
    out.path += '/';
    out.path += segment;
    if (is_last) break;
    left.remove_prefix(end + 1);
  }
  return out;
}

std::string without_withheld(std::string_view query, std::string_view own) {
  const std::string own_name = plain_parameter(own);
  return left_of_query(query, [&own_name](const std::string& name, const std::string&) {
    return is_withheld_parameter(name) || (!own_name.empty() && name == own_name);
  });
}

std::string without_hidden_usage(std::string_view target) {
  const std::size_t mark = target.find('?');
  std::string out(target.substr(0, mark));
  if (mark == std::string_view::npos) return out;
  const std::string query = left_of_query(target.substr(mark + 1), is_parameter_that_hides_usage);
  if (!query.empty()) out += "?" + query;
  return out;
}

}  // namespace relay::egress
