#include "egress/broker.hpp"

#include "base/random_id.hpp"
#include "egress/log_pace.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace relay::egress {
namespace {

constexpr std::size_t kTokenBytes = 16;

}  // namespace

struct Broker::Way {
  Way(const asio::any_io_executor& executor, const Upstream& upstream, CredentialSource source,
      Credential::Keep keep, const UpstreamConnections::Limits& limits, const Logger& log)
      : connections(executor, upstream.endpoint, limits),
        credential(executor, std::move(source), std::move(keep),
                   log.with("upstream", upstream.name)) {}

  UpstreamConnections connections;
  Credential credential;
};

struct Broker::Ledger {
  SessionId session;
  std::map<std::string, Meter> meters;  // by the name of the upstream
  LogPace pace;
  std::size_t doors = 0;  // also those that are about to be closed
};

struct Broker::Session {
  std::shared_ptr<Ledger> ledger;
  std::vector<Upstream> upstreams;
  std::vector<TunnelRule> tunnels;
  std::unique_ptr<Door> door;
};

Broker::Broker(asio::any_io_executor executor, BrokerOptions options, Observer observer, Logger log)
    : executor_(executor),
      options_(std::move(options)),
      observer_(std::move(observer)),
      log_(std::move(log)),
      tunnels_(executor_, options_.to_upstream, options_.tunnels_admit),
      tasks_(std::move(executor), [this](const std::string& task, std::exception_ptr) {
        log_.error("a task of the way out failed", {{"task", task}});
      }) {
  for (const Upstream& upstream : options_.upstreams) {
    const auto source = options_.credentials.find(upstream.name);
    Credential::Keep keep;
    if (options_.keep_secret) {
      keep = [this, name = upstream.name](const std::string& secret) {
        options_.keep_secret(name, secret);
      };
    }
    ways_[upstream.name] = std::make_unique<Way>(
        executor_, upstream,
        source == options_.credentials.end() ? CredentialSource() : source->second, std::move(keep),
        options_.to_upstream, log_);
  }
}

Broker::~Broker() = default;

Surroundings Broker::surroundings(const Session& session) {
  const std::shared_ptr<Ledger>& ledger = session.ledger;
  Surroundings around;
  around.upstreams = session.upstreams;
  around.session = ledger.get();
  around.connections = [this](const Upstream& upstream) -> UpstreamConnections& {
    return ways_.at(upstream.name)->connections;
  };
  around.credential = [this](const Upstream& upstream, const std::string& refused) {
    return ways_.at(upstream.name)->credential.get(refused);
  };
  around.refused = [this](const Upstream& upstream, const std::string& secret) {
    ways_.at(upstream.name)->credential.refused(secret);
  };
  around.tunnel_rules = session.tunnels;
  around.tunnels = &tunnels_;
  around.meter = [this, ledger](const std::string& name) -> Meter& {
    return meter_of(*ledger, name);
  };
  around.over = [this, ledger](const Account& account) { tell(*ledger, account); };
  around.silence = options_.silence;
  around.idle = options_.idle_timeout;
  return around;
}

Meter& Broker::meter_of(Ledger& ledger, const std::string& upstream) {
  const auto budget = options_.budgets.find(upstream);
  const auto made = ledger.meters.try_emplace(
      upstream, upstream, budget == options_.budgets.end() ? Budget() : budget->second);
  return made.first->second;
}

void Broker::tell(Ledger& ledger, const Account& account) {
  if (account.denial) {
    meter_of(ledger, account.upstream).failed();
    log_denial(ledger, *account.denial);
  }
  if (observer_) observer_(ledger.session, account, spent_of(ledger));
}

void Broker::log_denial(Ledger& ledger, const Denial& denial) {
  if (denial.refusal == Refusal::kAgentLeft) return;  // as agents do when a turn is cancelled
  const std::optional<std::uint64_t> left_out = ledger.pace.admit(LogPace::Time::clock::now());
  if (!left_out) return;
  const std::string detail = denial.detail.empty() ? "" : ": " + denial.detail;
  log_.with("session", ledger.session.value())
      .warn("a request of the agent did not go through",
            {{"code", std::string(name_of(denial.refusal))},
             {"explanation", denial.explanation + detail},
             {"left_out_before", *left_out}});
}

