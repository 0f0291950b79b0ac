#include "cli/preflight/place_rules.hpp"

#include "cli/preflight/port_owner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::cli::preflight {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Error failure() { return make_error(ErrorType::kInternalError, "it fails").suggest("a remedy"); }

PortFacts port(std::optional<Listener> taken) {
  PortFacts facts{"http", "127.0.0.1", 8080, "server.http_port", std::nullopt, taken};
  if (taken) facts.failure = failure();
  return facts;
}

DatabaseFacts held_by(pid_t pid) { return {true, "relay.db", true, failure(), pid}; }

TEST(PreflightRunningRelay, HoldsTheDatabaseAndAPort) {
  EXPECT_EQ(running_relay({port({{7, "acp-relay"}})}, held_by(7)), 7);
  EXPECT_EQ(running_relay({port({{7, "nginx"}})}, held_by(8)), 0);
  EXPECT_EQ(running_relay({port(std::nullopt)}, held_by(7)), 0);
  EXPECT_EQ(running_relay({port({{7, "nginx"}})}, {}), 0);
}

TEST(PreflightPort, IsFreeOrNamesWhoHasIt) {
  EXPECT_EQ(port_finding(port(std::nullopt), 0).told, "127.0.0.1:8080 is free");
  PortFacts any = port(std::nullopt);
  any.port = 0;
  EXPECT_THAT(port_finding(any, 0).told, HasSubstr("server.http_port: 0"));
  PortFacts v6 = port(std::nullopt);
  v6.host = "::1";
  EXPECT_EQ(port_finding(v6, 0).told, "[::1]:8080 is free");

  const Finding taken = port_finding(port({{7, "nginx"}}), 0);
  EXPECT_EQ(taken.verdict, Verdict::kBad);
  EXPECT_EQ(taken.told, "127.0.0.1:8080 is taken by nginx (process 7)");
  EXPECT_THAT(taken.remedies,
              ElementsAre("stop process 7, or set server.http_port to another port"));
  EXPECT_EQ(port_finding(port({{7, "acp-relay"}}), 7).verdict, Verdict::kWarning);

  PortFacts unknown = port(std::nullopt);
  unknown.failure = failure();
  EXPECT_EQ(port_finding(unknown, 0).verdict, Verdict::kBad);
  EXPECT_THAT(port_finding(unknown, 0).remedies, ElementsAre("a remedy"));
}

TEST(PreflightPort, IsFoundInTheKernelsTable) {
  constexpr std::string_view kTable =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "111 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 "
      "222 1 0 100 0 0 10 0\n"
      "   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "333 1 0 100 0 0 10 0\n"
      "   3: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0\n"
      "torn\n";
  EXPECT_THAT(listening_inodes(kTable, 8080), ElementsAre(111, 444));
  EXPECT_THAT(listening_inodes(kTable, 80), IsEmpty());
}

TEST(PreflightDatabase, CanBeWrittenOrIsTheRunningRelays) {
  DatabaseFacts facts{true, "relay.db", false, std::nullopt, 0};
  EXPECT_EQ(database_finding(facts, 0).told, "relay.db, can be made");
  facts.exists = true;
  EXPECT_EQ(database_finding(facts, 0).told, "relay.db, can be written");
  EXPECT_EQ(database_finding({false, "", false, std::nullopt, 0}, 0).verdict, Verdict::kGood);
  EXPECT_EQ(database_finding(held_by(7), 7).verdict, Verdict::kWarning);
  EXPECT_EQ(database_finding(held_by(7), 0).verdict, Verdict::kBad);
  EXPECT_THAT(database_finding(held_by(7), 0).remedies, ElementsAre("a remedy"));
}

TEST(PreflightWorkspaces, CanBeMadeByThisUser) {
  WorkspaceFacts facts{"/w", std::nullopt, false, "", "ada", false, false};
  EXPECT_THAT(workspaces_finding(facts).told, HasSubstr("can be made"));
  facts.existed = true;
  facts.owner = "root";
  EXPECT_EQ(workspaces_finding(facts).told, "/w, of root, can be written");
  facts.failure = failure();
  EXPECT_THAT(workspaces_finding(facts).remedies,
              ElementsAre("sudo chown ada /w, which belongs to root", "a remedy"));
  facts.existed = false;
  EXPECT_THAT(workspaces_finding(facts).remedies, Contains("sudo install -d -o ada -m 711 /w"));
}

TEST(PreflightWorkspaces, HaveALabelWhereSelinuxEnforces) {
  WorkspaceFacts facts{"/w", std::nullopt, true, "ada", "ada", true, false};
  const Finding unlabelled = workspaces_finding(facts);
  EXPECT_EQ(unlabelled.verdict, Verdict::kWarning);
  EXPECT_THAT(unlabelled.remedies, Contains("set container.selinux_label: private"));
  facts.has_selinux_label = true;
  EXPECT_EQ(workspaces_finding(facts).verdict, Verdict::kGood);
}

}  // namespace
}  // namespace relay::cli::preflight
