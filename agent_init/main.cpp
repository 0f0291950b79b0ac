// acp-agent-init: the first process of an agent's container.
//
//   acp-agent-init --listen 127.0.0.1:PORT --socket PATH|@NAME [--max-connections N] -- COMMAND
//   [ARG...] acp-agent-init --carry @NAME [--max-connections N]
//
// It runs the agent's command, hands its group signals, reaps what is left of its children and ends
// as it ends. Connections to the port become connections to the Unix socket, behind which the relay
// is; the socket is looked for anew each time, for the relay may have made it again. It reads none
// of what it carries, holds no secret and decides nothing.
//
// The second form is for containers that the relay's socket can't be mounted into. Run in one by
// the Engine, it is what the first form finds at the socket, and carries the connections over its
// own standard streams.
//
// One static program, because it is mounted into images that may have nothing else. The port is
// there before the command is. Ends with the command's exit code, 128 and the signal's number when
// one killed it, 127 when there is no such command, 126 when it can't be run, 125 when this program
// is called wrongly or can't have the port.

#include "carry.hpp"
#include "command.hpp"
#include "forwarder.hpp"
#include "options.hpp"
#include "poller.hpp"
#include "supervisor.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <sys/epoll.h>
#include <variant>

namespace {

constexpr std::uint64_t kSignalsTag = 0;
constexpr int kPauseMilliseconds = 100;
constexpr const char* kUsage =
    "usage: acp-agent-init --listen 127.0.0.1:PORT --socket PATH|@NAME [--max-connections N]\n"
    "                      -- COMMAND [ARG...]\n"
    "       acp-agent-init --carry PATH|@NAME [--max-connections N]\n"
    "Runs the command as a container's first process does, and carries connections to the port to\n"
    "the Unix socket. With --carry it is what listens there, and carries all of them over its own\n"
    "standard streams.\n"
    "  --listen ADDRESS:PORT   on the loopback interface; there before the command is started\n"
    "  --socket PATH|@NAME     of the relay; connected to anew for each connection\n"
    "  --carry PATH|@NAME      whoever listens there already is ended\n"
    "  --max-connections N     at one time, 1 to 4096; 256 when it is not given\n"
    "Ends as the command does; with 125, 126 or 127 when it could not be started.\n";

int answer(Question question) {
  std::fputs(question == Question::kHelp ? kUsage : "acp-agent-init " RELAY_VERSION "\n", stdout);
  return 0;
}

int complain(const Misuse& misuse) {
  std::fprintf(stderr, "acp-agent-init: %s: %s\n%s", misuse.what, misuse.argument, kUsage);
  return kOwnFailure;
}

int no_port(const Options& options, int error) {
  const int port = ntohs(options.listen.sin_port);
  if (error == EADDRINUSE) {
    std::fprintf(stderr,
                 "acp-agent-init: port %d is taken in the container; set egress.port to another\n",
                 port);
  } else {
    std::fprintf(stderr, "acp-agent-init: cannot listen on port %d (egress.port): %s\n", port,
                 std::strerror(error));
  }
  return kOwnFailure;
}

int run(const Options& options) {
  Supervisor supervisor;
  Poller poller;
  Forwarder forwarder(poller, options);
  std::uint32_t watched = 0;
  if (!forwarder.listen()) return no_port(options, errno);
  if (!poller.watch(supervisor.descriptor(), kSignalsTag, watched, EPOLLIN) ||
      !supervisor.start(options.command)) {
    std::perror("acp-agent-init: cannot start the command");
    return kOwnFailure;
  }
  for (;;) {
    std::array<epoll_event, 64> events;
    const int timeout = forwarder.is_paused() ? kPauseMilliseconds : -1;
    const int count = ::epoll_wait(poller.descriptor(), events.data(), events.size(), timeout);
    if (forwarder.is_paused()) forwarder.resume();
    for (int at = 0; at < count; ++at) {
      const epoll_event& event = events[static_cast<std::size_t>(at)];
      if (event.data.u64 != kSignalsTag) {
        forwarder.attend(event.data.u64, event.events);
      } else if (const std::optional<int> code = supervisor.attend()) {
        return *code;
      }
    }
  }
}

}  // namespace

int main(int, char** arguments) {
  const auto parsed = parse_options(arguments);
  if (const auto* const question = std::get_if<Question>(&parsed)) return answer(*question);
  if (const auto* const misuse = std::get_if<Misuse>(&parsed)) return complain(*misuse);
  if (const auto* const options = std::get_if<CarryOptions>(&parsed)) return carry(*options);
  return run(std::get<Options>(parsed));
}
