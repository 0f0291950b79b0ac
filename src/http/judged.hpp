// The verdict on a request's head where one function says who asks, or the answer to who may not.
#pragma once

#include "http/cors.hpp"
#include "http/server.hpp"

#include <utility>

namespace relay::http {

// `admit` returns an expected whose error is the answer. It is not asked of a preflight, which the
// handler answers: what is refused here costs the connection.
HeadVerdict judged(const Request& head, const auto& admit) {
  HeadVerdict verdict;
  if (head.method == "OPTIONS") return verdict;
  auto admitted = admit(head);
  if (admitted) return verdict;
  verdict.refusal = std::move(admitted.error());
  add_cors_headers(head, *verdict.refusal);
  return verdict;
}

}  // namespace relay::http
