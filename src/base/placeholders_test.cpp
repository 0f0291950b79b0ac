#include "base/placeholders.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(ReplacePlaceholders, TakesWhatHasAMeaningAndLeavesTheRest) {
  const auto meaning = [](std::string_view words) -> std::optional<std::string> {
    if (words == "a") return "{b}";
    if (words == "b:1") return "";
    return std::nullopt;
  };
  struct Row {
    const char *text, *replaced;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"plain", "plain"},
           Row{"{a}", "{b}"},
           Row{"x{a}y{b:1}z{a}", "x{b}yz{b}"},
           Row{"{c}{}", "{c}{}"},
           Row{"{", "{"},
           Row{"}", "}"},
           Row{"{a", "{a"},
           Row{"{{a}", "{{b}"},
           Row{"{x{a}}", "{x{b}}"},
           Row{"a}{a}", "a}{b}"},
       }) {
    EXPECT_EQ(replace_placeholders(row.text, meaning), row.replaced) << row.text;
  }
}

}  // namespace
}  // namespace relay
