// The way out of agents that have no network: a door for each session, and behind all of them the
// same upstreams, connections and credentials.
//
// Belongs to one loop. shut_down() has to be called before it is destroyed.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/strong_id.hpp"
#include "egress/agent_address.hpp"
#include "egress/budget.hpp"
#include "egress/credential.hpp"
#include "egress/door.hpp"
#include "egress/reach.hpp"
#include "egress/tunnels.hpp"
#include "egress/upstream_connections.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace relay::egress {

// By the name of the upstream; what named none is under "".
using SpentByUpstream = std::map<std::string, Spent>;

// What a session used under an earlier relay.
using SpentBefore = std::function<Task<Result<SpentByUpstream>>(SessionId)>;

struct BrokerOptions {
  std::vector<Upstream> upstreams;
  // Both by the name of the upstream; a budget is each session's.
  std::map<std::string, CredentialSource> credentials;
  std::map<std::string, Budget> budgets;
  DoorOptions door;
  std::chrono::milliseconds silence{600'000};
  std::chrono::milliseconds idle_timeout{600'000};
  UpstreamConnections::Limits to_upstream;  // of each
  Tunnels::Admits tunnels_admit = is_elsewhere;
  SpentBefore spent_before;  // empty: nothing
  // Told of every credential that is read from a file or a program, by its upstream's name; may be
  // empty.
  std::function<void(const std::string& upstream, const std::string& secret)> keep_secret;
  std::string token_start;  // begins every token, so that no log shows one that knows this
};

// A way out by a port of 127.0.0.1, which is there as long as `open` is.
struct LoopbackWay {
  AgentAddress address;
  std::shared_ptr<const void> open;
};

class Broker {
 public:
  // Told of every request that is over, and of what its session has used with it.
  using Observer =
      std::function<void(const SessionId&, const Account&, const SpentByUpstream& spent)>;

  Broker(asio::any_io_executor executor, BrokerOptions options, Observer observer, Logger log);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker();

  // From here on the session's agent reaches that through a socket at `path`. A
  // door that it had is closed.
  Result<void> open(const SessionId& session, const std::string& path, const Reach& reach);
  // The same without a socket: the agent's connections are brought by admit().
  void open(const SessionId& session, const Reach& reach);
  // Closes `socket` if the session has no door.
  void admit(const SessionId& session, http::Transport::Socket socket);
  // The same for an agent that is a process of this host: the port is its own, and so is the key.
  Result<LoopbackWay> open_loopback(const SessionId& session, const Reach& reach);
  // Ends what is under way. What the session has used is known until that has been told of; from
  // then on it is recalled.
  void close(const SessionId& session);
  SpentByUpstream spent(const SessionId& session) const;
  // What the session used under an earlier relay. What is known of it already stands.
  void restore(const SessionId& session, const SpentByUpstream& spent);
  // The same, as BrokerOptions::spent_before says it; to be called right before a door is opened.
  Task<Result<void>> recall(SessionId session);

  // Open ones of all agents.
  std::size_t connections() const;

  Task<void> shut_down();

 private:
  struct Way;  // one upstream: its connections and its credential
  struct Session;
  struct Ledger;  // what a session has used, as long as it has a door

  std::shared_ptr<Session> without_door(const SessionId& session, const Reach& reach);
  Surroundings surroundings(const Session& session);
  void run(const SessionId& session, const std::shared_ptr<Session>& opened);
  Task<void> end(std::shared_ptr<Session> closing);
  void leave(const std::shared_ptr<Ledger>& ledger);
  Meter& meter_of(Ledger& ledger, const std::string& upstream);
  static SpentByUpstream spent_of(const Ledger& ledger);
  void tell(Ledger& ledger, const Account& account);
  void log_denial(Ledger& ledger, const Denial& denial);

  asio::any_io_executor executor_;
  const BrokerOptions options_;
  const Observer observer_;
  const Logger log_;
  std::map<std::string, std::unique_ptr<Way>> ways_;
  std::map<SessionId, std::shared_ptr<Session>> sessions_;
  std::map<SessionId, std::shared_ptr<Ledger>> ledgers_;
  Tunnels tunnels_;
  TaskScope tasks_;
};

}  // namespace relay::egress
