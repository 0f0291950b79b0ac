#include "command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace demo {
namespace {

using testing::HasSubstr;

struct Case {
  const char* prompt;
  Verb verb;
  std::string text;
  std::string name;
  std::uint64_t count;
  std::uint64_t size;
};

// Test names are made of it.
void PrintTo(const Case& one, std::ostream* out) {
  *out << testing::PrintToString(std::string(one.prompt));
}

class CommandCases : public testing::TestWithParam<Case> {};

TEST_P(CommandCases, IsParsed) {
  const Case& expected = GetParam();
  const Command command = parse_command(expected.prompt);
  EXPECT_EQ(command.verb, expected.verb) << expected.prompt;
  EXPECT_EQ(command.text, expected.text) << expected.prompt;
  EXPECT_EQ(command.name, expected.name) << expected.prompt;
  EXPECT_EQ(command.count, expected.count) << expected.prompt;
  EXPECT_EQ(command.size, expected.size) << expected.prompt;
}

INSTANTIATE_TEST_SUITE_P(
    Table, CommandCases,
    testing::Values(Case{"", Verb::kEcho, "", "", 0, 0},
                    Case{"hello  you ", Verb::kEcho, "hello  you ", "", 0, 0},
                    Case{"/unknown x", Verb::kEcho, "/unknown x", "", 0, 0},
                    Case{"/", Verb::kEcho, "/", "", 0, 0},
                    Case{"/chunks 10 300", Verb::kChunks, "", "", 10, 300},
                    Case{"  /chunks\t10  300\n", Verb::kChunks, "", "", 10, 300},
                    Case{"/flood 5", Verb::kFlood, "", "", 5, 0},
                    Case{"/sleep 1.5", Verb::kSleep, "", "", 1500, 0},
                    Case{"/exit 255", Verb::kExit, "", "", 255, 0},
                    Case{"/oom", Verb::kOom, "", "", 0, 0},
                    Case{"/oom 64", Verb::kOom, "", "", 64, 0},
                    Case{"/stderr two words", Verb::kStderr, "two words", "", 0, 0},
                    Case{"/huge 1000000", Verb::kHuge, "", "", 1000000, 0},
                    Case{"/write a.txt some text", Verb::kWrite, "some text", "a.txt", 0, 0},
                    Case{"/read /etc/hostname", Verb::kRead, "", "/etc/hostname", 0, 0},
                    Case{"/call fs/read {\"a\": 1}", Verb::kCall, "{\"a\": 1}", "fs/read", 0, 0},
                    Case{"/help", Verb::kHelp, "", "", 0, 0}));

TEST(Command, AnswersBadArgumentsWithTheUsage) {
  for (const char* prompt :
       {"/chunks", "/chunks 1", "/chunks 1 2 3", "/chunks -1 2", "/chunks x y", "/exit 256",
        "/sleep", "/sleep -1", "/sleep nan", "/flood 99999999999999999999", "/read", "/read a b",
        "/help me", "/oom x"}) {
    const Command command = parse_command(prompt);
    EXPECT_EQ(command.verb, Verb::kBadArguments) << prompt;
    EXPECT_THAT(command.text, testing::StartsWith("Usage: /")) << prompt;
  }
}

TEST(Command, HelpListsEveryCommand) {
  for (const CommandHelp& command : all_commands()) {
    EXPECT_THAT(help_text(), HasSubstr("/" + std::string(command.name)));
  }
}

}  // namespace
}  // namespace demo
