#include "egress/tunnel_rules.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace relay::egress {
namespace {

using boost::asio::ip::make_address;

TEST(JudgeTunnel, LetsListedNamesThrough) {
  const std::vector<TunnelRule> rules{
      {"github.com", false, 443}, {"npmjs.org", true, 443}, {"git.example", false, 8443}};
  struct Row {
    const char* target;
    int status;  // 0: let through
  };
  for (const Row& row : {
           Row{"github.com:443", 0},
           Row{"GitHub.COM:443", 0},
           Row{"registry.npmjs.org:443", 0},
           Row{"a.b.npmjs.org:443", 0},
           Row{"git.example:8443", 0},
           Row{"npmjs.org:443", 403},
           Row{"evilnpmjs.org:443", 403},
           Row{".npmjs.org:443", 403},
           Row{"a..npmjs.org:443", 403},
           Row{"a/.npmjs.org:443", 403},
           Row{"a@b.npmjs.org:443", 403},
           Row{"github.com.:443", 403},
           Row{"github.com:22", 403},
           Row{"github.com.evil.example:443", 403},
           Row{"git.example:443", 403},
           Row{"127.0.0.1:443", 403},
           Row{"[::1]:443", 403},
           Row{"github.com", 400},
           Row{"github.com:", 400},
           Row{"github.com:443x", 400},
           Row{"github.com:65979", 400},
           Row{"http://github.com:443/", 400},
           Row{"", 400},
       }) {
    const auto verdict = judge_tunnel(row.target, rules);
    const auto* const denial = std::get_if<Denial>(&verdict);
    EXPECT_EQ(denial != nullptr ? denial->status : 0, row.status) << row.target;
  }
  const auto passage = std::get<TunnelPassage>(judge_tunnel("A.npmjs.org:443", rules));
  EXPECT_EQ(passage.host, "a.npmjs.org");
  EXPECT_EQ(passage.port, 443);
  EXPECT_EQ(to_string(*passage.rule), "*.npmjs.org:443");
  EXPECT_EQ(std::get<Denial>(judge_tunnel("github.com:443", {})).status, 405);
}

TEST(IsElsewhere, KeepsNamesFromStandingForThisMachine) {
  struct Row {
    const char* address;
    bool elsewhere;
  };
  for (const Row& row : {
           Row{"140.82.121.3", true},
           Row{"10.0.0.1", true},
           Row{"192.168.1.1", true},
           Row{"127.0.0.1", false},
           Row{"127.1.2.3", false},
           Row{"0.0.0.0", false},
           Row{"0.1.2.3", false},
           Row{"169.254.169.254", false},
           Row{"224.0.0.1", false},
           Row{"255.255.255.255", false},
           Row{"2606:50c0:8000::153", true},
           Row{"fd00::1", true},
           Row{"::1", false},
           Row{"::", false},
           Row{"fe80::1", false},
           Row{"fe80::1%1", false},
           Row{"ff02::1", false},
           Row{"::ffff:127.0.0.1", false},
           Row{"::ffff:140.82.121.3", true},
           Row{"::127.0.0.1", false},
           Row{"::ffff:0:127.0.0.1", false},
           Row{"64:ff9b::7f00:1", false},
           Row{"64:ff9b::8c52:7903", true},
           Row{"64:ff9b:1::a9fe:a9fe", false},
           Row{"64:ff9b:1::8c52:7903", true},
           Row{"2002:7f00:1::1", false},
           Row{"2002:a9fe:a9fe::", false},
           Row{"2002:8c52:7903::1", true},
       }) {
    EXPECT_EQ(is_elsewhere(make_address(row.address), {}), row.elsewhere) << row.address;
  }
}

TEST(IsElsewhere, KeepsNamesFromStandingForAMetadataService) {
  struct Row {
    const char* address;
    bool elsewhere;
  };
  for (const Row& row : {
           Row{"100.100.100.200", false},
           Row{"100.100.100.100", true},
           Row{"168.63.129.16", false},
           Row{"192.0.0.192", false},
           Row{"::ffff:100.100.100.200", false},
           Row{"2002:6464:64c8::", false},
           Row{"fd00:ec2::254", false},
           Row{"fd00:ec2::23", false},
           Row{"fd00:ec3::254", true},
           Row{"fd20:ce::254", false},
           Row{"fd20:ce::255", true},
           Row{"fd00:42::42", false},
       }) {
    EXPECT_EQ(is_elsewhere(make_address(row.address), {}), row.elsewhere) << row.address;
  }
}

TEST(IsElsewhere, KnowsTheAddressesOfThisMachineInAnyForm) {
  const std::vector<boost::asio::ip::address> own{
      make_address("172.17.0.1"), make_address("::ffff:192.168.1.7"), make_address("2001:db8::7")};
  struct Row {
    const char* address;
    bool elsewhere;
  };
  for (const Row& row : {
           Row{"172.17.0.1", false},
           Row{"172.17.0.2", true},
           Row{"::ffff:172.17.0.1", false},
           Row{"64:ff9b::172.17.0.1", false},
           Row{"2002:ac11:1::1", false},
           Row{"192.168.1.7", false},
           Row{"2001:db8::7", false},
           Row{"2001:db8::8", true},
       }) {
    EXPECT_EQ(is_elsewhere(make_address(row.address), own), row.elsewhere) << row.address;
  }
}

}  // namespace
}  // namespace relay::egress
