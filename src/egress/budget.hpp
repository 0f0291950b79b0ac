// What a session may use of an upstream, and whether it has. Pure.
#pragma once

#include "egress/access.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace relay::egress {

// 0: without a limit.
struct Budget {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;   // of bodies, both ways together
  std::uint64_t tokens = 0;  // that the answers say
};

struct Spent {
  std::uint64_t requests = 0;  // that went out
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t failed = 0;  // denied, or cut off
};

// Why one more request may not go out.
std::optional<Denial> over_budget(const std::string& upstream, const Budget& budget,
                                  const Spent& spent);

// What one session uses of one upstream, counted while it does, so that all that is under way at
// once is within one budget.
//
// Requests and bytes never go over it. Tokens are known when an answer names them, so what is under
// way then is not cut off: a session may go over by the answers that it waits for at once.
class Meter {
 public:
  Meter(std::string upstream, const Budget& budget)
      : upstream_(std::move(upstream)), budget_(budget) {}

  // A request is to go out, with a body of so many bytes as far as it says so; the request counts
  // from here on. Else: why it may not.
  std::optional<Denial> begin(std::uint64_t announced = 0);
  // It did not go out.
  void give_back() { --spent_.requests; }

  // A part of a body is to be passed on. Else: why it may not; it counts nevertheless.
  std::optional<Denial> sent(std::size_t bytes);
  std::optional<Denial> received(std::size_t bytes);

  void took(std::uint64_t tokens);
  // Why the session may ask for nothing more in a connection that it has.
  std::optional<Denial> out_of_tokens() const;
  // Whether answers have to be readable on their way.
  bool counts_tokens() const { return budget_.tokens > 0; }

  // Used before this was made.
  void restore(const Spent& spent) { spent_ = spent; }

  void failed() { ++spent_.failed; }
  const Spent& spent() const { return spent_; }

 private:
  std::optional<Denial> within_bytes(std::uint64_t announced) const;

  const std::string upstream_;
  const Budget budget_;
  Spent spent_;
};

}  // namespace relay::egress
