// Looks after the peer of a server's connection while a handler works on its request.
#pragma once

#include "http/server.hpp"
#include "http/server_connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace relay::http {

class ConnectionWatch final : public PeerWatch {
 public:
  // `probe` sends something to a peer that has ended its side, if there is anything to be sent; it
  // is called again and again. False: the peer is gone. Empty: such a peer is gone.
  ConnectionWatch(ServerConnection& connection, PeerEvents events, std::function<bool()> probe);
  ~ConnectionWatch() override;

 private:
  void wait();
  void look();
  void listens_on();
  void probe_again();
  void end();

  ServerConnection& connection_;
  PeerEvents events_;
  std::function<bool()> probe_;
  asio::cancellation_signal failure_unwanted_;
  std::optional<asio::steady_timer> pause_;
  const std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace relay::http
