// Any order of clients' messages, agent's messages, arrivals and departures: the router must not
// crash, must number without holes, and must keep its bounds.
//
// The input is lines. The first byte of a line chooses what happens, the second who does it, the
// rest is the message.
#include "session/message_router.hpp"
#include "session/routed_session.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kMaxClients = 4;
constexpr std::size_t kQueued = 2;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Driver {
 public:
  explicit Driver(bool strip) : session_(limits(strip), strip ? "1" : "agent-session-0001") {}

  void line(std::string_view line) {
    if (line.size() < 2) return;
    const char who = line[1];
    const std::string text(line.substr(2));
    switch (line[0]) {
      case 'a':
        session_.agent(text);
        break;
      case 'c':
        if (!clients_.empty()) session_.client(client(who), text);
        break;
      case 'j':
        join(who);
        break;
      case 'l':
        leave(who);
        break;
      case 'x':
        if (clients_.empty() || (who & 0x40) != 0) {
          const std::string id(relay::RoutedSession::kRelayId);
          session_.cancel_for((who & 0x20) != 0 ? id + ".kid" : id);
        } else {
          session_.cancel(client(who));
        }
        break;
      case 'r':
        session_.cancel_because("reason", who % 2 == 0 ? relay::MessageRouter::Cancelled::kAll
                                                       : relay::MessageRouter::Cancelled::kTurn);
        break;
      case 't':
        session_.pass(std::chrono::milliseconds(static_cast<unsigned char>(who)));
        break;
      case 'e':
        session_.agent_ended(relay::make_error(relay::ErrorType::kAgentExited, "gone"));
        require(!session_.router.turn_running(), "no turn runs without an agent");
        require(session_.router.queued_prompts() == 0, "nothing waits without an agent");
        require(!session_.router.next_deadline(), "no clock runs without an agent");
        break;
      default:
        session_.answer(who, "result", text.empty() ? "{}" : "null");
    }
    look();
  }

 private:
  static relay::RouterLimits limits(bool strip) {
    relay::RouterLimits chosen;
    chosen.max_queued_prompts = kQueued;
    chosen.max_pending_requests = 3;
    chosen.permission_timeout = std::chrono::milliseconds(100);
    chosen.strip_client_disk = strip;
    return chosen;
  }

  relay::ClientId client(char who) const {
    return clients_[static_cast<unsigned char>(who) % clients_.size()];
  }

  void join(char who) {
    if (clients_.size() == kMaxClients) return;
    relay::ClientTraits traits;
    traits.may_act = (who & 1) == 0;
    traits.can_answer = (who & 2) == 0;
    traits.own_turns_only = (who & 4) != 0;
    clients_.push_back((who & 8) == 0 ? session_.join(traits) : session_.arrive(traits));
  }

  void leave(char who) {
    if (clients_.empty()) return;
    const relay::ClientId gone = client(who);
    session_.leave(gone);
    std::erase(clients_, gone);
  }

  void look() {
    for (const std::string& what : session_.broken()) require(false, what.c_str());
    require(session_.router.queued_prompts() <= kQueued, "the queue of prompts is bounded");
    require(session_.router.turn_running() || session_.router.queued_prompts() == 0,
            "prompts wait only behind a turn");
    session_.take_agent();
    for (const relay::ClientId one : clients_) session_.take(one);
  }

  relay::RoutedSession session_;
  std::vector<relay::ClientId> clients_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  Driver driver((input[0] & 1) != 0);
  input.remove_prefix(1);
  while (!input.empty()) {
    const std::size_t end = input.find('\n');
    driver.line(input.substr(0, end));
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  }
  return 0;
}
