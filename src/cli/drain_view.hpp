// What GET /api/drain answers, in words. Pure.
#pragma once

#include <boost/json/object.hpp>

#include <string>

namespace relay::cli {

// "3 sessions open, 2 turns running, 1 permission waited for": one line without an end.
std::string drain_progress(const boost::json::object& state);

// Which sessions end with the relay; empty: none.
std::string drain_losses(const boost::json::object& state);

}  // namespace relay::cli
