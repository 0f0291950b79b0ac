// Makes visible what agents do by way of the broker: in metrics, in the audit trail, to the clients
// of their sessions, and in the sums that a session's row of the log has.
//
// What is kept of a session is bounded, and goes when nothing has happened for a while. An agent
// that makes very many requests costs the log a few rows a minute and a write of its sums a second:
// that much of the sums, and of rows that count others, is lost with a relay that is killed.
#pragma once

#include "app/egress_words.hpp"
#include "app/request_trail.hpp"
#include "base/async.hpp"
#include "base/log.hpp"
#include "egress/broker.hpp"
#include "metrics/metrics.hpp"
#include "session/session_directory.hpp"
#include "storage/message_log.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace relay::app {

// Belongs to the loop; outlives the broker. shut_down() has to be called before it is destroyed.
class EgressWatch {
 public:
  // `upstreams`: the names that there are. `redact` takes secrets out of a text.
  EgressWatch(asio::any_io_executor executor, const std::vector<std::string>& upstreams,
              Metrics& metrics, storage::MessageLog& log, RedactText redact, Logger logger);
  EgressWatch(const EgressWatch&) = delete;
  EgressWatch& operator=(const EgressWatch&) = delete;

  egress::Broker::Observer observer();
  // Whose clients are told, and whose owners are named. They outlive every request.
  void sessions_are(const SessionDirectory& sessions) { sessions_ = &sessions; }

  // The sums of a session that are not in the log yet, if there are any.
  std::optional<egress::SpentByUpstream> unsaved(const SessionId& session) const;
  // The sums of a session that asked lately, also when its door is closed. Null: it did not.
  const egress::SpentByUpstream* lately(const SessionId& session) const;

  // What is not in the log yet.
  void write_all();
  // The broker is shut down. Writes all.
  Task<void> shut_down();

 private:
  using Clock = std::chrono::steady_clock;

  struct Followed {
    RequestTrail trail;
    std::map<std::string, Clock::time_point> told;  // when, by kind_of_notice()
    egress::SpentByUpstream spent;
    bool is_saved = true;
    Clock::time_point saved_at{};
  };

  void over(const SessionId& session, const egress::Account& account,
            const egress::SpentByUpstream& spent);
  void count(const egress::Account& account);
  void tell_clients(const SessionId& session, const egress::Account& account, Followed& followed);
  void write(const SessionId& session, const std::vector<RequestRow>& rows);
  void save(const SessionId& session, Followed& followed, Clock::time_point now);
  Task<void> look_after();

  Metrics& metrics_;
  storage::MessageLog& log_;
  const RedactText redact_;
  const SessionDirectory* sessions_ = nullptr;
  std::map<SessionId, Followed> followed_;
  bool looks_after_ = false;
  TaskScope tasks_;
};

}  // namespace relay::app
