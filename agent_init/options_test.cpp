#include "options.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace {

// Keeps what the result points into.
class Line {
 public:
  explicit Line(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) arguments_.push_back(word.data());
    arguments_.push_back(nullptr);
  }
  std::variant<Options, CarryOptions, Question, Misuse> parse() {
    return parse_options(arguments_.data());
  }

 private:
  std::vector<std::string> words_;
  std::vector<char*> arguments_;
};

// "--listen", "127.0.0.1:9180" and so on, with other values or without one ("-").
std::vector<std::string> usual(const std::string& listen, const std::string& socket,
                               const std::string& most = "-") {
  std::vector<std::string> words = {"acp-agent-init"};
  if (listen != "-") words.insert(words.end(), {"--listen", listen});
  if (socket != "-") words.insert(words.end(), {"--socket", socket});
  if (most != "-") words.insert(words.end(), {"--max-connections", most});
  words.insert(words.end(), {"--", "agent", "--", "--help"});
  return words;
}

// The bytes of the address behind its family.
std::string where(const SocketAddress& socket) {
  EXPECT_EQ(socket.address.sun_family, AF_UNIX);
  return {socket.address.sun_path, socket.size - offsetof(sockaddr_un, sun_path)};
}

TEST(AgentInitOptions, NameASocketThatIsNoFile) {
  Line run(usual("127.0.0.1:9180", "@acp-relay"));
  EXPECT_EQ(where(std::get<Options>(run.parse()).socket), std::string("\0acp-relay", 10));
  Line carry({"acp-agent-init", "--carry", "@acp-relay", "--max-connections", "7"});
  const auto parsed = carry.parse();
  const auto* const options = std::get_if<CarryOptions>(&parsed);
  ASSERT_NE(options, nullptr);
  EXPECT_EQ(where(options->socket), std::string("\0acp-relay", 10));
  EXPECT_EQ(options->max_connections, 7);
}

TEST(AgentInitOptions, AreTaken) {
  Line line(usual("127.0.0.1:9180", "/run/acp-relay/broker.sock", "4096"));
  const auto parsed = line.parse();
  const auto* const options = std::get_if<Options>(&parsed);
  ASSERT_NE(options, nullptr);
  EXPECT_EQ(options->listen.sin_family, AF_INET);
  EXPECT_EQ(ntohl(options->listen.sin_addr.s_addr), INADDR_LOOPBACK);
  EXPECT_EQ(ntohs(options->listen.sin_port), 9180);
  EXPECT_EQ(where(options->socket), std::string("/run/acp-relay/broker.sock") + '\0');
  EXPECT_EQ(options->max_connections, 4096);
  EXPECT_STREQ(options->command[0], "agent");
  EXPECT_STREQ(options->command[1], "--");
  EXPECT_STREQ(options->command[2], "--help");
  EXPECT_EQ(options->command[3], nullptr);
}

TEST(AgentInitOptions, HaveABoundOfTheirOwn) {
  Line line(usual("127.1.2.3:65535", "/" + std::string(106, 's')));
  const auto parsed = line.parse();
  const auto* const options = std::get_if<Options>(&parsed);
  ASSERT_NE(options, nullptr);
  EXPECT_EQ(options->max_connections, 256);
}

TEST(AgentInitOptions, ThatAreWrongAreNamed) {
  struct Row {
    std::vector<std::string> words;
    const char* what;
    const char* argument;
  };
  const std::string socket = "/s";
  const std::string listen = "127.0.0.1:1";
  const std::string longest = "/" + std::string(107, 's');
  const std::vector<Row> rows = {
      {usual("0.0.0.0:80", socket), "--listen must be a loopback address", "0.0.0.0:80"},
      {usual("10.0.0.1:80", socket), "--listen must be a loopback address", "10.0.0.1:80"},
      {usual("128.0.0.1:80", socket), "--listen must be a loopback address", "128.0.0.1:80"},
      {usual("localhost:80", socket), "--listen must be a loopback address", "localhost:80"},
      {usual("[::1]:80", socket), "--listen must be a loopback address", "[::1]:80"},
      {usual("127.0.0.1", socket), "--listen must be a loopback address", "127.0.0.1"},
      {usual("127.0.0.1:", socket), "--listen must be a loopback address", "127.0.0.1:"},
      {usual("127.0.0.1:0", socket), "--listen must be a loopback address", "127.0.0.1:0"},
      {usual("127.0.0.1:65536", socket), "--listen must be a loopback", "127.0.0.1:65536"},
      {usual("127.0.0.1:80x", socket), "--listen must be a loopback", "127.0.0.1:80x"},
      {usual(":80", socket), "--listen must be a loopback address", ":80"},
      {usual("", socket), "--listen must be a loopback address", ""},
      {usual(listen, "s"), "the socket must be an absolute path", "s"},
      {usual(listen, ""), "the socket must be an absolute path", ""},
      {usual(listen, "@"), "the socket must be an absolute path", "@"},
      {usual(listen, longest), "the socket is longer than the 107 bytes", longest.c_str()},
      {{"acp-agent-init", "--carry", "s"}, "the socket must be an absolute path", "s"},
      {{"acp-agent-init", "--carry"}, "a value is missing behind", "--carry"},
      {{"acp-agent-init", "--carry", "@a", "--", "x"}, "with --carry there is no command", "--"},
      {{"acp-agent-init", "--carry", "@a", "--listen", listen},
       "with --carry there is no",
       "--listen"},
      {usual(listen, socket, "0"), "--max-connections must be a number", "0"},
      {usual(listen, socket, "4097"), "--max-connections must be a number", "4097"},
      {usual(listen, socket, "-1"), "--max-connections must be a number", "-1"},
      {usual(listen, socket, "many"), "--max-connections must be a number", "many"},
      {usual("-", socket), "an option is missing", "--listen"},
      {usual(listen, "-"), "an option is missing", "--socket"},
      {{"acp-agent-init", "--listen"}, "a value is missing behind", "--listen"},
      {{"acp-agent-init", "--verbose"}, "no such option", "--verbose"},
      {{"acp-agent-init", "agent"}, "no such option; the command stands behind --", "agent"},
      {{"acp-agent-init", "--listen", listen, "--socket", socket}, "a command is missing", "--"},
      {{"acp-agent-init", "--listen", listen, "--socket", socket, "--"}, "a command is", "--"},
      {{"acp-agent-init"}, "an option is missing", "--listen"},
      {{}, "an option is missing", "--listen"},
  };
  for (const Row& row : rows) {
    Line line(row.words);
    const auto parsed = line.parse();
    const auto* const misuse = std::get_if<Misuse>(&parsed);
    ASSERT_NE(misuse, nullptr) << row.argument;
    EXPECT_EQ(std::string(misuse->what).find(row.what), 0U) << misuse->what;
    EXPECT_STREQ(misuse->argument, row.argument);
  }
}

TEST(AgentInitOptions, AskForHelpAndVersion) {
  const auto question = [](const char* word) {
    return std::get<Question>(Line({"acp-agent-init", word, "more"}).parse());
  };
  EXPECT_EQ(question("--help"), Question::kHelp);
  EXPECT_EQ(question("-h"), Question::kHelp);
  EXPECT_EQ(question("--version"), Question::kVersion);
}

}  // namespace
