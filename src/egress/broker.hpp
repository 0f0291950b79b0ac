// The way out of agents that have no network: a door for each session, and behind all of them the
// same upstreams, connections and credentials.
//
// Belongs to one loop. shut_down() has to be called before it is destroyed.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/strong_id.hpp"
#include "egress/budget.hpp"
#include "egress/credential.hpp"
#include "egress/door.hpp"
#include "egress/upstream_connections.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace relay::egress {

struct BrokerOptions {
  std::vector<Upstream> upstreams;
  // Both by the name of the upstream; a budget is each session's.
  std::map<std::string, CredentialSource> credentials;
  std::map<std::string, Budget> budgets;
  DoorOptions door;
  std::chrono::milliseconds silence{600'000};
  std::chrono::milliseconds connect_timeout{10'000};
};

// By the name of the upstream; what named none is under "".
using SpentByUpstream = std::map<std::string, Spent>;

class Broker {
 public:
  // Told of every request that is over, and of what its session has used with it.
  using Observer =
      std::function<void(const SessionId&, const Account&, const SpentByUpstream& spent)>;

  Broker(asio::any_io_executor executor, BrokerOptions options, Observer observer, Logger log);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker();

  // From here on the session's agent reaches those of the upstreams through a socket at `path`. A
  // door that it had is closed.
  Result<void> open(const SessionId& session, const std::string& path,
                    const std::vector<std::string>& upstreams);
  // Ends what is under way. What the session has used is still known.
  void close(const SessionId& session);
  // No session of this id comes back.
  void forget(const SessionId& session);
  SpentByUpstream spent(const SessionId& session) const;
  // What the session used under an earlier relay. What is known of it already stands.
  void restore(const SessionId& session, SpentByUpstream spent);

  // Open ones of all agents.
  std::size_t connections() const;

  Task<void> shut_down();

 private:
  struct Way;  // one upstream: its connections and its credential
  struct Session;

  Surroundings surroundings(const SessionId& session, std::span<const Upstream> upstreams);
  void tell(const SessionId& session, const Account& account);

  asio::any_io_executor executor_;
  const BrokerOptions options_;
  const Observer observer_;
  const Logger log_;
  std::map<std::string, std::unique_ptr<Way>> ways_;
  std::map<SessionId, std::shared_ptr<Session>> sessions_;
  std::map<SessionId, SpentByUpstream> spent_;
  TaskScope tasks_;
};

}  // namespace relay::egress
