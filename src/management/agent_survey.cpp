#include "management/agent_survey.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace relay::management {

using namespace boost::asio::experimental::awaitable_operators;

struct AgentSurvey::Round {
  Sessions sessions;
  Clock::time_point deadline;
  std::size_t next = 0;
};

Task<void> AgentSurvey::look_at(Sessions sessions) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto came = Clock::now();
  const auto deadline = came + limits_.all;
  const bool is_my_turn = co_await wait_for_turn(deadline);
  if (!is_my_turn) co_return;
  under_way_ = std::make_shared<Event>(executor);
  struct Turn {
    std::shared_ptr<Event>& under_way;
    ~Turn() { std::exchange(under_way, nullptr)->happen(); }
  };
  const Turn turn{under_way_};

  const auto now = Clock::now();
  meter_.forget_before(now - CpuMeter::kLongest);
  // What was read while this one waited is new to it.
  const auto oldest = std::min<Clock::time_point>(came, now - limits_.fresh);
  std::erase_if(readings_, [oldest](const auto& entry) { return entry.second.at < oldest; });
  std::erase_if(sessions, [this](const auto& session) { return of(session->id()) != nullptr; });
  co_await read(sessions, deadline);

  std::erase_if(sessions, [this](const auto& session) {
    const AgentReading* const reading = of(session->id());
    return reading == nullptr || reading->cpu_percent || !reading->usage ||
           !reading->usage->cpu_time;
  });
  if (sessions.empty()) co_return;
  const bool slept = co_await sleep_for(CpuMeter::kShortest);
  if (slept) co_await read(std::move(sessions), deadline);
}

const AgentReading* AgentSurvey::of(const SessionId& session) const {
  const auto found = readings_.find(session);
  return found == readings_.end() ? nullptr : &found->second;
}

// False: the time was over before those that came first were done.
Task<bool> AgentSurvey::wait_for_turn(Clock::time_point deadline) {
  while (under_way_) {
    const std::shared_ptr<Event> other = under_way_;
    if (Clock::now() >= deadline) co_return false;
    auto done = other->wait();
    auto clock = sleep_for(deadline - Clock::now());
    co_await (std::move(done) || std::move(clock));
  }
  co_return true;
}

Task<void> AgentSurvey::read(Sessions sessions, Clock::time_point deadline) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  TaskScope asking(executor, ignore_failure);
  const auto round = std::make_shared<Round>(Round{std::move(sessions), deadline});
  for (std::size_t i = 0; i < std::min(limits_.at_once, round->sessions.size()); ++i) {
    asking.spawn("ask agents", [this, round] { return ask_agents(round); });
  }
  co_await asking.join();
}

Task<void> AgentSurvey::ask_agents(std::shared_ptr<Round> round) {
  while (round->next < round->sessions.size()) {
    const std::shared_ptr<Session> session = round->sessions[round->next++];
    const auto now = Clock::now();
    if (round->deadline - now < limits_.least) co_return;
    auto answer = session->agent_usage();
    auto clock = sleep_for(std::min<Clock::duration>(limits_.call, round->deadline - now));
    auto first = co_await (std::move(answer) || std::move(clock));
    if (first.index() == 0) {
      note(session->id(), std::get<0>(std::move(first)));
    } else {
      note(session->id(), std::nullopt);
    }
  }
}

void AgentSurvey::note(const SessionId& session, std::optional<AgentUsage> usage) {
  const auto now = Clock::now();
  AgentReading reading{now, std::move(usage), std::nullopt};
  if (reading.usage && reading.usage->cpu_time) {
    reading.cpu_percent = meter_.take(session, {now, *reading.usage->cpu_time});
  }
  // What the first of two questions brought is better than nothing.
  if (reading.usage || !readings_.contains(session)) readings_[session] = std::move(reading);
}

}  // namespace relay::management
