#include "http/access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAda = "token-of-ada-1";
constexpr const char* kOpa = "token-of-opa-4";

AccessRules guarded() {
  AccessRules rules;
  rules.token_required = true;
  rules.tokens = {{"ada", sha256_hex(kAda), Role::kUser},
                  {"eve", sha256_hex("token-of-eve-3"), Role::kObserver},
                  {"opa", sha256_hex(kOpa), Role::kOperator}};
  return rules;
}

Request request(Headers headers, std::string host = "localhost:8080") {
  Request out;
  out.headers = std::move(headers);
  if (!host.empty()) out.headers.push_back({"Host", std::move(host)});
  return out;
}

Request with_authorization(std::string value) {
  return request({{"Authorization", std::move(value)}});
}

// "ok", or the type of the error.
std::string outcome(const AccessRules& rules, const Request& asked) {
  const Result<Principal> admitted = admit(rules, asked);
  return admitted ? "ok" : std::string(to_string(admitted.error().type));
}

TEST(Sha256Hex, IsTheKnownDigest) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Admit, TakesTheSpellingsOfABearerToken) {
  for (const char* value :
       {"Bearer token-of-ada-1", "bearer token-of-ada-1", "BEARER token-of-ada-1",
        "Bearer    token-of-ada-1", "Bearer\ttoken-of-ada-1", "  Bearer token-of-ada-1  "}) {
    const Result<Principal> admitted = admit(guarded(), with_authorization(value));
    ASSERT_TRUE(admitted) << value;
    EXPECT_EQ(admitted->name, "ada");
    EXPECT_EQ(admitted->role, Role::kUser);
  }
  const Result<Principal> second =
      admit(guarded(), request({{"authorization", "Bearer token-of-eve-3"}}));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->role, Role::kObserver);
}

TEST(Admit, RefusesEverythingThatIsNotAToken) {
  const std::string cases[] = {
      "",
      "Bearer",
      "Bearer ",
      "Bearer wrong",
      "Bearertoken-of-ada-1",
      "Basic token-of-ada-1",
      "token-of-ada-1",
      "Bearer token-of-ada-1x",
      "Bearer token-of-ada-",
      "Bearer TOKEN-OF-ADA-1",
      "Bearer token-of-ada-1 token-of-ada-1",
      "Bearer token-of-ada-1, Bearer token-of-ada-1",
      "Bearer \"token-of-ada-1\"",
      "Bearer token=token-of-ada-1",
      "Bearer " + sha256_hex(kAda),
      std::string("Bearer token-of-ada-1\0", 22),
      "Bearer " + std::string(1u << 20, 'a'),
  };
  for (const std::string& value : cases) {
    EXPECT_EQ(outcome(guarded(), with_authorization(value)), "unauthorized") << value.substr(0, 60);
  }
  EXPECT_EQ(outcome(guarded(), request({})), "unauthorized");
}

TEST(Admit, NamesTheRemediesAndNeverTheToken) {
  for (const char* value : {"Bearer secret-and-wrong", "Bearer"}) {
    const Result<Principal> refused = admit(guarded(), with_authorization(value));
    ASSERT_FALSE(refused);
    const Error& error = refused.error();
    EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("Authorization: Bearer")));
    EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("auth.tokens")));
    EXPECT_THAT(error.suggested_actions, Contains(HasSubstr("ACP_RELAY_TOKEN")));
    EXPECT_THAT(error.explanation, Not(HasSubstr("secret-and-wrong")));
    EXPECT_TRUE(error.state.empty());
    EXPECT_TRUE(error.details.empty());
  }
}

TEST(Admit, TakesATokenAsASubprotocol) {
  for (const char* offered :
       {"acp-relay.token.token-of-ada-1", "acp-relay, acp-relay.token.token-of-ada-1",
        "chat,acp-relay.token.token-of-ada-1 , acp-relay", "acp.v1, bearer.token-of-ada-1",
        "bearer.token-of-ada-1"}) {
    const Result<Principal> admitted =
        admit(guarded(), request({{"Sec-WebSocket-Protocol", offered}}));
    ASSERT_TRUE(admitted) << offered;
    EXPECT_EQ(admitted->name, "ada");
  }
  for (const char* offered :
       {"acp-relay.token.wrong", "acp-relay.token.", "acp-relay", "bearer.wrong", "bearer.",
        "ACP-RELAY.TOKEN.token-of-ada-1", "token-of-ada-1", ", ,"}) {
    EXPECT_EQ(outcome(guarded(), request({{"Sec-WebSocket-Protocol", offered}})), "unauthorized")
        << offered;
  }
}

TEST(Admit, RefusesSeveralDifferentTokens) {
  const Header ada{"Authorization", "Bearer token-of-ada-1"};
  const Header opa{"Authorization", "Bearer token-of-opa-4"};
  const Header protocol{"Sec-WebSocket-Protocol", "acp-relay.token.token-of-ada-1"};
  EXPECT_EQ(outcome(guarded(), request({ada, opa})), "unauthorized");
  EXPECT_EQ(outcome(guarded(), request({opa, protocol})), "unauthorized");
  EXPECT_EQ(outcome(guarded(), request({ada, protocol})), "ok");
}

