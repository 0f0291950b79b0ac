#include "http/websocket_url.hpp"

#include <algorithm>

namespace relay::http {

Result<WebSocketUrl> WebSocketUrl::parse(std::string_view url) {
  const std::size_t mark = url.find("://");
  const std::string_view scheme = url.substr(0, mark == std::string_view::npos ? 0 : mark);
  const bool secure = scheme == "wss" || scheme == "https";
  if (!secure && scheme != "ws" && scheme != "http") {
    return make_error(ErrorType::kInvalidParams, "the address has no scheme that is known here")
        .suggest("Write ws://host:port/path or wss://host:port/path.");
  }
  const std::string_view rest = url.substr(mark + 3);
  const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  Result<Endpoint> endpoint =
      Endpoint::parse((secure ? "https://" : "http://") + std::string(rest.substr(0, path)));
  if (!endpoint) return endpoint.error();
  WebSocketUrl out{std::move(*endpoint), std::string(rest.substr(path))};
  if (out.target.empty()) out.target = "/";
  if (out.target.find_first_of("?#") != std::string::npos) {
    return make_error(ErrorType::kInvalidParams, "the address must not have a query or a fragment")
        .suggest("Give a token in a header, not in the address: addresses end up in logs.");
  }
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::ranges::all_of(out.target, is_plain)) {
    return make_error(ErrorType::kInvalidParams,
                      "the path holds a character that has to be escaped")
        .suggest("Write it as %XX.");
  }
  return out;
}

std::string WebSocketUrl::to_string() const {
  const bool secure = endpoint.transport == Endpoint::Transport::kTls;
  return (secure ? "wss://" : "ws://") + endpoint.authority() + target;
}

}  // namespace relay::http
