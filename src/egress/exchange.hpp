// One request of an agent: judged, given its credential, passed on, and its answer passed back,
// both as they come. Nothing is kept of either but what one read brought, so that whoever is slow
// holds the other one up, and memory is bounded.
//
// It is counted before it is passed on: what the session's budget does not have is not.
//
// The agent learns of a failure by an answer while none has begun, later by the connection's end
// before that of the answer.
#pragma once

#include "egress/access.hpp"
#include "egress/agent_link.hpp"
#include "egress/budget.hpp"
#include "egress/chunks.hpp"
#include "egress/tunnels.hpp"
#include "egress/upstream_connections.hpp"
#include "egress/usage_reader.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace relay::egress {

// What is told of a request when it is over.
struct Account {
  std::string method, target, upstream;  // the last one empty when none was found
  int status = 0;                        // that the agent got; 0: none
  std::uint64_t sent_bytes = 0;          // of the request's body
  std::uint64_t received_bytes = 0;      // of the answer's body, or after an upgrade
  std::uint64_t tokens = 0;              // that the answer says
  bool went_out = false;                 // there was a connection to the upstream
  std::chrono::microseconds to_first_byte{0};
  std::chrono::microseconds duration{0};
  std::optional<Denial> denial;  // why it did not go out, or was cut off
};

// What an exchange works with; outlives it.
struct Surroundings {
  std::span<const Upstream> upstreams;
  Holder session = nullptr;
  std::string token;  // that requests must have (egress/agent_token.hpp); empty: none
  std::function<UpstreamConnections&(const Upstream&)> connections;
  // The secret itself; another one than was refused, if there is one. Errors say why it can't be
  // had, without it.
  std::function<Task<Result<std::string>>(const Upstream&, const std::string& refused)> credential;
  // The upstream has answered 401 to this secret.
  std::function<void(const Upstream&, const std::string&)> refused;
  std::span<const TunnelRule> tunnel_rules;
  Tunnels* tunnels = nullptr;
  // What the session uses, and may, of an upstream or of the hosts of a tunnel's rule, by its name.
  std::function<Meter&(const std::string& name)> meter;
  std::function<void(const Account&)> over;
  // The longest time that an upstream may say nothing, and take nothing of what it is sent.
  std::chrono::milliseconds silence{600'000};
  // That nothing may be said on a connection of the agent between two requests, or by both sides of
  // a WebSocket, and that an agent may not read its answer.
  std::chrono::milliseconds idle{600'000};
};

class Exchange {
 public:
  // The parser has the head; `complete`: also the whole body.
  Exchange(AgentLink& agent, http::RequestParser& parser, bool complete,
           const Surroundings& surroundings);

  using Clock = std::chrono::steady_clock;

  // True: the agent's connection may carry another request.
  Task<bool> run();
  // The request has the token, or none is asked for.
  bool is_of_the_agent() const { return is_of_the_agent_; }
  // Nobody is there for the answer any more: it ends soon.
  void agent_left();
  // Ends what has been silent for too long.
  void tick(Clock::time_point now);

 private:
  static constexpr int kSwitchingProtocols = 101;

  Task<bool> serve();
  Task<bool> serve_connect();  // exchange_connect.cpp
  Task<bool> pass();
  Task<bool> refuse(Denial denial);
  Denial explained(const Error& error) const;
  Task<void> end_helpers();
  void tell();
  std::chrono::microseconds since_beginning() const;

  // Towards the upstream (exchange_upstream.cpp).
  void write_head();
  bool take_body();
  Task<Result<void>> open();
  Task<Result<void>> connect();
  Task<bool> write_request();
  Task<bool> write_upstream(std::string_view bytes);
  Task<void> agent_leaves();
  Task<Result<http::ParseState>> read_answer();
  Task<Result<http::ParseState>> read_head();
  bool is_switch_wanted() const;
  Task<void> upload();
  void watch_agent();
  void cut(Denial why);
  void drop_upstream();

  // Towards the agent (exchange_answer.cpp).
  Task<bool> answer(http::ParseState state);
  using AnswerParts = std::array<std::string_view, 3>;
  Task<bool> answer_body(std::string ahead, Result<http::ParseState> state, BodyFraming framing);
  Task<void> let_others();
  Task<bool> write_answer(AnswerParts parts);
  Task<bool> write_agent(AnswerParts parts);
  std::string switching_head();
  Task<void> tunnel(std::string head);
  Task<void> tunnel_to_agent();
  Task<void> tunnel_to_upstream();
  bool count_answer(std::string_view part);

  AgentLink& agent_;
  http::RequestParser& parser_;
  const Surroundings& surroundings_;
  Passage passage_;
  std::string credential_;
  Meter* meter_ = nullptr;
  bool is_of_the_agent_ = false;
  bool complete_;              // the body has been read
  bool is_whole_ = false;      // head_ and body_ are all of the request
  bool is_sent_ = false;       // all of it has been written
  bool is_uploading_ = false;  // upload() reads what the agent sends
  bool is_answering_ = false;  // the agent has the beginning of its answer
  bool is_passed_ = false;     // it has all of it
  bool is_tunnel_ = false;
  bool is_told_ = false;
  Event gone_;                 // the agent
  std::optional<Denial> cut_;  // why this side has dropped the upstream
  bool lingers_ = false;       // the agent has its answer, and may still send its body
  std::string head_;           // of the request as it goes out
  std::string body_;           // what came of it before there was a connection, framed
  UpstreamConnections* connections_ = nullptr;
  UpstreamConnections::Connection upstream_;
  bool was_kept_ = false;  // the connection
  std::unique_ptr<http::ResponseParser> response_;
  std::optional<Clock::time_point> waiting_since_;  // for the upstream; in a tunnel for both
  bool waits_for_agent_ = false;                    // to read what it is told
  bool waits_for_body_ = false;                     // for the agent to send more of it
  Clock::time_point began_ = Clock::now();
  UsageReader usage_;
  Account account_;
  TaskScope helpers_;
};

}  // namespace relay::egress