TEST(Admit, RefusesATokenInTheAddressEvenWhenItIsRight) {
  for (const char* name : {"token", "access_token", "Token"}) {
    Request asked = with_authorization("Bearer token-of-ada-1");
    asked.query = {{"after", "1"}, {name, kAda}};
    const Result<Principal> refused = admit(guarded(), asked);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().type, ErrorType::kUnauthorized);
    EXPECT_THAT(refused.error().suggested_actions, Contains(HasSubstr("Authorization: Bearer")));
    EXPECT_EQ(outcome(AccessRules{}, asked), "unauthorized") << name;
  }
}

TEST(Admit, NeedsNoTokenWhereNoneIsRequired) {
  AccessRules rules = guarded();
  rules.token_required = false;
  const Result<Principal> nobody = admit(rules, request({}));
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->name, "");
  const Result<Principal> ada = admit(rules, with_authorization("Bearer token-of-ada-1"));
  ASSERT_TRUE(ada);
  EXPECT_EQ(ada->name, "ada");
  EXPECT_EQ(outcome(rules, with_authorization("Bearer wrong")), "unauthorized");
  EXPECT_EQ(outcome(rules, with_authorization("Basic of-a-proxy")), "ok");
}

TEST(Admit, AnEmptyDigestMatchesNothing) {
  AccessRules rules;
  rules.token_required = true;
  rules.tokens = {{"hole", "", Role::kOperator}, {"short", "ab", Role::kOperator}};
  EXPECT_EQ(outcome(rules, with_authorization("Bearer ab")), "unauthorized");
}

TEST(Admit, WantsAnOperatorForOpenManagement) {
  AccessRules rules = guarded();
  rules.token_required = false;
  rules.operator_only = true;
  rules.loopback_bind = false;
  EXPECT_EQ(outcome(rules, request({})), "unauthorized");
  EXPECT_EQ(outcome(rules, with_authorization("Bearer wrong")), "unauthorized");
  EXPECT_EQ(outcome(rules, with_authorization("Bearer token-of-ada-1")), "forbidden");
  EXPECT_EQ(outcome(rules, with_authorization("Bearer token-of-eve-3")), "forbidden");
  EXPECT_EQ(outcome(rules, with_authorization("Bearer token-of-opa-4")), "ok");
}

TEST(Admit, ChecksTheHostOnLoopback) {
  AccessRules rules;
  rules.own_hosts = {"relay.internal", "[fd00::7]"};
  for (const char* host :
       {"localhost", "localhost:8080", "LOCALHOST:1", "localhost:", "127.0.0.1", "127.0.0.1:8081",
        "127.255.3.4:80", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]:1", "[::ffff:127.0.0.1]",
        "relay.internal", "Relay.Internal:8443", "[fd00::7]:80"}) {
    EXPECT_EQ(outcome(rules, request({}, host)), "ok") << host;
  }
  for (const char* host : {"evil.example",
                           "evil.example:8080",
                           "127.0.0.1.evil.example",
                           "localhost.evil.example",
                           "evil.localhost",
                           "128.0.0.1",
                           "127.1",
                           "127.0.0.01",
                           "127.0.0.256",
                           "0.0.0.0",
                           "::1",
                           "::1:8080",
                           "[::2]",
                           "[::1",
                           "[::1]x",
                           "[::1%lo]",
                           "[127.0.0.1]",
                           "[localhost]",
                           "[]",
                           "user@localhost",
                           "localhost/",
                           "localhost:80:80",
                           "localhost:8o",
                           "localhost:123456",
                           "localhost, evil.example",
                           "localhost evil",
                           "localhost\r\nX: y",
                           "localhost#",
                           ":80",
                           "*"}) {
    EXPECT_EQ(outcome(rules, request({}, host)), "forbidden") << host;
  }
  EXPECT_EQ(outcome(rules, request({}, "")), "forbidden");
  EXPECT_EQ(outcome(rules, request({{"Host", "localhost"}}, "evil.example")), "forbidden");
  EXPECT_EQ(outcome(rules, request({{"Host", "localhost"}}, "localhost")), "forbidden");
}

TEST(Admit, TakesAnyHostOnOtherAddresses) {
  AccessRules rules;
  rules.loopback_bind = false;
  EXPECT_EQ(outcome(rules, request({}, "relay.example")), "ok");
  EXPECT_EQ(outcome(rules, request({}, "")), "ok");
}

