// Errors of the relay as a person reads them: what happened, possible causes, what to do.
#pragma once

#include "base/error.hpp"
#include "cli/failure.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::cli {

// The `error` member of a JSON-RPC response. Missing or odd members are left out.
Failure explain(const boost::json::object& error);

// An error of this program's own making.
std::string explain(const Error& error);

// A number that such an error carries in its state; 0: it has none of this name.
std::int64_t number_of(const Error& error, std::string_view key);

}  // namespace relay::cli
