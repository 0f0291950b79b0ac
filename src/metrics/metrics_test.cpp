#include "metrics/metrics.hpp"

#include "base/time.hpp"
#include "base/unique_fd.hpp"
#include "metrics/process_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fcntl.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <sys/resource.h>

namespace relay::metrics {
namespace {

using namespace std::chrono_literals;

// Series -> value. Fails the test for a line that is neither a comment nor a sample.
std::map<std::string, double> parse(const std::string& text) {
  static const std::regex sample(
      R"re(([a-z_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+))re");
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    std::smatch match;
    if (!std::regex_match(line, match, sample)) {
      ADD_FAILURE() << "not a sample: " << line;
      continue;
    }
    EXPECT_TRUE(samples.emplace(match[1], std::stod(match[2])).second) << "twice: " << match[1];
  }
  return samples;
}

TEST(RecentOutcomes, AreThoseOfTheLastMinute) {
  const std::chrono::steady_clock::time_point begin{1h};
  RecentOutcomes outcomes;
  const auto share = [&](auto at) {
    const auto [attempts, failures] = outcomes.share(begin + at);
    return std::pair(attempts, failures);
  };
  EXPECT_EQ(share(0s), std::pair(std::size_t{0}, std::size_t{0}));
  outcomes.record(false, begin);
  outcomes.record(true, begin + 1s);
  EXPECT_EQ(share(59s), std::pair(std::size_t{2}, std::size_t{1}));
  EXPECT_EQ(share(60s), std::pair(std::size_t{1}, std::size_t{0}));
  EXPECT_EQ(share(61s), std::pair(std::size_t{0}, std::size_t{0}));
  for (std::size_t count = 0; count < RecentOutcomes::kMost; ++count) {
    outcomes.record(false, begin + 2s);
  }
  EXPECT_EQ(share(3s), std::pair(RecentOutcomes::kMost, RecentOutcomes::kMost));
}

TEST(Metrics, ShowsEveryFamilyFromTheFirstScrape) {
  Metrics metrics("1.2.3");
  const auto samples = parse(metrics.text());
  for (const char* name :
       {R"(acp_relay_sessions{isolation="process",state="starting"})",
        "acp_relay_sessions_created_total",
        R"(acp_relay_session_start_seconds_bucket{le="+Inf"})",
        "acp_relay_session_start_seconds_count",
        "acp_relay_session_start_seconds_sum",
        R"(acp_relay_turns_total{stop_reason="end_turn"})",
        "acp_relay_turn_seconds_count",
        R"(acp_relay_messages_total{direction="relay_to_client"})",
        R"(acp_relay_message_bytes_total{direction="client_to_relay"})",
        R"(acp_relay_clients{transport="relay_http"})",
        "acp_relay_slow_clients_total",
        R"(acp_relay_errors_total{type="shutting_down"})",
        "acp_relay_permission_waits",
        "acp_relay_permission_oldest_wait_seconds",
        R"(acp_relay_session_starts_failed_total{type="image_not_found"})",
        R"(acp_relay_agent_lines_skipped_total{reason="duplicate_keys"})",
        R"(acp_relay_agent_exits_total{isolation="container",cause="out_of_memory"})",
        R"(acp_relay_session_start_phase_seconds_count{phase="attach"})",
        R"(acp_relay_sessions_closed_total{cause="idle"})",
        R"(acp_relay_message_relay_seconds_bucket{route="client_to_agent",le="1"})",
        R"(acp_relay_engine_call_seconds_count{call="events"})",
        R"(acp_relay_engine_errors_total{kind="timeout"})",
        "acp_relay_upstream_connections",
        "acp_relay_outbox_bytes",
        "acp_relay_outbox_frames",
        "acp_relay_outbox_largest_bytes",
        "acp_relay_sessions_forgotten_total",
        "acp_relay_log_deleted_messages_total",
        "acp_relay_log_pending_bytes",
        "acp_relay_log_backlog_bytes",
        "acp_relay_log_held_back_seconds",
        "acp_relay_log_lost_messages_total",
        "acp_relay_log_wal_bytes",
        "acp_relay_log_lines_dropped_total",
        "acp_relay_log_lines_repeated_total",
        "acp_relay_longest_loop_turn_seconds"}) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_EQ(samples.at(name), 0) << name;
  }
  EXPECT_EQ(samples.at("acp_relay_log_writable"), 1);
  EXPECT_EQ(samples.at("acp_relay_ready"), 1);
  EXPECT_EQ(samples.at(R"(acp_relay_build_info{version="1.2.3"})"), 1);
  EXPECT_GT(samples.at("acp_relay_open_fds"), 2);
  EXPECT_TRUE(std::isnan(samples.at("acp_relay_log_disk_free_bytes")));
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(samples.at("process_cpu_seconds_total"), 0);
  const double now = std::chrono::duration<double>(wall_now().time_since_epoch()).count();
  EXPECT_NEAR(samples.at("process_start_time_seconds"), now, 600);
}

