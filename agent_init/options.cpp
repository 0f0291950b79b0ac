#include "options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/un.h>

namespace {

// A whole number from 1 to `most`.
std::optional<int> number(std::string_view text, int most) {
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value >= 1 && value <= most ? std::optional(value) : std::nullopt;
}

std::optional<sockaddr_in> loopback(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon >= INET_ADDRSTRLEN) return std::nullopt;
  char host[INET_ADDRSTRLEN] = {};
  std::copy_n(text.data(), colon, host);
  const auto port = number(text.substr(colon + 1), UINT16_MAX);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  if (!port || ::inet_pton(AF_INET, host, &address.sin_addr) != 1) return std::nullopt;
  if (ntohl(address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) return std::nullopt;
  address.sin_port = htons(static_cast<std::uint16_t>(*port));
  return address;
}

bool is_option(std::string_view name) {
  return name == "--listen" || name == "--socket" || name == "--max-connections";
}

// What is wrong with the value of an option, or null.
const char* set(Options& options, std::string_view name, const char* value) {
  if (name == "--listen") {
    const auto address = loopback(value);
    if (!address) return "--listen must be a loopback address and a port, like 127.0.0.1:9180";
    options.listen = *address;
  } else if (name == "--socket") {
    if (*value != '/') return "--socket must be an absolute path";
    if (std::strlen(value) >= sizeof(sockaddr_un::sun_path)) {
      return "--socket is longer than the 107 bytes that a Unix socket's path may have";
    }
    options.socket = value;
  } else {
    const auto most = number(value, 4096);
    if (!most) return "--max-connections must be a number from 1 to 4096";
    options.max_connections = *most;
  }
  return nullptr;
}

}  // namespace

std::variant<Options, Question, Misuse> parse_options(char** arguments) {
  Options options;
  char** next = arguments + (*arguments != nullptr ? 1 : 0);
  for (; *next != nullptr && std::strcmp(*next, "--") != 0; next += 2) {
    const std::string_view name = *next;
    if (name == "--help" || name == "-h") return Question::kHelp;
    if (name == "--version") return Question::kVersion;
    if (!is_option(name)) return Misuse{"no such option; the command stands behind --", *next};
    const char* const value = next[1];
    if (value == nullptr) return Misuse{"a value is missing behind", *next};
    if (const char* const wrong = set(options, name, value)) return Misuse{wrong, value};
  }
  if (options.listen.sin_port == 0) return Misuse{"an option is missing", "--listen"};
  if (options.socket == nullptr) return Misuse{"an option is missing", "--socket"};
  if (*next == nullptr || next[1] == nullptr) return Misuse{"a command is missing behind", "--"};
  options.command = next + 1;
  return options;
}
