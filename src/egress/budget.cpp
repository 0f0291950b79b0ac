#include "egress/budget.hpp"

#include <string_view>

namespace relay::egress {

std::optional<Denial> over_budget(const std::string& upstream, const Budget& budget,
                                  const Spent& spent) {
  struct Bound {
    std::string_view what;
    std::uint64_t limit, used;
  };
  for (const Bound& bound : {Bound{"requests", budget.requests, spent.requests},
                             Bound{"bytes", budget.bytes, spent.sent_bytes + spent.received_bytes},
                             Bound{"tokens", budget.tokens, spent.tokens}}) {
    if (bound.limit == 0 || bound.used < bound.limit) continue;
    const std::string what(bound.what);
    return Denial{
        Refusal::kOverBudget, 429,
        "this session has used its " + std::to_string(bound.limit) + " " + what + " of " + upstream,
        "egress.upstreams." + upstream + ".budget." + what,
        "Go on in another session, or raise the limit."};
  }
  return std::nullopt;
}

}  // namespace relay::egress
