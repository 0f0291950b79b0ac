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

}  // namespace relay::frontend
