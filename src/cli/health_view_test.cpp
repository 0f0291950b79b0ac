#include "cli/health_view.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

namespace relay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string screen(const char* text) {
  return health_screen(boost::json::parse(text).as_object(), "http://h:1");
}

TEST(HealthView, ShowsAQuietRelay) {
  EXPECT_EQ(screen(R"({"version":"1.2.3","uptimeSeconds":7500,"readiness":{"ready":true,
      "reasons":[],"log":{"writable":true,"lastError":null,"pendingBytes":0,"lostMessages":0}},
      "sessions":{"limit":100,"starting":0,"ready":0,"turn":0,"closing":0},"agents":[],
      "agentsTotal":0,"events":[],"errors":[]})"),
            "acp-relay 1.2.3 at http://h:1, up 2h 5m: ready\n"
            "sessions: 0 of 100 (0 starting, 0 ready, 0 in a turn, 0 closing)\n"
            "log: writable, 0 B waiting, 0 messages lost\n"
            "\nno agent runs\n"
            "\nno agent has ended by itself\n"
            "\nno client was given an error\n");
}

TEST(HealthView, TellsWhyItIsNotReady) {
  const std::string shown = screen(R"({"readiness":{"ready":false,
      "reasons":["log_unwritable","odd",7],"remedies":{"log_unwritable":"free space"},
      "log":{"writable":false,"lastError":"disk full","pendingBytes":2048,"lostMessages":3}}})");
  EXPECT_THAT(shown, HasSubstr("up -: NOT READY\n  log_unwritable: free space\n  odd\n"));
  EXPECT_THAT(shown, HasSubstr("log: NOT WRITABLE, 2.0 KiB waiting, 3 messages lost; last error: "
                               "disk full\n"));
}

TEST(HealthView, ListsAgents) {
  const std::string shown = screen(R"({"agents":[
      {"session":"s1","agent":"claude","isolation":"container","runsAs":"container 8f70",
       "state":"turn","runState":"running","ageSeconds":62,"cpuPercent":12.3,"memoryBytes":1048576,
       "memoryLimitBytes":2147483648,"networkReceivedBytes":1024,"networkSentBytes":0,
       "diskReadBytes":null,"diskWrittenBytes":5,"clients":1},
      {"session":"s2","agent":null,"isolation":"process","runsAs":"pid 7","state":"ready",
       "runState":"stopped","memoryBytes":10,"cpuPercent":null},
      {"session":"s3","runsAs":"container 1","state":"ready","runState":null},
      {"session":"s4","runsAs":null,"state":"starting"}, 5],"agentsTotal":9})");
  EXPECT_THAT(
      shown,
      HasSubstr("SESSION  STATE            AGE    CPU      MEMORY              ISOLATION  RUNS AS  "
                "NET IN / OUT   DISK READ / WRITTEN  CLIENTS  AGENT\n"
                "s1       turn             1m 2s  12.3%    1.0 MiB of 2.0 GiB  container  8f70     "
                "1.0 KiB / 0 B  - / 5 B              1        claude\n"
                "s2       ready (stopped)  -      -        10 B                process    pid 7    "
                "-              -                    -        -\n"
                "s3       ready            -      unknown  unknown             -          1        "
                "-              -                    -        -\n"
                "s4       starting         -      -        -                   -          -        "
                "-              -                    -        -\n"
                "4 more are not shown (--limit)\n"));
}

TEST(HealthView, ListsTheNewestEventsAndErrors) {
  const std::string shown = screen(R"({"events":[
      {"time":"2026-01-31T08:15:30.001Z","session":"s1","cause":"failed","exitCode":3,
       "signal":null,"text":"exit code 3"},
      {"time":"T","session":"s1","cause":"signalled","signal":9,"text":"x"},
      {"time":"T","cause":"out_of_memory","agentGoesOn":true}],
      "errors":[{"time":"2026-01-31T08:15:30.001Z","session":null,"errorType":"forbidden",
       "times":2,"text":"no"}]})");
  EXPECT_THAT(shown,
              HasSubstr("\n2026-01-31T08:15:30Z  s1       failed         code 3    exit code 3\n"));
  EXPECT_THAT(shown, HasSubstr("signalled      signal 9  x\n"));
  EXPECT_THAT(shown, HasSubstr("out_of_memory  goes on   -\n"));
  EXPECT_THAT(shown, HasSubstr("2026-01-31T08:15:30Z  -        forbidden  2      no\n"));
}

TEST(HealthView, ShowsTenOfMany) {
  boost::json::array events;
  for (int i = 0; i < 12; ++i) {
    events.push_back(boost::json::object{{"text", "event " + std::to_string(i)}});
  }
  const std::string shown = health_screen({{"events", events}}, "u");
  EXPECT_THAT(shown, HasSubstr("event 9"));
  EXPECT_THAT(shown, Not(HasSubstr("event 10")));
}

TEST(HealthView, LetsNothingSteerTheTerminal) {
  const std::string shown = screen(
      "{\"version\":\"\\u001b[2J\",\"readiness\":{\"reasons\":"
      "[\"\\u001b]0;x\"]},\"errors\":[{\"text\":\"a\\u001bb\\nc\"}]}");
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  EXPECT_THAT(shown, HasSubstr("a?b c\n"));
}

TEST(HealthView, BearsAnyObject) {
  EXPECT_FALSE(is_ready({}));
  for (const char* odd : {"{}", R"({"readiness":7,"sessions":[],"agents":{},"events":"x"})",
                          R"({"agents":[{"memoryBytes":-1,"cpuPercent":"x","ageSeconds":[]}]})"}) {
    EXPECT_THAT(screen(odd), HasSubstr("NOT READY"));
  }
}

}  // namespace
}  // namespace relay::cli
