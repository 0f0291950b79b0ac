// The name of an image as its parts, by the rules of the docker command. Pure.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace relay::engine {

struct ImageReference {
  std::string name;  // with the registry, if one is named
  std::string tag;   // a tag or a digest; "latest" when the reference has neither
};

// A digest wins over a tag beside it. Fails with image_not_found, which says what is wrong and
// names container.image.
Result<ImageReference> split_image(std::string_view image);

}  // namespace relay::engine
