#include "config/secret_names.hpp"

#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relay::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SecretNames, SayWhatIsASecret) {
  for (const char* name : {"API_KEY",           "OPENAI_API_KEY", "apikey",
                           "GH_TOKEN",          "TOKENS",         "CLIENT_SECRET",
                           "DB_PASSWORD",       "MYSQL_PASSWD",   "GPG_PASSPHRASE",
                           "SMTP_PASS",         "PASS",           "ADA_PWD",
                           "GITHUB_PAT",        "PROXY_PW",       "AWS_SECRET_ACCESS_KEY",
                           "AZURE_CREDENTIALS", "BASIC_AUTH",     "AUTHORIZATION",
                           "OAUTH_CODE",        "SESSION_COOKIE", "X_JWT",
                           "PRIVATE_PEM"}) {
    EXPECT_TRUE(names_a_secret(name)) << name;
  }
}

TEST(SecretNames, HarmlessVariablesAreNone) {
  for (const char* name : {"HOME",
                           "PATH",
                           "TERM",
                           "LANG",
                           "LC_ALL",
                           "USER",
                           "LOGNAME",
                           "SHELL",
                           "PWD",
                           "OLDPWD",
                           "TZ",
                           "EDITOR",
                           "TMPDIR",
                           "XDG_CONFIG_HOME",
                           "NODE_ENV",
                           "MODEL",
                           "GIT_AUTHOR_NAME",
                           "GIT_AUTHOR_EMAIL",
                           "SSH_AUTH_SOCK",
                           "TLS_KEY_FILE",
                           "PATTERN",
                           "SPINNER",
                           "COMPASS",
                           "DEBUG",
                           "HTTPS_PROXY",
                           "KUBE_SECRET_PATH",
                           ""}) {
    EXPECT_FALSE(names_a_secret(name)) << name;
  }
}

TEST(SecretNames, FindsCredentialsInUrls) {
  const std::pair<const char*, const char*> kTable[] = {
      {"postgres://ada:s3cret@db/x", "s3cret"},
      {"https://x-access-token:ghp_1@github.com/a/b.git", "ghp_1"},
      {"https://ghp_0123456789abcdef@github.com", "ghp_0123456789abcdef"},
      {"redis://:only-password@cache:6379/0", "only-password"},
      {"http://a:b@c@host/", "b@c"},
      {"ssh://git@github.com/a/b", ""},
      {"https://example.org/a:b@c", ""},
      {"mail ada:x@example.org", ""},
      {"https://user:@host", ""},
  };
  for (const auto& [url, secret] : kTable) EXPECT_EQ(credentials_of_url(url), secret) << url;
}

TEST(SecretValues, ListsNameWhatIsThere) {
  const LoadResult result = load_text(
      "agent: {env: {PLAN: x}, secret_env: [PLAM]}\nagents: {own: {command: c}}", "c.yaml", {});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_NE(describe(result.warnings[0]).find("names PLAM, which is not in env"),
            std::string::npos);
}

TEST(SecretValues, LeaveOutNumbersOfTokens) {
  AgentConfig agent;
  agent.env = {
      {"MAX_MCP_OUTPUT_TOKENS", "100000"}, {"AUTH_TOKENS", "100001"}, {"GH_TOKEN", "100002"},
      {"LISTED_TOKENS", "100003"},         {"ITS_TOKENS", "ab,cdef"}, {"max_tokens", "100004"}};
  agent.secret_env = {"LISTED_TOKENS"};
  EXPECT_THAT(secret_values(agent),
              ::testing::UnorderedElementsAre("100001", "100002", "100003", "ab,cdef"));
}

TEST(SecretValues, GoByNameAndByTheListsOfTheAgent) {
  AgentConfig agent;
  agent.env = {{"HOME", "/home/ada"},      {"API_KEY", "key-of-ada"},
               {"SHORT_KEY", "true"},      {"DATABASE_URL", "pg://ada:p%40ssword@db/x"},
               {"PLAN", "secret-by-list"}, {"KEYBOARD", "german-layout"}};
  agent.secret_env = {"PLAN"};
  agent.plain_env = {"KEYBOARD"};
  EXPECT_THAT(secret_values(agent),
              ElementsAre("key-of-ada", "p%40ssword", "p@ssword", "secret-by-list"));
  EXPECT_THAT(secret_values(AgentConfig{}), IsEmpty());
  agent.env = {{"API_KEY", "{upstream_key}"}};
  EXPECT_THAT(secret_values(agent), IsEmpty());
}

}  // namespace
}  // namespace relay::config
