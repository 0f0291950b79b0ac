// Wall-clock times as the wire and the log write them.
#pragma once

#include <chrono>
#include <string>

namespace relay {

// Wall-clock instant with the resolution that is stored and shown.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

WallTime wall_now();

// RFC 3339 in UTC with milliseconds: 2026-01-31T08:15:30.123Z
std::string to_rfc3339(WallTime time);

// As SQL writes it, in UTC with seconds: 2026-01-31 08:15:30
std::string to_sql_time(WallTime time);

}  // namespace relay
