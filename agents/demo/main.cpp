// The loop of the demo agent: read stdin, handle the lines, go on with the turns, write stdout.
#include "agent.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace {

constexpr char kUsage[] =
    "Usage: acp-demo-agent [OPTION]...\n"
    "An ACP agent without a model. Speaks JSON-RPC on stdin and stdout; the prompt /help lists "
    "what\n"
    "it can do.\n\n"
    "  --require-auth     sessions need authenticate with the method \"demo\" first\n"
    "  --hang-on METHOD   fall silent when METHOD is called\n"
    "  --exit-on METHOD   exit with code 3 when METHOD is called\n"
    "  --state DIR        keep sessions in DIR, for other processes of the agent\n"
    "  --version          show the version\n"
    "  --help             show this text\n";

// Exits on a wrong command line and after --help and --version.
demo::AgentOptions parse_options(int argc, char** argv) {
  demo::AgentOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (argument == "--version") {
      std::puts("acp-demo-agent " RELAY_VERSION);
      std::exit(0);
    } else if (argument == "--require-auth") {
      options.require_authentication = true;
    } else if (argument == "--hang-on" && i + 1 < argc) {
      options.hang_on = argv[++i];
    } else if (argument == "--exit-on" && i + 1 < argc) {
      options.exit_on = argv[++i];
    } else if (argument == "--state" && i + 1 < argc) {
      options.state = argv[++i];
    } else {
      std::fprintf(stderr, "acp-demo-agent: unknown or incomplete option \"%s\"\n%s", argv[i],
                   kUsage);
      std::exit(2);
    }
  }
  return options;
}

// Untouched pages of it cost nothing.
char input_buffer[64 * 1024];

// Hands over the complete lines of what was read; `rest` keeps the beginning of the next one.
void handle_input(demo::Agent& agent, std::string_view bytes, std::string& rest) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
      rest += bytes;
      return;
    }
    std::string_view line = bytes.substr(0, newline);
    bytes.remove_prefix(newline + 1);
    std::string whole;
    if (!rest.empty()) {
      whole = std::exchange(rest, {});
      whole += line;
      line = whole;
    }
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) agent.handle_line(line);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  demo::Output output;
  demo::Agent agent(output, parse_options(argc, argv));
  std::string rest;
  while (true) {
    const int wait = agent.work(demo::Clock::now());
    if (!output.buffer().empty()) output.flush();
    if (wait >= 0) {
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::poll(&input, 1, wait) <= 0) continue;
    }
    const ssize_t count = ::read(STDIN_FILENO, input_buffer, sizeof input_buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    handle_input(agent, {input_buffer, static_cast<std::size_t>(count)}, rest);
  }
  if (!rest.empty()) agent.handle_line(rest);
  output.flush();
  return 0;
}
