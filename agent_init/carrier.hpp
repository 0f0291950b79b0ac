// Carries the connections to a Unix socket over one pair of streams, behind which the relay is: for
// containers that the relay's own socket can't be mounted into. See carried.hpp.
//
// Everything is bounded: connections by `max_connections`, each with carried::kWindow bytes towards
// it, and what is on its way to the relay by kOutgoing, beyond which nothing is read. Never waits.
#pragma once

#include "carried.hpp"
#include "poller.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

class Carrier {
 public:
  // Tags of the poller up to here are the carrier's streams; those behind are its connections.
  static constexpr std::uint64_t kInputTag = 0;
  static constexpr std::uint64_t kOutputTag = 1;
  static constexpr std::uint64_t kListenerTag = 2;

  // `poller` outlives it; `listener` is a Unix socket that listens. Neither descriptor may wait.
  Carrier(Poller& poller, int listener, int max_connections);

  // False with errno when there is no room for it.
  bool start(int input, int output);

  // Does what an event of the poller asks for. False: the relay is gone, or does not keep to the
  // rules.
  bool attend(std::uint64_t tag, std::uint32_t events);

  // Sends what has gathered. Call it when all events that came together were attended to.
  bool flush();

  // No descriptor was left for a connection, and it waits: call resume() a little later.
  bool is_paused() const { return is_short_; }
  void resume();

 private:
  static constexpr std::size_t kOutgoing = 8 * carried::kMaxData;

  struct Connection {
    int peer = -1;  // -1: not in use
    std::uint32_t number = 0;
    std::uint32_t watched = 0;
    std::size_t credit = carried::kWindow;  // of what it says
    bool says_no_more = false;              // or nobody listens
    bool takes_no_more = false;             // or nobody speaks, and that has been passed on
    bool is_ended = false;                  // by the relay
    // What the relay has said and the peer has not taken, in a buffer of kWindow bytes.
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t taken = 0;  // and the relay not told
  };

  bool is_full() const { return out_end_ - out_begin_ >= kOutgoing; }
  bool wants_to_read(const Connection& connection) const;
  char* buffer_of(const Connection& connection);
  Connection* find(std::uint32_t number);

  // From the relay.
  bool read_input();
  bool take(const char* bytes, std::size_t count);
  bool take_head();
  bool take_data(const char* bytes, std::size_t count);
  void write(Connection& connection);
  void stop(Connection& connection);

  // To the relay.
  void watch_listener();
  void accept();
  void read(Connection& connection);
  void give_back(Connection& connection);
  char* room(std::size_t bytes);
  void append(const carried::Head& head);

  // Waits for what the connection can do next, or closes it.
  void settle(Connection& connection);

  Poller& poller_;
  const int listener_;
  const std::size_t most_;
  int input_ = -1;
  int output_ = -1;
  std::uint32_t input_watched_ = 0;
  std::uint32_t output_watched_ = 0;
  std::uint32_t listener_watched_ = 0;
  std::uint32_t last_number_ = 0;
  bool is_short_ = false;
  std::size_t open_ = 0;
  std::vector<Connection> connections_;
  char* buffers_ = nullptr;

  // Of the frame that is being read: what is there of its head, or what is missing of its data.
  char head_[carried::kHeadBytes] = {};
  std::size_t head_bytes_ = 0;
  carried::Head current_;
  std::size_t data_left_ = 0;

  std::vector<char> out_;  // what is on its way to the relay
  std::size_t out_begin_ = 0;
  std::size_t out_end_ = 0;
};
