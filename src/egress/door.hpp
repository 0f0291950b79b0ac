// The socket by which one session's agent reaches the broker: who comes through it is that agent.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "egress/agent_connection.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <string>

namespace relay::egress {

struct DoorOptions {
  RequestLimits limits;
  std::size_t max_connections = 256;  // at a time; one more is told so
};

class Door {
 public:
  using Endpoint = asio::generic::stream_protocol::endpoint;
  using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

  // A Unix socket at `path`, which replaces what lies there, or a free port of 127.0.0.1. Whoever
  // reaches the path may connect, so its directory must be the session's alone. Both work on the
  // loop, so the path has to be one of a local file system, as the relay's own run directory is.
  static Result<std::unique_ptr<Door>> at_path(asio::any_io_executor executor,
                                               const std::string& path, DoorOptions options,
                                               Surroundings surroundings, Logger log);
  static Result<std::unique_ptr<Door>> at_loopback(asio::any_io_executor executor,
                                                   DoorOptions options, Surroundings surroundings,
                                                   Logger log);

  // An acceptor that is not open: only admit() lets anybody in.
  Door(asio::any_io_executor executor, Acceptor acceptor, DoorOptions options,
       Surroundings surroundings, Logger log);
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // Accepts until close().
  Task<void> run();
  // Serves the agent at the other end of `socket`. Not behind close().
  void admit(http::Transport::Socket socket);
  // Ends what has waited for too long by then; happens by itself, too.
  void tick(AgentConnection::Clock::time_point now);
  // Accepts no more.
  void stop();
  // Ends every connection. The door may be destroyed when this and run() have returned.
  Task<void> close();

  std::uint16_t port() const;  // of 127.0.0.1
  std::size_t connections() const { return connections_.size(); }

 private:
  struct Place {
    AgentConnection* connection;
    bool is_served;  // no: it is being told that there are too many
  };

  std::size_t served() const;
  bool has_room();
  Task<void> pause(const std::string& reason);
  Task<void> sweep();

  Acceptor acceptor_;
  const DoorOptions options_;
  const Surroundings surroundings_;
  const Logger log_;
  std::list<Place> connections_;  // in the order in which they came
  bool exhausted_ = false;        // the current lack of descriptors has been logged
  bool sweeping_ = false;
  TaskScope scope_;
};

}  // namespace relay::egress
