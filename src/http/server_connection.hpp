// One accepted connection: reads requests in order, gives each to the handler, keeps the deadlines.
//
// While it waits for a request it owns no buffer: bytes are read into the server's shared scratch,
// and only what belongs to an incomplete head or to a pipelined request is kept. Time comes from
// tick().
#pragma once

#include "http/lost_peer.hpp"
#include "http/message_parser.hpp"
#include "http/readiness.hpp"
#include "http/server_core.hpp"
#include "http/transport.hpp"
#include "http/websocket_connection.hpp"

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

namespace relay::http {

class ServerConnection {
 public:
  using Clock = std::chrono::steady_clock;

  ServerConnection(ServerCore& core, Transport::Socket socket, std::string peer,
                   unsigned short local_port);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Until the connection is over. Throws when cancelled.
  Task<void> serve();
  // Says 503 and goes.
  Task<void> refuse();

  void tick(Clock::time_point now);
  // Ends the connection if it waits for a request.
  void end_if_idle();
  // Tells a WebSocket that the server stops; the connection is about to be cancelled.
  void going_away();

  // For the exchange.
  ServerCore& core() { return core_; }
  Transport& transport() { return transport_; }
  Readiness& readiness() { return readiness_; }
  // Writes with a deadline for progress. False: the peer is lost.
  Task<bool> write(std::span<const std::string_view> parts);
  // Reads what is there of further requests. kEnd: the peer has ended its side. kLost: the
  // connection is lost, or the peer floods it.
  enum class Ahead { kMore, kEnd, kLost };
  Ahead read_ahead();
  // Sends 100 Continue, which means nothing to a client that has sent all, without waiting. False:
  // the connection is lost.
  bool send_interim();
  WebSocket& upgrade();

 private:
  enum class Read { kData, kEnd, kExpired };
  struct Incoming;

  Task<bool> serve_one();
  Task<bool> answer(Incoming& incoming);
  Task<bool> read_request(Incoming& incoming);
  Task<Read> read_more(std::string_view& fresh);
  Task<void> let_others();
  void keep(std::string_view unconsumed);
  HeadVerdict judge(Request& head) const;
  Task<void> send_error(int status, std::string explanation);
  Task<void> send_refusal(Response response);
  Task<void> linger();
  bool lost_its_peer(Clock::time_point now);
  void set_deadline(std::chrono::milliseconds from_now);
  void clear_deadline();

  ServerCore& core_;
  Transport transport_;
  Readiness readiness_{transport_};
  std::list<ServerConnection*>::iterator place_;
  std::string peer_;
  unsigned short local_port_;
  std::string pending_;  // received, not consumed
  std::unique_ptr<WebSocketConnection> websocket_;
  Clock::time_point deadline_ = Clock::time_point::max();
  Clock::time_point next_look_{};
  Silence silence_;
  bool expired_ = false;
  bool is_shaking_hands_ = false;
  bool idle_ = false;    // between two requests
  bool waited_ = false;  // since the request before, so that others had their turn
  bool served_ = false;
};

}  // namespace relay::http
