#include "config/expand.hpp"

#include <gtest/gtest.h>

#include <map>

namespace relay::config {
namespace {

std::optional<std::string> variables(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> kVariables{
      {"A", "alpha"}, {"EMPTY", ""}, {"TRICKY", "${A}"}};
  const auto found = kVariables.find(name);
  if (found == kVariables.end()) return std::nullopt;
  return found->second;
}

TEST(Expand, ReplacesVariablesAndDefaults) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"plain", "plain"},
      {"${A}", "alpha"},
      {"x-${A}-${A}", "x-alpha-alpha"},
      {"${A:-beta}", "alpha"},
      {"${MISSING:-beta}", "beta"},
      {"${MISSING:-}", ""},
      {"${EMPTY:-beta}", "beta"},
      {"${EMPTY}", ""},
      {"${MISSING:-a:-b}", "a:-b"},
      {"${TRICKY}", "${A}"},
      {"$A $ $$ {A}", "$A $ $$ {A}"},
      {"$${A}", "${A}"},
      {"cost: 5$", "cost: 5$"},
  };
  for (const auto& [text, expected] : rows) {
    const Expansion expansion = expand(text, variables);
    EXPECT_EQ(expansion.error, "") << text;
    EXPECT_EQ(expansion.text, expected) << text;
  }
}

TEST(Expand, NamesEachUnsetVariableOnce) {
  const Expansion expansion = expand("${X}${Y}${X}${EMPTY}${Z:-}", variables);
  EXPECT_EQ(expansion.text, "");
  EXPECT_EQ(expansion.unset, (std::vector<std::string>{"X", "Y"}));
  EXPECT_EQ(expansion.empty, (std::vector<std::string>{"X", "Y", "EMPTY"}));
}

TEST(Expand, TellsWhatCameFromTheEnvironment) {
  const Expansion expansion = expand("--key=${A} ${MISSING:-b}", variables);
  ASSERT_EQ(expansion.expanded.size(), 1u);
  EXPECT_EQ(expansion.expanded[0].first, "A");
  EXPECT_EQ(expansion.expanded[0].second, "alpha");
}

TEST(Expand, RefusesOtherForms) {
  for (const char* text :
       {"${", "${A", "${}", "${1A}", "${A:=b}", "${A-b}", "${A B}", "${A:-${B}}"}) {
    EXPECT_NE(expand(text, variables).error, "") << text;
  }
}

TEST(Expand, BoundsTheVariablesOfOneValue) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "${A}";
  EXPECT_NE(expand(text, variables).error, "");
  EXPECT_EQ(expand(text.substr(4), variables).error, "");
}

}  // namespace
}  // namespace relay::config
