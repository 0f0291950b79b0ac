#include "frontend/log_room.hpp"

namespace relay::frontend {

Task<bool> log_room(SessionDirectory& sessions, const http::WebSocket& socket) {
  const auto has_gone = [&socket] { return socket.peer_has_gone(); };
  co_return co_await sessions.log_room(has_gone);
}

Task<void> log_room(SessionDirectory& sessions, http::Exchange& exchange) {
  bool has_left = false;
  http::PeerEvents events;
  events.gone = [&has_left] { has_left = true; };
  const auto watch = exchange.watch_peer(http::HalfClosed::kListensOn, std::move(events));
  const auto is_left = [&has_left] { return has_left; };
  co_await sessions.log_room(is_left);
}

}  // namespace relay::frontend
