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

}  // namespace relay::cli
