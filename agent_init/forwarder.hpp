// Carries the connections to a loopback port to the relay's socket, byte by byte.
//
// Everything is bounded: connections by Options::max_connections, each with two buffers of
// Flow::kBufferBytes, which the kernel gives when they are first used and takes back with the
// connection's end. A connection beyond the bound, and any while the relay is not there, gets an
// HTTP response that says so. Never waits; a half-close is passed on either way.
#pragma once

#include "answers.hpp"
#include "flow.hpp"
#include "options.hpp"
#include "poller.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

class Forwarder {
 public:
  // Tags of the poller from here on are the forwarder's.
  static constexpr std::uint64_t kListenerTag = 1;

  Forwarder(Poller& poller, const Options& options);  // both outlive it

  // Connections are taken by the kernel from now on. False with errno when the address can't be
  // had.
  bool listen();

  // Does what an event of the poller asks for.
  void attend(std::uint64_t tag, std::uint32_t events);

  // No descriptor was left for a connection, and it waits: call resume() a little later.
  bool is_paused() const { return listener_ >= 0 && listener_watched_ == 0; }
  void resume();

 private:
  struct Connection {
    int client = -1;  // -1: not in use
    int relay = -1;   // -1: it was refused, and what the client says is thrown away
    Flow up;
    Flow down;
    std::uint32_t client_watched = 0;
    std::uint32_t relay_watched = 0;
  };

  static constexpr std::size_t kBuffers = 2 * Flow::kBufferBytes;

  void accept();
  void refuse(int client, std::string_view answer);
  bool move(Connection& connection, bool of_client, std::uint32_t events);
  void settle(std::size_t index, bool lives);
  void close(std::size_t index);

  Poller& poller_;
  const Options& options_;
  const Answers answers_;
  int listener_ = -1;
  std::uint32_t listener_watched_ = 0;
  const std::size_t most_;
  std::vector<Connection> connections_;  // max_connections, then those that were refused
  std::size_t next_refused_ = 0;
  char* buffers_ = nullptr;
};
