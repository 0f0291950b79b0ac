// Durations and sizes as people write them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::config {

// "500ms", "30s", "2m", "1h", or a plain number of seconds; a decimal fraction is allowed ("0.5s").
// Resolution is a millisecond (finer fractions are cut). Empty when malformed, negative or more
// than a year.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// "2G", "512m", "64Ki", or plain bytes. K, M, G and T are powers of 1024 in either spelling. Empty
// when malformed or above 2^63-1.
std::optional<std::uint64_t> parse_size(std::string_view text);

// The shortest spelling that the parsers read back as the same value: "90s", "2m", "0s"; "64M",
// "1000".
std::string format_duration(std::chrono::milliseconds duration);
std::string format_size(std::uint64_t bytes);

// A plain number of seconds: "10", "0.5".
std::string format_seconds(std::chrono::milliseconds duration);

}  // namespace relay::config
