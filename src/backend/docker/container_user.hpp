// Which user an agent runs as, and where its home is: the image's word, or container.user.
//
// Pure. Names are looked up in the image's own /etc/passwd and /etc/group, as the Engine does it.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

struct ContainerUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home = "/";
};

// What the image has to say; the files are empty when it has none.
struct ImageUsers {
  std::string passwd;
  std::string group;
  std::vector<std::string> environment;  // "NAME=value"
};

enum class UserChoice {
  kConfigured,  // container.user
  kImages,      // that is empty: USER of the image
};

// `user`: "", name, uid, name:group or uid:gid, chosen by `choice`. Fails with
// container_start_failed, naming container.user, for a name that the image does not know.
Result<ContainerUser> resolve_user(std::string_view user, const ImageUsers& image,
                                   UserChoice choice = UserChoice::kConfigured);

}  // namespace relay
