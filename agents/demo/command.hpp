// What a prompt asks the demo agent to do.
//
// Pure: text in, a Command out. Text that does not begin with a known command is echoed; a known
// command with bad arguments comes back with its usage.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace demo {

enum class Verb {
  kEcho,
  kHelp,
  kRecall,
  kChunks,
  kFlood,
  kPermission,
  kTool,
  kSubagent,
  kSleep,
  kExit,
  kOom,
  kStderr,
  kHuge,
  kGarbage,
  kEnv,
  kCwd,
  kWrite,
  kRead,
  kCall,
  kHang,
  kDup,
  kBadArguments,  // `text` says what is wrong
};

struct Command {
  Verb verb = Verb::kEcho;
  std::string text;         // what is echoed, written or sent; or the complaint
  std::string name;         // a path or a method
  std::uint64_t count = 0;  // N, BYTES, CODE, MIB (0: until the limit), milliseconds
  std::uint64_t size = 0;   // SIZE
};

Command parse_command(std::string_view prompt);

struct CommandHelp {
  Verb verb;
  std::string_view name;       // without the slash
  std::string_view arguments;  // as in the usage line
  std::string_view description;
};

// Every command, in the order /help lists them.
std::span<const CommandHelp> all_commands();

// The text of /help.
std::string help_text();

}  // namespace demo
