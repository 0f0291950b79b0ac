#include "backend/docker/security_profile.hpp"

#include <boost/json.hpp>

#include <fstream>
#include <string_view>

namespace relay {
namespace {

constexpr std::string_view kFromFile = "seccomp=/";
constexpr std::size_t kMaxProfileBytes = 1u << 20;

Error unusable(const std::string& path, const std::string& why) {
  return make_error(ErrorType::kContainerStartFailed, "the seccomp profile " + path + " " + why)
      .suggest(
          "name a readable JSON profile in container.security_opt, or remove that entry for "
          "the Engine's own")
      .with("key", "container.security_opt");
}

}  // namespace

std::optional<Error> read_security_profiles(ContainerOptions& options) {
  for (std::string& option : options.security_opt) {
    if (option.starts_with("seccomp:/")) option[7] = '=';
    if (!option.starts_with(kFromFile)) continue;
    const std::string path = option.substr(kFromFile.size() - 1);
    std::ifstream file(path, std::ios::binary);
    std::string content(kMaxProfileBytes + 1, '\0');
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(file.gcount()));
    if (content.empty()) return unusable(path, "can't be read, or is empty");
    if (content.size() > kMaxProfileBytes) return unusable(path, "has more than 1 MiB");
    boost::system::error_code failure;
    const auto parsed = boost::json::parse(content, failure);
    if (failure || !parsed.is_object()) return unusable(path, "is no JSON object");
    option = "seccomp=" + boost::json::serialize(parsed);
  }
  return std::nullopt;
}

}  // namespace relay
