// How the relay is: health, readiness, and all of it on one page.
#include "management/answer.hpp"
#include "management/management_api.hpp"
#include "management/overview.hpp"
#include "management/routes.hpp"
#include "management/views.hpp"
#include "metrics/process_facts.hpp"

#include <algorithm>
#include <functional>

namespace relay::management {
namespace {

metrics::SessionState state_of(const Session& session) {
  switch (session.state()) {
    case SessionState::kStarting:
      return metrics::SessionState::kStarting;
    case SessionState::kReady:
      return session.turn_running() ? metrics::SessionState::kTurn : metrics::SessionState::kReady;
    case SessionState::kClosing:
    case SessionState::kClosed:
      break;
  }
  return metrics::SessionState::kClosing;
}

AgentRow row_of(const Session& session, const AgentSurvey& survey) {
  AgentRow row;
  row.session = session.id().value();
  row.agent = session.record().agent;
  row.isolation = session.record().isolation;
  row.runs_as = session.agent_description();
  row.state = state_of(session);
  row.clients = session.client_count();
  if (const AgentReading* const reading = survey.of(session.id())) row.reading = *reading;
  return row;
}

}  // namespace

http::Response ManagementApi::health() const {
  HealthFacts facts;
  facts.version = context_.version;
  facts.uptime = uptime();
  facts.isolation = context_.isolation;
  facts.agent_command = *context_.agent_command;
  facts.sessions = context_.sessions.size();
  return answer(200, health_view(facts));
}

std::chrono::seconds ManagementApi::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() -
                                                          context_.start);
}

Task<ReadinessFacts> ManagementApi::readiness(storage::LogStatus log) {
  ReadinessFacts facts;
  facts.sessions = context_.sessions.size();
  facts.session_limit = context_.sessions.limit();
  facts.log_writable = log.writable;
  facts.log_held_back_for = log.held_back_for;
  facts.wal_bytes = log.wal_bytes;
  facts.disk_free_bytes = log.disk_free_bytes;
  const auto now = std::chrono::steady_clock::now();
  facts.starts = context_.metrics.recent_starts.share(now);
  facts.turns = context_.metrics.recent_turns.share(now);
  facts.limits = *context_.readiness;
  facts.open_descriptors = metrics::count_open_fds();
  facts.descriptor_limit = metrics::descriptor_limit();
  if (context_.extra_reasons) facts.others = co_await context_.extra_reasons();
  co_return facts;
}

Task<http::Response> ManagementApi::ready() {
  const storage::LogStatus log = context_.log.status();
  const ReadinessFacts facts = co_await readiness(log);
  const bool is_ready = not_ready_because(facts).empty();
  http::Response response = answer(is_ready ? 200 : 503, readiness_view(facts, log));
  if (!is_ready) response.headers.push_back({"Retry-After", "5"});
  co_return response;
}

Task<http::Response> ManagementApi::scrape() {
  const ReadinessFacts facts = co_await readiness(context_.log.status());
  context_.metrics.not_ready = each_reason(not_ready_because(facts));
  co_return answer(200, context_.metrics.text(), Metrics::kContentType);
}

Task<http::Response> ManagementApi::overview(
    std::vector<std::pair<std::string, std::string>> query) {
  const auto wanted = read_overview_query(query);
  if (!wanted) co_return refusal(wanted.error());
  AgentSurvey::Sessions sessions = context_.sessions.all();
  std::ranges::sort(sessions, std::greater(), [](const auto& session) {
    return std::pair(session->record().created_at, session->id());
  });
  OverviewFacts facts;
  facts.all_agents = sessions.size();
  facts.offset = std::min(wanted->offset, sessions.size());
  sessions.erase(sessions.begin(), sessions.begin() + static_cast<std::ptrdiff_t>(facts.offset));
  sessions.resize(std::min(wanted->limit, sessions.size()));
  co_await survey_.look_at(sessions);

  for (const auto& session : sessions) facts.agents.push_back(row_of(*session, survey_));
  for (const auto& session : context_.sessions.all()) ++facts.sessions[state_of(*session)];
  facts.now = wall_now();
  facts.version = context_.version;
  facts.uptime = uptime();
  facts.log = context_.log.status();
  facts.readiness = co_await readiness(facts.log);
  co_return answer(200, overview_view(facts, context_.metrics.recent));
}

}  // namespace relay::management
