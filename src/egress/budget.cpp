#include "egress/budget.hpp"

#include "egress/counts.hpp"

#include <string_view>

namespace relay::egress {
namespace {

Denial used_up(const std::string& upstream, std::string_view what, std::uint64_t limit) {
  const std::string name(what);
  return {Refusal::kOverBudget, 429,
          "this session has used its " + std::to_string(limit) + " " + name + " of " + upstream,
          "egress.upstreams." + upstream + ".budget." + name,
          "Go on in another session, or raise the limit."};
}

bool is_reached(std::uint64_t limit, std::uint64_t used) { return limit > 0 && used >= limit; }

std::uint64_t bytes_of(const Spent& spent) { return spent.sent_bytes + spent.received_bytes; }

}  // namespace

std::optional<Denial> over_budget(const std::string& upstream, const Budget& budget,
                                  const Spent& spent) {
  if (is_reached(budget.requests, spent.requests)) {
    return used_up(upstream, "requests", budget.requests);
  }
  if (is_reached(budget.bytes, bytes_of(spent))) return used_up(upstream, "bytes", budget.bytes);
  if (is_reached(budget.tokens, spent.tokens)) return used_up(upstream, "tokens", budget.tokens);
  return std::nullopt;
}

std::optional<Denial> Meter::begin(std::uint64_t announced) {
  std::optional<Denial> denial = over_budget(upstream_, budget_, spent_);
  if (!denial) denial = within_bytes(announced);
  if (!denial) ++spent_.requests;
  return denial;
}

std::optional<Denial> Meter::sent(std::size_t bytes) {
  spent_.sent_bytes += bytes;
  return within_bytes(0);
}

std::optional<Denial> Meter::received(std::size_t bytes) {
  spent_.received_bytes += bytes;
  return within_bytes(0);
}

// What reaches the limit is within it.
std::optional<Denial> Meter::within_bytes(std::uint64_t announced) const {
  const std::uint64_t used = bytes_of(spent_);
  const bool fits = used <= budget_.bytes && announced <= budget_.bytes - used;
  if (budget_.bytes == 0 || fits) return std::nullopt;
  return used_up(upstream_, "bytes", budget_.bytes);
}

void Meter::took(std::uint64_t tokens) { spent_.tokens = counted(spent_.tokens, tokens); }

std::optional<Denial> Meter::out_of_tokens() const {
  if (!is_reached(budget_.tokens, spent_.tokens)) return std::nullopt;
  return used_up(upstream_, "tokens", budget_.tokens);
}

}  // namespace relay::egress
