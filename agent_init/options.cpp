#include "options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

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

// What is wrong with it, or null.
const char* set_socket(SocketAddress& socket, const char* value) {
  const std::size_t length = std::strlen(value);
  if (length < 2 || (*value != '/' && *value != '@')) {
    return "the socket must be an absolute path, or a name behind @";
  }
  if (length >= sizeof(sockaddr_un::sun_path)) {
    return "the socket is longer than the 107 bytes that it may have";
  }
  socket.address.sun_family = AF_UNIX;
  std::memcpy(socket.address.sun_path, value, length);
  if (*value == '@') socket.address.sun_path[0] = '\0';  // unix(7): of no file system
  const std::size_t ending = *value == '@' ? 0 : 1;
  socket.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + ending);
  return nullptr;
}

struct Words {
  Options options;
  bool carries = false;
};

// What is wrong with the value of an option, or null. Unknown ones are left to the caller.
const char* set(Words& words, std::string_view name, const char* value) {
  Options& options = words.options;
  if (name == "--listen") {
    const auto address = loopback(value);
    if (!address) return "--listen must be a loopback address and a port, like 127.0.0.1:9180";
    options.listen = *address;
  } else if (name == "--max-connections") {
    const auto most = number(value, 4096);
    if (!most) return "--max-connections must be a number from 1 to 4096";
    options.max_connections = *most;
  } else {
    words.carries |= name == "--carry";
    return set_socket(options.socket, value);
  }
  return nullptr;
}

bool is_option(std::string_view name) {
  return name == "--listen" || name == "--socket" || name == "--carry" ||
         name == "--max-connections";
}

}  // namespace

std::variant<Options, CarryOptions, Question, Misuse> parse_options(char** arguments) {
  Words words;
  Options& options = words.options;
  char** next = arguments + (*arguments != nullptr ? 1 : 0);
  for (; *next != nullptr && std::strcmp(*next, "--") != 0; next += 2) {
    const std::string_view name = *next;
    if (name == "--help" || name == "-h") return Question::kHelp;
    if (name == "--version") return Question::kVersion;
    if (!is_option(name)) return Misuse{"no such option; the command stands behind --", *next};
    const char* const value = next[1];
    if (value == nullptr) return Misuse{"a value is missing behind", *next};
    if (const char* const wrong = set(words, name, value)) return Misuse{wrong, value};
  }
  if (words.carries) {
    if (*next != nullptr) return Misuse{"with --carry there is no command", *next};
    if (options.listen.sin_port != 0) return Misuse{"with --carry there is no", "--listen"};
    return CarryOptions{options.socket, options.max_connections};
  }
  if (options.listen.sin_port == 0) return Misuse{"an option is missing", "--listen"};
  if (options.socket.size == 0) return Misuse{"an option is missing", "--socket"};
  if (*next == nullptr || next[1] == nullptr) return Misuse{"a command is missing behind", "--"};
  options.command = next + 1;
  return options;
}