TEST(Admit, ChecksTheOriginOfWebPages) {
  AccessRules rules;
  rules.loopback_bind = false;
  rules.allowed_origins = {"https://chat.example", "http://Other.example:80/",
                           "vscode-webview://abc", "null"};
  rules.own_hosts = {"ui.example"};
  const auto asked = [](const char* origin, const char* host) {
    return request({{"Origin", origin}}, host);
  };
  struct Case {
    const char* origin;
    const char* host;
    const char* expected;
  };
  const Case cases[] = {
      {"https://chat.example", "relay.example", "ok"},
      {"HTTPS://Chat.Example", "relay.example", "ok"},
      {"https://chat.example:443", "relay.example", "ok"},
      {"http://other.example", "relay.example", "ok"},
      {"vscode-webview://abc", "relay.example", "ok"},
      {"http://ui.example:3000", "relay.example", "ok"},
      {"http://localhost:5173", "relay.example", "ok"},
      {"https://127.0.0.1", "relay.example", "ok"},
      {"http://[::1]:3000", "relay.example", "ok"},
      {"http://relay.example:8080", "relay.example:8080", "ok"},
      {"http://relay.example", "Relay.Example:80", "ok"},
      {"https://relay.example", "relay.example", "ok"},
      {"http://[fd00::1]:8080", "[fd00::1]:8080", "ok"},
      {"http://chat.example", "relay.example", "forbidden"},
      {"https://chat.example:8443", "relay.example", "forbidden"},
      {"https://chat.example.evil.example", "relay.example", "forbidden"},
      {"https://evil.example/https://chat.example", "relay.example", "forbidden"},
      {"https://chat.example@evil.example", "relay.example", "forbidden"},
      {"https://chat.example, https://evil.example", "relay.example", "forbidden"},
      {"https://chat.example https://evil.example", "relay.example", "forbidden"},
      {"https://chat.example\r\nX: y", "relay.example", "forbidden"},
      {"http://relay.example:8080", "relay.example:8081", "forbidden"},
      {"ftp://relay.example", "relay.example", "forbidden"},
      {"app://localhost", "relay.example", "forbidden"},
      {"http://127.0.0.1.evil.example", "relay.example", "forbidden"},
      {"http://localhost.evil.example", "relay.example", "forbidden"},
      {"http://::1", "relay.example", "forbidden"},
      {"file://", "relay.example", "forbidden"},
      {"null", "relay.example", "ok"},
      {"NULL", "null", "forbidden"},
      {"", "relay.example", "forbidden"},
      {"localhost", "relay.example", "forbidden"},
  };
  for (const Case& row : cases) {
    EXPECT_EQ(outcome(rules, asked(row.origin, row.host)), row.expected) << row.origin;
  }
  rules.allowed_origins = {"*"};
  for (const Case& row : cases) {
    EXPECT_EQ(outcome(rules, asked(row.origin, row.host)), "ok") << row.origin;
  }
  EXPECT_EQ(outcome(rules, request({{"Origin", "https://a"}, {"Origin", "https://b"}})),
            "forbidden");
}

TEST(Admit, NamesTheKeyThatAllowsAnOrigin) {
  const Result<Principal> refused =
      admit(AccessRules{}, request({{"Origin", "http://evil.example"}}));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().suggested_actions, Contains(HasSubstr("server.allowed_origins")));
}

TEST(AdmitOrigin, AsksForNoToken) {
  EXPECT_TRUE(admit_origin(guarded(), request({{"Origin", "http://localhost:3000"}})));
  EXPECT_FALSE(admit_origin(guarded(), request({{"Origin", "http://evil.example"}})));
  EXPECT_FALSE(admit_origin(guarded(), request({}, "evil.example")));
}

TEST(ChosenSubprotocol, PrefersThePlainOne) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"acp-relay", "acp-relay"},
      {"chat, acp-relay", "acp-relay"},
      {"acp-relay.token.t, acp-relay", "acp-relay"},
      {"acp-relay,acp-relay.token.t", "acp-relay"},
      {"acp-relay.token.t", "acp-relay.token.t"},
      {" acp-relay.token.t ,acp-relay.token.u", "acp-relay.token.t"},
      {"acp.v1", "acp.v1"},
      {"bearer.t, acp.v1", "acp.v1"},
      {"acp.v1, acp-relay", "acp.v1"},
      {"bearer.t", "bearer.t"},
      {"acp.v2, bearer.t", "bearer.t"},
      {"chat", ""},
      {"ACP-RELAY", ""},
      {"ACP.V1", ""},
      {"acp-relay.token.t\r\nSet-Cookie: x=y", ""},
      {"acp-relay.token.a b", ""},
      {"acp-relay.token.a;b", ""},
      {"acp-relay.token.\xC3\xA4", ""},
  };
  for (const auto& [offered, expected] : cases) {
    EXPECT_EQ(chosen_subprotocol(request({{"Sec-WebSocket-Protocol", offered}})), expected)
        << offered;
  }
  EXPECT_EQ(chosen_subprotocol(request({})), "");
  EXPECT_EQ(chosen_subprotocol(request({{"Sec-WebSocket-Protocol", "acp-relay.token.t"},
                                        {"sec-websocket-protocol", "acp-relay"}})),
            "acp-relay");
}

}  // namespace
}  // namespace relay::http
