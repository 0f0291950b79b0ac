// What the demo agent does to the world around it. Each function reports in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace demo {

void write_stderr(std::string_view text);

// NAME=value lines, in the order of the environment.
std::string environment_text();

std::string process_directory();

// `path` itself when it is absolute, otherwise below `cwd`.
std::string write_file(const std::string& cwd, const std::string& path, std::string_view text);
std::string read_file(const std::string& cwd, const std::string& path);

// Whether the control group sets a memory limit.
bool has_memory_limit();

// Uses that many mebibytes, 0 for as many as it takes to be killed, and gives them back. False when
// the system refuses them.
bool touch_memory(std::uint64_t mebibytes);

}  // namespace demo
