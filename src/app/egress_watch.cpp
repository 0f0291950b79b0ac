#include "app/egress_watch.hpp"

#include "egress/counts.hpp"

#include <utility>

namespace relay::app {
namespace {

constexpr std::chrono::seconds kSavePeriod{1};
constexpr std::chrono::minutes kNoticePeriod{1};

}  // namespace

EgressWatch::EgressWatch(asio::any_io_executor executor, const std::vector<std::string>& upstreams,
                         Metrics& metrics, storage::MessageLog& log, RedactText redact,
                         Logger logger)
    : metrics_(metrics),
      log_(log),
      redact_(std::move(redact)),
      tasks_(std::move(executor),
             [logger = std::move(logger)](const std::string& task, std::exception_ptr) {
               logger.error("what agents did through the relay is not noted", {{"task", task}});
             }) {
  if (upstreams.empty()) return;
  metrics_.upstreams.try_emplace("");
  for (const std::string& upstream : upstreams) metrics_.upstreams.try_emplace(upstream);
}

egress::Broker::Observer EgressWatch::observer() {
  return [this](const SessionId& session, const egress::Account& account,
                const egress::SpentByUpstream& spent) { over(session, account, spent); };
}

void EgressWatch::over(const SessionId& session, const egress::Account& account,
                       const egress::SpentByUpstream& spent) {
  const auto now = Clock::now();
  count(account);
  Followed& followed = followed_[session];
  std::vector<RequestRow> rows = followed.trail.due(now);
  if (auto row = followed.trail.take(audited(account, redact_), now)) {
    rows.push_back(std::move(*row));
  }
  write(session, rows);
  followed.spent = spent;
  followed.is_saved = false;
  if (now - followed.saved_at >= kSavePeriod) save(session, followed, now);
  if (is_denied(account)) tell_clients(session, account, followed);
  if (std::exchange(looks_after_, true)) return;
  tasks_.spawn("look after", [this] { return look_after(); });
}

void EgressWatch::count(const egress::Account& account) {
  auto found = metrics_.upstreams.find(account.upstream);
  if (found == metrics_.upstreams.end()) found = metrics_.upstreams.try_emplace("").first;
  Metrics::Upstream& upstream = found->second;
  ++upstream.requests[outcome_of(account)];
  upstream.sent_bytes += account.sent_bytes;
  upstream.received_bytes += account.received_bytes;
  upstream.tokens = egress::counted(upstream.tokens, account.tokens);
  if (account.to_first_byte.count() > 0) upstream.first_byte.observe(account.to_first_byte);
}

void EgressWatch::tell_clients(const SessionId& session, const egress::Account& account,
                               Followed& followed) {
  const auto now = Clock::now();
  const auto [kind, is_new] = followed.told.try_emplace(kind_of_notice(account), now);
  if (!is_new && now - kind->second < kNoticePeriod) return;
  kind->second = now;
  const auto live = sessions_ != nullptr ? sessions_->find(session) : nullptr;
  const bool told = live != nullptr && live->tell_notice(denial_notice(account));
  if (!told) followed.told.erase(kind);
}

void EgressWatch::write(const SessionId& session, const std::vector<RequestRow>& rows) {
  if (rows.empty()) return;
  const auto live = sessions_ != nullptr ? sessions_->find(session) : nullptr;
  for (const RequestRow& row : rows) {
    storage::AuditRecord record;
    record.time = wall_now();
    record.session = session;
    record.action = row.action;
    record.detail = row.detail;
    record.actor = {live ? live->record().owner : std::string(), "agent", {}};
    log_.audit(std::move(record));
  }
}

void EgressWatch::save(const SessionId& session, Followed& followed, Clock::time_point now) {
  if (followed.is_saved) return;
  const auto live = sessions_ != nullptr ? sessions_->find(session) : nullptr;
  if (live && live->state() == SessionState::kStarting) return;  // it may have no row yet
  log_.session_used(session, use_text(followed.spent));
  followed.is_saved = true;
  followed.saved_at = now;
}

// While there is something that time changes.
Task<void> EgressWatch::look_after() {
  while (!followed_.empty()) {
    const bool slept = co_await sleep_for(kSavePeriod);
    if (!slept) break;
    const auto now = Clock::now();
    for (auto& [session, followed] : followed_) {
      save(session, followed, now);
      write(session, followed.trail.due(now));
    }
    std::erase_if(followed_, [](const auto& entry) {
      return entry.second.trail.is_idle() && entry.second.is_saved;
    });
  }
  looks_after_ = false;
}

std::optional<egress::SpentByUpstream> EgressWatch::unsaved(const SessionId& session) const {
  const auto found = followed_.find(session);
  if (found == followed_.end() || found->second.is_saved) return std::nullopt;
  return found->second.spent;
}

const egress::SpentByUpstream* EgressWatch::lately(const SessionId& session) const {
  const auto found = followed_.find(session);
  return found == followed_.end() ? nullptr : &found->second.spent;
}

void EgressWatch::write_all() {
  for (auto& [session, followed] : followed_) {
    save(session, followed, Clock::now());
    write(session, followed.trail.finish());
  }
}

Task<void> EgressWatch::shut_down() {
  tasks_.cancel();
  co_await tasks_.join();
  write_all();
}

}  // namespace relay::app
