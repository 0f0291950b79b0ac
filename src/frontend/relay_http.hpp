// The relay's HTTP dialect (port 8080): POST /session/*, GET /session/{id}/events.
#pragma once

#include "base/live.hpp"
#include "frontend/prompt_answer.hpp"
#include "frontend/relay_api.hpp"
#include "http/access.hpp"
#include "http/server.hpp"
#include "metrics/metrics.hpp"
#include "session/outbox.hpp"

#include <tl/expected.hpp>

#include <chrono>
#include <string>

namespace relay::frontend {

struct HttpOptions {
  Live<http::AccessRules> access;
  FrameLimits frame;
  OutboxLimits outbox;
  std::size_t max_message_bytes = 32u << 20;     // of updates in one blocking answer
  std::chrono::milliseconds keep_alive{15'000};  // between signs of life on a silent SSE stream
};

class RelayHttp {
 public:
  RelayHttp(RelayApi& api, Metrics& metrics, HttpOptions options);

  // What the head of a request decides by itself (http::ServerOptions::judge_head).
  http::HeadVerdict judge(const http::Request& head);

  // The http::Handler of the HTTP port.
  Task<void> handle(http::Exchange& exchange);

 private:
  // Who asks. Or the answer to who may not, to what is asked of nobody, and to a preflight.
  tl::expected<http::Principal, http::Response> admit(const http::Request& head);
  Task<void> post(http::Exchange& exchange, http::Principal principal, std::string name);
  Task<void> new_session(http::Exchange& exchange, http::Principal principal, Frame frame);
  Task<http::Response> answer_call(http::Exchange& exchange, http::Principal principal,
                                   std::string method, Frame frame);
  Task<Result<std::string>> perform(http::Exchange& exchange, http::Principal principal,
                                    std::string method, const Frame& frame);
  Task<Result<std::string>> respond_to_agent(http::Exchange& exchange, http::Principal principal,
                                             const Frame& frame);
  Task<Result<std::string>> cancel(http::Exchange& exchange, http::Principal principal,
                                   const Frame& frame);
  Task<Result<std::string>> resume(http::Principal principal, std::string params);

  // Whoever waits for the agent's answer to a request: attached for it alone.
  struct Caller {
    std::shared_ptr<Session> session;
    ClientId client;
    std::string id;  // of the request, JSON text
    std::shared_ptr<Outbox> outbox;
  };

  // http_prompt.cpp
  Task<void> prompt(http::Exchange& exchange, http::Principal principal, Frame frame);
  Task<void> blocking_prompt(http::Exchange& exchange, Caller caller);

  // http_calls.cpp
  Task<void> ask_agent(http::Exchange& exchange, http::Principal principal, Frame frame);
  Result<Caller> attach(asio::any_io_executor executor, std::shared_ptr<Session> session,
                        std::string_view id, bool can_answer, storage::Actor actor);
  Task<void> collect(http::Exchange& exchange, Caller caller, PromptAnswer& collected);
  // What a caller without an answer is told; `too_much`: when its outbox was too small.
  http::Response unanswered(const Caller& caller, Error too_much);

  // http_events.cpp
  Task<void> events(http::Exchange& exchange, http::Principal principal, std::string id);
  Task<void> past_events(http::Exchange& exchange, storage::SessionRecord record,
                         storage::Sequence after);
  Task<void> live_events(http::Exchange& exchange, std::shared_ptr<Session> session,
                         ClientTraits traits, storage::Sequence after, storage::Actor actor);

  http::Response error_response(std::string_view id, const Error& error);

  RelayApi& api_;
  Metrics& metrics_;
  HttpOptions options_;
};

}  // namespace relay::frontend
