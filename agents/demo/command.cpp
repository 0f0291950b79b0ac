#include "command.hpp"

#include <charconv>
#include <cmath>

namespace demo {

namespace {

constexpr CommandHelp kCommands[] = {
    {Verb::kHelp, "help", "", "list these commands"},
    {Verb::kRecall, "recall", "", "list the prompts of this session"},
    {Verb::kChunks, "chunks", "N SIZE", "answer in N chunks of SIZE bytes"},
    {Verb::kPermission, "permission", "", "ask for permission and report the outcome"},
    {Verb::kTool, "tool", "", "report a tool call with updates, a diff and a plan"},
    {Verb::kSubagent, "subagent", "", "have a sub-agent ask for permission and report the outcome"},
    {Verb::kSleep, "sleep", "SECONDS", "answer after a while; may be cancelled"},
    {Verb::kExit, "exit", "CODE", "end the agent at once, without an answer"},
    {Verb::kOom, "oom", "[MIB]", "use memory up to the limit of the container, or MIB mebibytes"},
    {Verb::kStderr, "stderr", "TEXT", "write a line to stderr"},
    {Verb::kHuge, "huge", "BYTES", "send one message whose line has BYTES bytes"},
    {Verb::kGarbage, "garbage", "", "send lines that are no JSON-RPC messages, then go on"},
    {Verb::kFlood, "flood", "N", "send N small chunks without reading anything in between"},
    {Verb::kEnv, "env", "", "show the environment"},
    {Verb::kCwd, "cwd", "", "show the working directory of the process and of the session"},
    {Verb::kWrite, "write", "PATH TEXT", "write a file; a relative PATH lies in the session's cwd"},
    {Verb::kRead, "read", "PATH", "show a file, at most 1 MiB of it"},
    {Verb::kCall, "call", "METHOD [JSON]",
     "send a request to the client and show its answer; $SESSION stands for the session's id"},
    {Verb::kHang, "hang", "", "stop reading and answering, even at the end of input"},
    {Verb::kDup, "dup", "", "send a response with an unknown id, then answer twice"},
};

constexpr std::uint64_t kMaxCount = 1'000'000'000;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Takes the first word off `rest`.
std::string_view take_word(std::string_view& rest) {
  rest = rest.substr(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
  const std::size_t end = std::min(rest.find_first_of(" \t\r\n"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

bool take_number(std::string_view& rest, std::uint64_t& value) {
  const std::string_view word = take_word(rest);
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  return !word.empty() && failure == std::errc() && end == word.data() + word.size() &&
         value <= kMaxCount;
}

bool take_milliseconds(std::string_view& rest, std::uint64_t& value) {
  const std::string_view word = take_word(rest);
  double seconds = 0;
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (word.empty() || failure != std::errc() || end != word.data() + word.size()) return false;
  if (!(seconds >= 0) || seconds > 86400) return false;
  value = static_cast<std::uint64_t>(std::llround(seconds * 1000));
  return true;
}

bool is_empty(std::string_view rest) { return trim(rest).empty(); }

bool take_arguments(std::string_view rest, Command& command) {
  switch (command.verb) {
    case Verb::kChunks:
      return take_number(rest, command.count) && take_number(rest, command.size) && is_empty(rest);
    case Verb::kFlood:
    case Verb::kHuge:
      return take_number(rest, command.count) && is_empty(rest);
    case Verb::kExit:
      return take_number(rest, command.count) && command.count < 256 && is_empty(rest);
    case Verb::kOom:
      return is_empty(rest) || (take_number(rest, command.count) && is_empty(rest));
    case Verb::kSleep:
      return take_milliseconds(rest, command.count) && is_empty(rest);
    case Verb::kStderr:
      command.text = trim(rest);
      return true;
    case Verb::kRead:
      command.name = take_word(rest);
      return !command.name.empty() && is_empty(rest);
    case Verb::kWrite:
    case Verb::kCall:
      command.name = take_word(rest);
      command.text = trim(rest);
      return !command.name.empty();
    default:
      return is_empty(rest);
  }
}

}  // namespace

std::span<const CommandHelp> all_commands() { return kCommands; }

Command parse_command(std::string_view prompt) {
  Command command;
  std::string_view rest = trim(prompt);
  if (rest.starts_with('/')) {
    const std::string_view word = take_word(rest).substr(1);
    for (const CommandHelp& help : kCommands) {
      if (help.name != word) continue;
      command.verb = help.verb;
      if (take_arguments(rest, command)) return command;
      Command complaint;
      complaint.verb = Verb::kBadArguments;
      complaint.text = "Usage: /" + std::string(help.name);
      if (!help.arguments.empty()) complaint.text += " " + std::string(help.arguments);
      complaint.text += " - " + std::string(help.description);
      return complaint;
    }
  }
  command.text = prompt;
  return command;
}

std::string help_text() {
  std::string text = "Anything you write is echoed. Commands:\n";
  for (const CommandHelp& help : kCommands) {
    text += "/" + std::string(help.name);
    if (!help.arguments.empty()) text += " " + std::string(help.arguments);
    text += " - " + std::string(help.description) + "\n";
  }
  return text;
}

}  // namespace demo
