// One request of an agent: judged, given its credential, passed on, and its answer passed back,
// both as they come. Nothing is kept of either but what one read brought, so that whoever is slow
// holds the other one up, and memory is bounded.
//
// The agent learns of a failure by an answer while none has begun, later by the connection's end
// before that of the answer.
#pragma once

#include "egress/access.hpp"
#include "egress/agent_link.hpp"
#include "egress/chunks.hpp"
#include "egress/upstream_connections.hpp"
#include "egress/usage_reader.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

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
  std::string token;  // that requests must have (egress/agent_token.hpp); empty: none
  std::function<UpstreamConnections&(const Upstream&)> connections;
  // The secret itself. Errors say why it can't be had, without it.
  std::function<Task<Result<std::string>>(const Upstream&)> credential;
  // The session's say before a request goes out; empty: it may.
  std::function<std::optional<Denial>(const Upstream&)> within_budget;
  std::function<void(const Account&)> over;
  std::chrono::milliseconds silence{600'000};  // the longest time that an upstream may say nothing
};

class Exchange {
 public:
  // The parser has the head; `complete`: also the whole body.
  Exchange(AgentLink& agent, http::RequestParser& parser, bool complete,
           const Surroundings& surroundings);

  // True: the agent's connection may carry another request.
  Task<bool> run();

 private:
  using Clock = std::chrono::steady_clock;

  Task<bool> pass(const Passage& passage, const std::string& credential);
  Task<bool> refuse(Denial denial);
  Denial explained(const Error& error) const;
  void tell();

  // Towards the upstream (exchange_upstream.cpp).
  void write_head(const Passage& passage, const std::string& credential);
  void take_body();
  Task<Result<void>> open();
  Task<Result<void>> connect();
  Task<Result<http::ParseState>> read_head();
  Task<void> upload();
  Task<void> watch_silence();
  void drop_upstream();

  // Towards the agent (exchange_answer.cpp).
  Task<bool> answer(http::ParseState state);
  Task<bool> answer_body(http::ParseState state, BodyFraming framing);
  Task<void> tunnel();
  Task<void> tunnel_to_upstream();

  AgentLink& agent_;
  http::RequestParser& parser_;
  const Surroundings& surroundings_;
  bool complete_;          // the body has been read
  bool is_whole_ = false;  // head_ and body_ are all of the request
  bool is_sent_ = false;   // all of it has been written
  bool agent_gone_ = false;
  std::optional<http::ParseStep> bad_body_;
  bool lingers_ = false;  // the agent has its answer, and may still send its body
  bool silent_ = false;   // the upstream, for too long
  std::string head_;      // of the request as it goes out
  std::string body_;      // what came of it before there was a connection, framed
  UpstreamConnections* connections_ = nullptr;
  UpstreamConnections::Connection upstream_;
  bool was_kept_ = false;  // the connection
  std::unique_ptr<http::ResponseParser> response_;
  std::optional<Clock::time_point> waiting_since_;  // for the upstream
  Clock::time_point began_ = Clock::now();
  UsageReader usage_;
  Account account_;
};

}  // namespace relay::egress
