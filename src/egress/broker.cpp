#include "egress/broker.hpp"

#include <algorithm>
#include <utility>

namespace relay::egress {
namespace {

constexpr int kUnauthorized = 401;

}  // namespace

struct Broker::Way {
  Way(const asio::any_io_executor& executor, const Upstream& upstream, CredentialSource source,
      std::chrono::milliseconds connect_timeout)
      : connections(executor, upstream.endpoint, connect_timeout),
        credential(executor, std::move(source)) {}

  UpstreamConnections connections;
  Credential credential;
};

struct Broker::Session {
  std::vector<Upstream> upstreams;
  std::unique_ptr<Door> door;
};

Broker::Broker(asio::any_io_executor executor, BrokerOptions options, Observer observer, Logger log)
    : executor_(executor),
      options_(std::move(options)),
      observer_(std::move(observer)),
      log_(std::move(log)),
      tasks_(std::move(executor), [this](const std::string& task, std::exception_ptr) {
        log_.error("a task of the way out failed", {{"task", task}});
      }) {
  for (const Upstream& upstream : options_.upstreams) {
    const auto source = options_.credentials.find(upstream.name);
    ways_[upstream.name] = std::make_unique<Way>(
        executor_, upstream,
        source == options_.credentials.end() ? CredentialSource() : source->second,
        options_.connect_timeout);
  }
}

Broker::~Broker() = default;

Surroundings Broker::surroundings(const SessionId& session, std::span<const Upstream> upstreams) {
  Surroundings around;
  around.upstreams = upstreams;
  around.connections = [this](const Upstream& upstream) -> UpstreamConnections& {
    return ways_.at(upstream.name)->connections;
  };
  around.credential = [this](const Upstream& upstream) {
    return ways_.at(upstream.name)->credential.get();
  };
  around.within_budget = [this, session](const Upstream& upstream) -> std::optional<Denial> {
    const auto budget = options_.budgets.find(upstream.name);
    if (budget == options_.budgets.end()) return std::nullopt;
    return over_budget(upstream.name, budget->second, spent_[session][upstream.name]);
  };
  around.over = [this, session](const Account& account) { tell(session, account); };
  around.silence = options_.silence;
  return around;
}

void Broker::tell(const SessionId& session, const Account& account) {
  Spent& spent = spent_[session][account.upstream];
  if (account.went_out) ++spent.requests;
  if (account.denial) ++spent.failed;
  spent.sent_bytes += account.sent_bytes;
  spent.received_bytes += account.received_bytes;
  spent.tokens += account.tokens;
  const auto way = ways_.find(account.upstream);
  if (account.status == kUnauthorized && way != ways_.end()) way->second->credential.refused();
  if (account.denial) {
    log_.warn("a request of the agent did not go through",
              {{"session", session.value()},
               {"code", std::string(name_of(account.denial->refusal))},
               {"explanation", account.denial->explanation}});
  }
  if (observer_) observer_(session, account, this->spent(session));
}

Result<void> Broker::open(const SessionId& session, const std::string& path,
                          const std::vector<std::string>& upstreams) {
  close(session);
  auto opened = std::make_shared<Session>();
  for (const Upstream& upstream : options_.upstreams) {
    if (std::ranges::find(upstreams, upstream.name) != upstreams.end()) {
      opened->upstreams.push_back(upstream);
    }
  }
  auto door =
      Door::at_path(executor_, path, options_.door, surroundings(session, opened->upstreams), log_);
  if (!door) return door.error();
  opened->door = std::move(*door);
  sessions_[session] = opened;
  tasks_.spawn("door", [opened] { return opened->door->run(); });
  return {};
}

void Broker::close(const SessionId& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const std::shared_ptr<Session> closing = std::move(found->second);
  sessions_.erase(found);
  closing->door->stop();
  tasks_.spawn("close", [closing] { return closing->door->close(); });
}

void Broker::forget(const SessionId& session) { spent_.erase(session); }

SpentByUpstream Broker::spent(const SessionId& session) const {
  const auto found = spent_.find(session);
  return found == spent_.end() ? SpentByUpstream() : found->second;
}

void Broker::restore(const SessionId& session, SpentByUpstream spent) {
  spent_.try_emplace(session, std::move(spent));
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
