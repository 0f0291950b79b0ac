#include "config/tunnel_host.hpp"

#include <gtest/gtest.h>

namespace relay::config {
namespace {

TEST(TunnelHost, IsANameWithAPort) {
  struct Row {
    const char *text, *name;
    bool any_below;
    int port;
  };
  for (const Row& row :
       {Row{"github.com", "github.com", false, 443},
        Row{"GitHub.com:8443", "github.com", false, 8443},
        Row{"*.npmjs.org", "npmjs.org", true, 443}, Row{"*.npmjs.org:1", "npmjs.org", true, 1},
        Row{"proxy", "proxy", false, 443},
        Row{"a-b_c.3com.example:65535", "a-b_c.3com.example", false, 65535}}) {
    const TunnelHost host = parse_tunnel_host(row.text);
    EXPECT_EQ(host.problem, "") << row.text;
    EXPECT_EQ(host.name, row.name);
    EXPECT_EQ(host.any_below, row.any_below) << row.text;
    EXPECT_EQ(host.port, row.port);
  }
}

TEST(TunnelHost, SaysWhatIsWrong) {
  for (const std::string& text : {std::string(),
                                  std::string("*."),
                                  std::string("*"),
                                  std::string("a..b"),
                                  std::string("a."),
                                  std::string(".a"),
                                  std::string("1.1.1.1"),
                                  std::string("127.1"),
                                  std::string("2130706433"),
                                  std::string("0x7f.1"),
                                  std::string("[::1]"),
                                  std::string("::1"),
                                  std::string("a:"),
                                  std::string("a:0"),
                                  std::string("a:65536"),
                                  std::string("a:1x"),
                                  std::string("a:-1"),
                                  std::string("https://a"),
                                  std::string("a/b"),
                                  std::string("a b"),
                                  std::string("a.*.b"),
                                  std::string("user@a"),
                                  std::string("\xc3\xbc.example"),
                                  std::string(64, 'a'),
                                  std::string(250, 'a') + ".example"}) {
    EXPECT_NE(parse_tunnel_host(text).problem, "") << text;
  }
}

}  // namespace
}  // namespace relay::config
