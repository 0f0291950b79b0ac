// Peers that vanish without a word: a machine that lost its power, a network that is cut.
#pragma once

#include <chrono>

namespace relay::http {

// How long a connection is kept whose peer says nothing although it has to.
inline constexpr std::chrono::seconds kLostPeerTime{120};

// Where nothing is to be said for long, what lies between may forget the connection; and a peer
// that is gone does not say so. From now on the system asks it when it has been silent for 30 s,
// and ends the connection when nine questions are not answered, after kLostPeerTime. One that is
// there and reads nothing may take its time. For TCP sockets, also one that listens; what the
// system refuses is left out.
void notice_a_lost_peer(int socket);

// What TCP knows of how a peer takes what is sent to it. From one that says that it has no room
// left nothing is due.
struct Acknowledgements {
  bool is_due = false;  // of something that was sent more than once
  std::chrono::milliseconds since_last{};
};

// Nothing is due where the socket is not TCP's.
Acknowledgements acknowledgements(int socket);

// While something is on its way to a peer the system asks nothing: it sends that again, for a
// quarter of an hour. So whoever holds the connection looks at it again and again. Knows no clock.
class Silence {
 public:
  using Clock = std::chrono::steady_clock;

  // For how long an acknowledgement was due at every look and none came.
  Clock::duration look(const Acknowledgements& seen, Clock::time_point now);

 private:
  Clock::time_point since_ = Clock::time_point::max();
};

}  // namespace relay::http
