// A tree of values as YAML or JSON text.
#pragma once

#include "config/value.hpp"

#include <boost/json/value.hpp>

#include <string>

namespace relay::config {

// The value as it stands behind "key:" at `indent` columns: " 1\n", or "\n" and lines of its own.
std::string yaml_after_key(const Value& value, std::size_t indent);

boost::json::value to_json_value(const Value& value);

}  // namespace relay::config
