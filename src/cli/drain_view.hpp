// What GET /api/drain answers, and what it says in words. Pure.
#pragma once

#include <boost/json/object.hpp>

#include <string>

namespace relay::cli {

// "3 sessions open, 2 turns running, 1 permission waited for": one line without an end.
std::string drain_progress(const boost::json::object& state);

// Which sessions end with the relay; empty: none.
std::string drain_losses(const boost::json::object& state);

// Whether this answer is not of the relay that has been told to stop, and said this then: one that
// stops drains to its end, and the next one in a container may have its pid.
bool is_another_relay(const boost::json::object& answer, const boost::json::object& stopping);

}  // namespace relay::cli