TEST(Metrics, EveryFamilyHasHelpAndType) {
  Metrics metrics("1");
  const std::string text = metrics.text();
  std::set<std::string> helped, typed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    if (line.starts_with("# HELP ")) helped.insert(name);
    if (line.starts_with("# TYPE ")) typed.insert(name);
  }
  EXPECT_EQ(helped, typed);
  EXPECT_EQ(typed.size(), 48u);
}

TEST(Metrics, ShowsWhatWasCounted) {
  Metrics metrics("1");
  metrics.sessions[AgentIsolation::kContainer][SessionState::kReady] += 3;
  metrics.sessions[AgentIsolation::kContainer][SessionState::kReady] -= 1;
  ++metrics.turns[stop_reason("max_tokens")];
  ++metrics.turns[stop_reason("sleepy")];
  ++metrics.turns[stop_reason("error")];
  metrics.count_message(Direction::kAgentToRelay, 300);
  metrics.count_message(Direction::kAgentToRelay, 200);
  ++metrics.errors[ErrorType::kSessionNotFound];
  ++metrics.agent_lines_skipped[SkipReason::kUnknownId];
  metrics.message_bytes[Direction::kRelayToAgent] = 123'456'789'012;
  const auto samples = parse(metrics.text());
  EXPECT_EQ(samples.at(R"(acp_relay_sessions{isolation="container",state="ready"})"), 2);
  EXPECT_EQ(samples.at(R"(acp_relay_turns_total{stop_reason="max_tokens"})"), 1);
  EXPECT_EQ(samples.at(R"(acp_relay_turns_total{stop_reason="other"})"), 1);
  EXPECT_EQ(samples.at(R"(acp_relay_turns_total{stop_reason="error"})"), 1);
  EXPECT_EQ(samples.at(R"(acp_relay_messages_total{direction="agent_to_relay"})"), 2);
  EXPECT_EQ(samples.at(R"(acp_relay_message_bytes_total{direction="agent_to_relay"})"), 500);
  EXPECT_EQ(samples.at(R"(acp_relay_message_bytes_total{direction="relay_to_agent"})"),
            123'456'789'012);
  EXPECT_EQ(samples.at(R"(acp_relay_errors_total{type="session_not_found"})"), 1);
  EXPECT_EQ(samples.at(R"(acp_relay_agent_lines_skipped_total{reason="unknown_id"})"), 1);
}

TEST(Metrics, HasTheUpstreamsThatThereAre) {
  Metrics metrics("1");
  metrics.upstreams.try_emplace("");
  Metrics::Upstream& own = metrics.upstreams["own"];
  ++own.requests[RequestOutcome::kNotAllowed];
  own.sent_bytes = 7;
  own.received_bytes = 8;
  own.tokens = 9;
  own.first_byte.observe(20ms);
  metrics.upstream_connections = 2;
  const auto samples = parse(metrics.text());
  const std::string requests = "acp_relay_upstream_requests_total";
  EXPECT_EQ(samples.at(requests + R"({upstream="own",outcome="not_allowed"})"), 1);
  EXPECT_EQ(samples.at(requests + R"({upstream="own",outcome="2xx"})"), 0);
  EXPECT_EQ(samples.at(requests + R"({upstream="",outcome="unknown_upstream"})"), 0);
  EXPECT_EQ(samples.at(R"(acp_relay_upstream_sent_bytes_total{upstream="own"})"), 7);
  EXPECT_EQ(samples.at(R"(acp_relay_upstream_received_bytes_total{upstream="own"})"), 8);
  EXPECT_EQ(samples.at(R"(acp_relay_upstream_tokens_total{upstream="own"})"), 9);
  const std::string time = "acp_relay_upstream_first_byte_seconds";
  EXPECT_EQ(samples.at(time + R"(_bucket{upstream="own",le="0.05"})"), 1);
  EXPECT_EQ(samples.at(time + R"(_count{upstream=""})"), 0);
  EXPECT_EQ(samples.at("acp_relay_upstream_connections"), 2);
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics("1");
  for (const auto duration : {500us, 1000us, 20000us}) metrics.turn.observe(duration);
  metrics.turn.observe(2h);
  const auto samples = parse(metrics.text());
  EXPECT_EQ(samples.at(R"(acp_relay_turn_seconds_bucket{le="0.001"})"), 2);
  EXPECT_EQ(samples.at(R"(acp_relay_turn_seconds_bucket{le="0.05"})"), 3);
  EXPECT_EQ(samples.at(R"(acp_relay_turn_seconds_bucket{le="3600"})"), 3);
  EXPECT_EQ(samples.at(R"(acp_relay_turn_seconds_bucket{le="+Inf"})"), 4);
  EXPECT_EQ(samples.at("acp_relay_turn_seconds_count"), 4);
  EXPECT_NEAR(samples.at("acp_relay_turn_seconds_sum"), 7200.0215, 0.01);
}

TEST(Metrics, AsksForBorrowedNumbersAtEveryScrape) {
  Metrics metrics("1");
  std::uint64_t pending = 7;
  metrics.before_text([&pending](Metrics& target) { target.log_pending_bytes = pending; });
  EXPECT_EQ(parse(metrics.text()).at("acp_relay_log_pending_bytes"), 7);
  pending = 9;
  EXPECT_EQ(parse(metrics.text()).at("acp_relay_log_pending_bytes"), 9);
}

TEST(Metrics, TakesTheRelaysTimeInFineBucketsOfASampleOfEachRoute) {
  Metrics metrics("1");
  std::uint64_t sampled = 0;
  for (std::uint64_t batch = 0; batch < 10 * Metrics::kSampledBatches; ++batch) {
    if (metrics.is_sampled(Route::kAgentToClient)) ++sampled;
    // A request for each answer: they must not share a count.
    if (batch == 0) {
      EXPECT_TRUE(metrics.is_sampled(Route::kClientToAgent));
    }
  }
  EXPECT_EQ(sampled, 10U);
  metrics.relay_time[Route::kAgentToClient].observe(30us);
  const auto samples = parse(metrics.text());
  const auto bucket = [&](const std::string& bound) {
    return samples.at(R"(acp_relay_message_relay_seconds_bucket{route="agent_to_client",le=")" +
                      bound + "\"}");
  };
  EXPECT_EQ(bucket("2.5e-05"), 0);
  EXPECT_EQ(bucket("5e-05"), 1);
}

