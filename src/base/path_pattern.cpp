#include "base/path_pattern.hpp"

#include <algorithm>
#include <cstddef>

namespace relay {
namespace {

constexpr std::string_view kRest = "/**";

// Both begin with a slash or are empty; linear in the product of their lengths at worst, without
// recursion: a star takes more only when what stands behind it does not fit.
bool matches_all(std::string_view pattern, std::string_view path) {
  std::size_t at = 0;
  std::size_t in_path = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken_to = 0;
  while (in_path < path.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      taken_to = in_path;
    } else if (at < pattern.size() && pattern[at] == path[in_path]) {
      ++at;
      ++in_path;
    } else if (star != std::string_view::npos && path[taken_to] != '/') {
      at = star + 1;
      in_path = ++taken_to;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

// What is before the slash that has `before` other ones before it; all of it where there is none.
std::string_view up_to_slash(std::string_view path, std::ptrdiff_t before) {
  std::size_t end = path.find('/');
  for (; before > 0 && end != std::string_view::npos; --before) end = path.find('/', end + 1);
  return path.substr(0, end);
}

}  // namespace

// A star crosses no slash: what fits has as many as the pattern.
bool path_matches(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with(kRest)) return matches_all(pattern, path);
  pattern.remove_suffix(kRest.size());
  return matches_all(pattern, up_to_slash(path, std::ranges::count(pattern, '/')));
}

std::string_view path_pattern_problem(std::string_view pattern) {
  if (!pattern.starts_with('/')) return "it does not begin with a slash";
  const std::size_t stars = pattern.find("**");
  const bool is_last_segment = pattern.ends_with(kRest) && stars + 2 == pattern.size();
  if (stars != std::string_view::npos && !is_last_segment) return "** is not its last segment";
  if (pattern.find_first_of("?#%") != std::string_view::npos) {
    return "it is compared with decoded paths, so it has no ?, # or %";
  }
  return {};
}

}  // namespace relay
