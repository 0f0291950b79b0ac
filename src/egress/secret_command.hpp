// A program that prints a secret: a helper of a password store, or one that refreshes a
// subscription's token.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace relay::egress {

// Runs it without a shell and gives what it printed. Blocks, at most for `limit`; then the program
// and what it started in its process group is killed. Errors: it can't be started, ends with
// another code than 0, takes too long. They never say what it printed.
Result<std::string> run_secret_command(const std::vector<std::string>& command,
                                       std::chrono::milliseconds limit);

// What a secret's file or program says: without spaces and line ends around it. Fails with why it
// is none: it is empty, larger than 64 KiB, or has what can't stand in a header. `where` is what
// the error names.
Result<std::string> clean_secret(std::string text, const std::string& where);

inline constexpr std::size_t kMaxSecretBytes = 64u << 10;

}  // namespace relay::egress