TEST(CloseCause, IsReadFromWhatTheLogKeeps) {
  struct Case {
    std::string_view text;
    CloseCause cause;
  };
  for (const Case& row :
       {Case{"closed", CloseCause::kClient}, Case{"operator", CloseCause::kOperator},
        Case{"idle", CloseCause::kIdle}, Case{"relay_shutdown", CloseCause::kRelayShutdown},
        Case{"relay_restarted: no container", CloseCause::kRelayRestarted},
        Case{"agent_exited: code 1", CloseCause::kAgentExited},
        Case{"agent_protocol_error: it hangs", CloseCause::kError},
        Case{"internal_error", CloseCause::kError}, Case{"", CloseCause::kError}}) {
    EXPECT_EQ(close_cause(row.text), row.cause) << row.text;
  }
}

TEST(ProcessFacts, AreReadFromTheKernelsTexts) {
  const std::string own =
      "7 (a) (b c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 99999 10 184467\n";
  const auto facts = read_process_facts(own, "cpu 1 2\nbtime 1000\nprocesses 5\n", 100, 4096);
  ASSERT_TRUE(facts);
  EXPECT_DOUBLE_EQ(facts->start_seconds, 1123.45);
  EXPECT_EQ(facts->resident_bytes, 40'960);
  for (const std::string_view broken : {"", "7 (a) S 1", "no name"}) {
    EXPECT_FALSE(read_process_facts(broken, "btime 1000\n", 100, 4096)) << broken;
  }
  EXPECT_FALSE(read_process_facts(own, "cpu 1 2\n", 100, 4096));
}

TEST(Metrics, CountsDescriptors) {
  const std::int64_t before = count_open_fds();
  const UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(count_open_fds(), before + 1);
}

TEST(Metrics, CountsTheLimitWhereDescriptorsRanOut) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::int64_t count = count_open_fds();
  const std::int64_t limit = descriptor_limit();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(limit, 0);
}

TEST(RecentMaximum, ForgetsOldMaxima) {
  RecentMaximum maximum;
  const std::chrono::steady_clock::time_point start{1000s};
  EXPECT_EQ(maximum.value(start), 0s);
  maximum.record(5ms, start);
  maximum.record(3ms, start + 1s);
  EXPECT_EQ(maximum.value(start + 2s), 5ms);
  maximum.record(1ms, start + 61s);
  EXPECT_EQ(maximum.value(start + 62s), 5ms);
  maximum.record(2ms, start + 122s);
  EXPECT_EQ(maximum.value(start + 123s), 2ms);
  EXPECT_EQ(maximum.value(start + 400s), 0s);
}

}  // namespace
}  // namespace relay::metrics
