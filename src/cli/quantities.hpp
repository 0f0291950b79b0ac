// Sizes and times as a person reads them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace relay::cli {

// "0 B", "1023 B", "1.5 KiB", "2.0 GiB".
std::string size_words(std::uint64_t bytes);

// The two largest units: "5s", "3m 20s", "2h 5m", "3d 4h".
std::string age_words(std::chrono::seconds age);

}  // namespace relay::cli
