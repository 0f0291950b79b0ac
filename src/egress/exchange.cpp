#include "egress/exchange.hpp"

#include "egress/denial_answer.hpp"
#include "egress/outgoing_headers.hpp"
#include "http/message_format.hpp"

#include <boost/asio/this_coro.hpp>

#include <cerrno>
#include <utility>
#include <variant>

namespace relay::egress {
namespace {

using http::ParseState;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr int kSwitchingProtocols = 101;

std::chrono::microseconds since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               began);
}

}  // namespace

Exchange::Exchange(AgentLink& agent, http::RequestParser& parser, bool complete,
                   const Surroundings& surroundings)
    : agent_(agent), parser_(parser), surroundings_(surroundings), complete_(complete) {
  account_.method = parser.request().method;
  account_.target = parser.request().target;
}

Task<bool> Exchange::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const http::Request& request = parser_.request();
  Verdict verdict = judge(request.method, request.target, surroundings_.upstreams);
  if (auto* denial = std::get_if<Denial>(&verdict)) {
    account_.upstream = denial->upstream;
    co_return co_await refuse(std::move(*denial));
  }
  const Passage passage = std::move(std::get<Passage>(verdict));
  const Upstream& upstream = *passage.upstream;
  account_.upstream = upstream.name;
  if (surroundings_.within_budget) {
    std::optional<Denial> spent = surroundings_.within_budget(upstream);
    if (spent) co_return co_await refuse(std::move(*spent));
  }
  Result<std::string> credential = std::string();
  if (upstream.credential.kind != CredentialPlace::Kind::kNone) {
    credential = co_await surroundings_.credential(upstream);
  }
  if (!credential) {
    Denial denial{Refusal::kNoCredential, 502, credential.error().explanation,
                  "egress.upstreams." + upstream.name + ".credential", ""};
    co_return co_await refuse(std::move(denial));
  }
  connections_ = &surroundings_.connections(upstream);
  co_return co_await pass(passage, *credential);
}

Task<bool> Exchange::pass(const Passage& passage, const std::string& credential) {
  write_head(passage, credential);
  take_body();
  if (!complete_ && parser_.expects_continue()) {
    const bool written = co_await agent_.write(kContinue);
    if (!written) co_return false;
  }
  is_whole_ = complete_;
  const Result<void> opened = co_await open();
  if (!opened) co_return co_await refuse(explained(opened.error()));
  account_.went_out = true;
  TaskScope scope(agent_.transport().executor(), ignore_failure);
  scope.spawn("upload", [this] { return upload(); });
  scope.spawn("silence", [this] { return watch_silence(); });
  const Result<ParseState> state = co_await read_head();
  bool reusable = false;
  if (state) {
    account_.to_first_byte = since(began_);
    account_.status = response_->response().status;
    if (account_.status == kSwitchingProtocols) {
      scope.cancel();
      co_await scope.join();
      co_await tunnel();
    } else {
      reusable = co_await answer(*state);
    }
  }
  scope.cancel();
  co_await scope.join();
  if (!state) co_return co_await refuse(explained(state.error()));
  if (lingers_) co_await agent_.linger();
  if (reusable && is_sent_ && response_->keep_alive() && !upstream_->has_unread()) {
    connections_->keep(std::move(upstream_));
  }
  tell();
  co_return reusable&& parser_.keep_alive();
}

Denial Exchange::explained(const Error& error) const {
  const std::string& name = account_.upstream;
  const std::string key = "egress.upstreams." + name + ".url";
  if (bad_body_) {
    return {Refusal::kBadRequest, bad_body_->status, bad_body_->explanation, "", ""};
  }
  if (silent_) {
    return {Refusal::kTimedOut, 504, name + " has said nothing for too long", "egress.silence",
            "Try again, or grant it more time."};
  }
  switch (number_of(error, "errno")) {
    case ETIMEDOUT:
      return {Refusal::kTimedOut, 504, name + ": " + error.explanation, key, "Try again."};
    case EBADMSG:
      return {Refusal::kBadAnswer, 502, name + ": " + error.explanation, key,
              "What answers there is no HTTP server."};
    default:
      return {Refusal::kUnreachable, 502, name + ": " + error.explanation, key,
              "Try again; if it stays so, look at the upstream's address, its certificate and the "
              "relay's network."};
  }
}

// The connection ends with it where the agent may still be sending the body.
Task<bool> Exchange::refuse(Denial denial) {
  account_.denial = std::move(denial);
  if (agent_gone_) {
    tell();
    co_return false;
  }
  http::Response response = answer_to(*account_.denial);
  account_.status = response.status;
  tell();
  const bool stays = complete_ && parser_.keep_alive();
  http::Framing framing;
  framing.content_length = response.body.size();
  if (!stays) framing.connection = "close";
  std::string out;
  http::append_response_head(out, response.status, response.headers, framing);
  if (parser_.request().method != "HEAD") out += response.body;
  const bool written = co_await agent_.write(out);
  if (written && !complete_) co_await agent_.linger();
  co_return written&& stays;
}

void Exchange::tell() {
  account_.duration = since(began_);
  account_.tokens = usage_.tokens();
  if (surroundings_.over) surroundings_.over(account_);
}

}  // namespace relay::egress
