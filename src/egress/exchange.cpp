#include "egress/exchange.hpp"

#include "egress/agent_token.hpp"
#include "egress/denial_answer.hpp"
#include "egress/outgoing_headers.hpp"
#include "http/message_format.hpp"

#include <boost/asio/this_coro.hpp>

#include <cerrno>
#include <exception>
#include <utility>
#include <variant>

namespace relay::egress {
namespace {

using http::ParseState;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr int kAgentHasLeft = 499;
constexpr const char* kLogSaysWhy = "; the relay's log says why";

}  // namespace

Exchange::Exchange(AgentLink& agent, http::RequestParser& parser, bool complete,
                   const Surroundings& surroundings)
    : agent_(agent),
      parser_(parser),
      surroundings_(surroundings),
      complete_(complete),
      gone_(agent.transport().executor()),
      helpers_(agent.transport().executor(), ignore_failure) {
  account_.method = parser.request().method;
  account_.target = parser.request().target;
}

// However it ends, nothing of it is left: helpers refer to it.
Task<bool> Exchange::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::exception_ptr failure;
  bool goes_on = false;
  try {
    const bool served = co_await serve();
    goes_on = served;
  } catch (...) {
    failure = std::current_exception();
  }
  co_await end_helpers();
  tell();
  if (failure) std::rethrow_exception(failure);
  co_return goes_on;
}

Task<void> Exchange::end_helpers() {
  if (!helpers_.empty()) {
    helpers_.cancel();
    co_await helpers_.join();
  }
  agent_.unwatch();  // which upload() may have begun in its last turn
}

Task<bool> Exchange::serve() {
  const http::Request& request = parser_.request();
  if (!surroundings_.token.empty() && !has_token(request, surroundings_.token)) {
    Denial denial{
        Refusal::kNoToken, 401, "this port is one agent's alone", "",
        "Send the token of its session as the key: what {upstream_key} in agent.env becomes."};
    co_return co_await refuse(std::move(denial));
  }
  is_of_the_agent_ = true;
  if (request.method == "CONNECT") co_return co_await serve_connect();
  Verdict verdict = judge(request.method, request.target, surroundings_.upstreams);
  if (auto* denial = std::get_if<Denial>(&verdict)) {
    account_.upstream = denial->upstream;
    co_return co_await refuse(std::move(*denial));
  }
  passage_ = std::move(std::get<Passage>(verdict));
  const Upstream& upstream = *passage_.upstream;
  account_.upstream = upstream.name;
  Meter& meter = surroundings_.meter(upstream.name);
  std::optional<Denial> over = meter.begin(parser_.content_length().value_or(0));
  if (over) co_return co_await refuse(std::move(*over));
  meter_ = &meter;
  if (upstream.credential.kind != CredentialPlace::Kind::kNone) {
    Result<std::string> credential = co_await surroundings_.credential(upstream, "");
    if (!credential) {
      Denial denial{Refusal::kNoCredential,
                    502,
                    "the credential of " + upstream.name + " cannot be had" + kLogSaysWhy,
                    "egress.upstreams." + upstream.name + ".credential",
                    "",
                    upstream.name,
                    credential.error().explanation};
      co_return co_await refuse(std::move(denial));
    }
    credential_ = std::move(*credential);
  }
  connections_ = &surroundings_.connections(upstream);
  co_return co_await pass();
}

Task<bool> Exchange::pass() {
  write_head();
  const bool fits = take_body();
  if (!fits) co_return co_await refuse(*cut_);
  if (!complete_ && parser_.expects_continue()) {
    const AnswerParts alone{kContinue, {}, {}};
    const bool written = co_await write_agent(alone);
    if (!written) co_return false;
  }
  is_whole_ = complete_;
  if (complete_) watch_agent();
  const Result<void> opened = co_await open();
  if (!opened) co_return co_await refuse(explained(opened.error()));
  account_.went_out = true;
  if (!complete_) {
    is_uploading_ = true;
    helpers_.spawn("upload", [this] { return upload(); });
  }
  const Result<ParseState> state = co_await read_answer();
  if (!state) {
    co_await end_helpers();
    co_return co_await refuse(explained(state.error()));
  }
  account_.to_first_byte = since_beginning();
  account_.status = response_->response().status;
  head_ = std::string();  // an answer may take long
  if (is_whole_) body_ = std::string();
  if (account_.status == kSwitchingProtocols) {
    co_await end_helpers();
    co_await tunnel(switching_head());
    co_return false;
  }
  const bool goes_on = co_await answer(*state);
  if (helpers_.empty()) {
    agent_.unwatch();
  } else {
    co_await end_helpers();
  }
  if (lingers_) co_await agent_.linger();
  // Where an upgrade was refused, a proxy on the way may think that it was not.
  const bool stays_http = !wants_websocket(parser_.request().headers);
  const bool is_over = is_sent_ && response_->keep_alive() && !upstream_->has_unread();
  // Also where the agent's own connection ends.
  if (is_passed_ && stays_http && is_over) {
    connections_->keep(std::move(upstream_));
  }
  co_return goes_on;
}

Denial Exchange::explained(const Error& error) const {
  if (cut_) return *cut_;
  if (gone_.happened()) {
    return {Refusal::kAgentLeft, kAgentHasLeft, "the agent left before its answer was there", "",
            ""};
  }
  const std::string& name = account_.upstream;
  const std::string key = "egress.upstreams." + name + ".url";
  constexpr std::string_view kRemedy =
      "Try again; if it stays so, look at the upstream's address, its certificate and the relay's "
      "network.";
  switch (number_of(error, "errno")) {
    case 0:  // of this host: files that TLS needs
      return {Refusal::kUnreachable,
              502,
              name + " cannot be reached" + kLogSaysWhy,
              key,
              std::string(kRemedy),
              name,
              error.explanation};
    case EUSERS:
      return {Refusal::kTooManyConnections, 503, name + ": " + error.explanation,
              "egress.max_upstream_connections",
              "Try again when some have ended, or raise the limit."};
    case ETIMEDOUT:
      return {Refusal::kTimedOut, 504, name + ": " + error.explanation, key, "Try again."};
    case EBADMSG:
      return {Refusal::kBadAnswer, 502, name + ": " + error.explanation, key,
              "What answers there is no HTTP server."};
    default:
      return {Refusal::kUnreachable, 502, name + ": " + error.explanation, key,
              std::string(kRemedy)};
  }
}

// The connection ends with it where the agent may still be sending the body.
Task<bool> Exchange::refuse(Denial denial) {
  account_.denial = std::move(denial);
  if (gone_.happened()) co_return false;
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
  const AnswerParts alone{out, {}, {}};
  const bool written = co_await write_answer(alone);
  if (written && !complete_) co_await agent_.linger();
  co_return (written && stays);
}

std::chrono::microseconds Exchange::since_beginning() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began_);
}

void Exchange::tell() {
  if (std::exchange(is_told_, true)) return;
  if (meter_ != nullptr && !account_.went_out) meter_->give_back();
  account_.duration = since_beginning();
  if (surroundings_.over) surroundings_.over(account_);
}

}  // namespace relay::egress
