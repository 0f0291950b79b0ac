// An exchange by CONNECT: bytes both ways, which the agent encrypts itself.
#include "egress/exchange.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace relay::egress {
namespace {

constexpr int kOk = 200;
constexpr const char* kEstablished = "HTTP/1.1 200 Connection Established\r\n\r\n";

Denial why_not(const Error& error) {
  const std::string what = error.explanation;
  switch (number_of(error, "errno")) {
    case EACCES:
      return {Refusal::kNotAllowed, 403, what, "agent.connect",
              "Names may not stand for the addresses of the relay's machine, of its link, of a "
              "cloud's metadata service, or for multicast."};
    case EUSERS:
      return {Refusal::kTooManyConnections, 503, what, "egress.max_upstream_connections",
              "Try again when some have ended, or raise the limit."};
    case ETIMEDOUT:
      return {Refusal::kTimedOut, 504, what, "", "Try again."};
    default:
      return {Refusal::kUnreachable, 502, what, "",
              "Try again; if it stays so, look at the host's name and the relay's network."};
  }
}

}  // namespace

Task<bool> Exchange::serve_connect() {
  using namespace boost::asio::experimental::awaitable_operators;
  auto verdict = judge_tunnel(parser_.request().target, surroundings_.tunnel_rules);
  if (auto* denial = std::get_if<Denial>(&verdict)) co_return co_await refuse(std::move(*denial));
  const TunnelPassage passage = std::get<TunnelPassage>(std::move(verdict));
  account_.upstream = to_string(*passage.rule);
  if (!complete_) {
    Denial denial{Refusal::kBadRequest, 400, "a CONNECT request has no body", "", ""};
    co_return co_await refuse(std::move(denial));
  }
  Meter& meter = surroundings_.meter(account_.upstream);
  std::optional<Denial> over = meter.begin();
  if (over) co_return co_await refuse(std::move(*over));
  meter_ = &meter;
  watch_agent();
  auto connecting = surroundings_.tunnels->connect(passage, surroundings_.session);
  auto leaving = agent_leaves();
  auto first = co_await (std::move(connecting) || std::move(leaving));
  if (first.index() != 0) {
    gone_.happen();
    co_return false;
  }
  Result<UpstreamConnections::Connection> made = std::get<0>(std::move(first));
  if (!made) co_return co_await refuse(why_not(made.error()));
  upstream_ = std::move(*made);
  account_.went_out = true;
  account_.to_first_byte = since_beginning();
  account_.status = kOk;
  agent_.unwatch();
  co_await tunnel(kEstablished);
  co_return false;
}

}  // namespace relay::egress
