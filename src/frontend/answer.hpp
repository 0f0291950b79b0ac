// Answers one request. A peer that is gone needs no answer, so there is nothing to report. Web
// pages are told that they may read the answer: their Origin was admitted before.
#pragma once

#include "http/cors.hpp"
#include "http/server.hpp"

namespace relay::frontend {

inline Task<void> answer(http::Exchange& exchange, http::Response response) {
  http::add_cors_headers(exchange.request(), response);
  [[maybe_unused]] const auto sent = co_await exchange.respond(std::move(response));
}

// What the head of a request decides by itself. `admit` says who asks, or the answer. A preflight
// is answered when it is there, as it always is at once.
http::HeadVerdict judged(const http::Request& head, const auto& admit) {
  http::HeadVerdict verdict;
  if (head.method == "OPTIONS") return verdict;
  auto admitted = admit(head);
  if (admitted) return verdict;
  verdict.refusal = std::move(admitted.error());
  http::add_cors_headers(head, *verdict.refusal);
  return verdict;
}

}  // namespace relay::frontend
