// Peers that vanish without a word: a machine that lost its power, a network that is cut.
#pragma once

namespace relay::http {

// Where nothing is to be said for long, what lies between may forget the connection; and a peer
// that is gone does not say so. From now on the system asks it when it has been silent for 30 s,
// and ends the connection when nine questions are not answered, after two minutes. One that is
// there and reads nothing may take its time. For TCP sockets, also one that listens; what the
// system refuses is left out.
void notice_a_lost_peer(int socket);

}  // namespace relay::http
