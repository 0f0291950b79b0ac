// /etc/passwd and /etc/group come from images that anyone may have made.
//
// Input: the user, /etc/passwd, /etc/group and environment entries, each behind a zero byte.
#include "backend/docker/container_user.hpp"
#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_part(std::string_view& rest) {
  const auto end = rest.find('\0');
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view user = take_part(rest);
  relay::ImageUsers image;
  image.passwd = take_part(rest);
  image.group = take_part(rest);
  while (!rest.empty()) image.environment.emplace_back(take_part(rest));
  const auto found = relay::resolve_user(user, image);
  if (!found) {
    check(found.error().type == relay::ErrorType::kContainerStartFailed);
    return 0;
  }
  // Ids that chown() takes for "leave it as it is" are no answer; a home is a place to mount at.
  check(found->uid <= 2147483647U && found->gid <= 2147483647U);
  check(found->home.starts_with('/'));
  // A name is root only when the image says so.
  const std::string_view name = user.substr(0, user.find(':'));
  const bool is_number = name.find_first_not_of("0123456789") == std::string_view::npos;
  check(is_number || image.passwd.find(name) != std::string::npos);
  return 0;
}
