// Answers one request. A peer that is gone needs no answer, so there is nothing to report.
#pragma once

#include "http/server.hpp"

namespace relay::frontend {

inline Task<void> answer(http::Exchange& exchange, http::Response response) {
  [[maybe_unused]] const auto sent = co_await exchange.respond(std::move(response));
}

}  // namespace relay::frontend