std::shared_ptr<Broker::Session> Broker::without_door(const SessionId& session,
                                                      const Reach& reach) {
  std::shared_ptr<Ledger>& ledger = ledgers_[session];
  if (!ledger) ledger = std::make_shared<Ledger>(Ledger{session, {}, {}});
  auto opened = std::make_shared<Session>();
  opened->ledger = ledger;
  ++ledger->doors;
  close(session);
  opened->tunnels = reach.tunnels;
  for (const Upstream& upstream : options_.upstreams) {
    if (std::ranges::find(reach.upstreams, upstream.name) != reach.upstreams.end()) {
      opened->upstreams.push_back(upstream);
    }
  }
  return opened;
}

void Broker::run(const SessionId& session, const std::shared_ptr<Session>& opened) {
  sessions_[session] = opened;
  tasks_.spawn("door", [opened] { return opened->door->run(); });
}

Result<void> Broker::open(const SessionId& session, const std::string& path, const Reach& reach) {
  const std::shared_ptr<Session> opened = without_door(session, reach);
  auto door = Door::at_path(executor_, path, options_.door, surroundings(*opened), log_);
  if (!door) {
    leave(opened->ledger);
    return door.error();
  }
  opened->door = std::move(*door);
  run(session, opened);
  return {};
}

void Broker::open(const SessionId& session, const Reach& reach) {
  const std::shared_ptr<Session> opened = without_door(session, reach);
  opened->door = std::make_unique<Door>(executor_, Door::Acceptor(executor_), options_.door,
                                        surroundings(*opened), log_);
  run(session, opened);
}

void Broker::admit(const SessionId& session, http::Transport::Socket socket) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second->door->admit(std::move(socket));
}

Result<LoopbackWay> Broker::open_loopback(const SessionId& session, const Reach& reach) {
  const std::shared_ptr<Session> opened = without_door(session, reach);
  Surroundings around = surroundings(*opened);
  around.token = options_.token_start + random_hex(kTokenBytes);
  AgentAddress address{"", around.token};
  auto door = Door::at_loopback(executor_, options_.door, std::move(around), log_);
  if (!door) {
    leave(opened->ledger);
    return door.error();
  }
  address.url = "http://127.0.0.1:" + std::to_string((*door)->port());
  opened->door = std::move(*door);
  run(session, opened);
  const auto close_it = [this, session, own = std::weak_ptr(opened)](const void*) {
    const std::shared_ptr<Session> left = own.lock();
    if (!left) return;  // as is the broker, perhaps
    const auto found = sessions_.find(session);
    if (found != sessions_.end() && found->second == left) close(session);
  };
  return LoopbackWay{std::move(address), std::shared_ptr<const void>(opened.get(), close_it)};
}

void Broker::close(const SessionId& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const std::shared_ptr<Session> closing = std::move(found->second);
  sessions_.erase(found);
  closing->door->stop();
  tasks_.spawn("close", [this, closing] { return end(closing); });
}

Task<void> Broker::end(std::shared_ptr<Session> closing) {
  co_await closing->door->close();
  leave(closing->ledger);
}

void Broker::leave(const std::shared_ptr<Ledger>& ledger) {
  if (--ledger->doors > 0) return;
  const auto found = ledgers_.find(ledger->session);
  if (found != ledgers_.end() && found->second == ledger) ledgers_.erase(found);
}

SpentByUpstream Broker::spent(const SessionId& session) const {
  const auto found = ledgers_.find(session);
  return found == ledgers_.end() ? SpentByUpstream() : spent_of(*found->second);
}

SpentByUpstream Broker::spent_of(const Ledger& ledger) {
  SpentByUpstream spent;
  for (const auto& [upstream, meter] : ledger.meters) spent[upstream] = meter.spent();
  return spent;
}

void Broker::restore(const SessionId& session, const SpentByUpstream& spent) {
  const auto [place, is_new] = ledgers_.try_emplace(session);
  if (!is_new) return;
  place->second = std::make_shared<Ledger>(Ledger{session, {}, {}});
  for (const auto& [upstream, used] : spent) meter_of(*place->second, upstream).restore(used);
}

Task<Result<void>> Broker::recall(SessionId session) {
  if (!options_.spent_before || ledgers_.contains(session)) co_return Result<void>();
  const auto spent = co_await options_.spent_before(session);
  if (!spent) co_return spent.error();
  restore(session, *spent);
  co_return Result<void>();
}

std::size_t Broker::connections() const {
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) count += session->door->connections();
  return count;
}

Task<void> Broker::shut_down() {
  while (!sessions_.empty()) close(SessionId(sessions_.begin()->first));
  co_await tasks_.join();
  for (const auto& [name, way] : ways_) {
    way->connections.close();
    co_await way->credential.close();
  }
}

}  // namespace relay::egress
