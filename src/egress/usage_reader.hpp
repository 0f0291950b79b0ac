// How many tokens a model's answer says it took, read while the answer passes. Pure.
//
// No provider's format is parsed: it is enough that all of them say the counts as numbers of JSON
// under the names that they have (Anthropic: input_tokens, output_tokens, cache_..._input_tokens;
// OpenAI: prompt_tokens, completion_tokens, total_tokens; Gemini: ...TokenCount). In a text of JSON
// such a name has escaped quotes, so what a model writes is not counted. A compressed answer says
// nothing.
//
// One answer repeats the counts as they grow, so the highest of each holds. A WebSocket brings many
// answers, some of them at the same time (OpenAI's Responses), and each says its counts once, at
// its end: there they are added up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::egress {

class UsageReader {
 public:
  enum class Of { kOneAnswer, kManyAnswers };
  explicit UsageReader(Of what = Of::kOneAnswer) : what_(what) {}

  void feed(std::string_view part);
  // The most that a total says, or the parts of it that belong together.
  std::uint64_t tokens() const;

 private:
  static constexpr std::array<std::string_view, 9> kNames{
      "total_tokens",           "totalTokenCount",
      "promptTokenCount",       "prompt_tokens",
      "completion_tokens",      "input_tokens",
      "output_tokens",          "cache_creation_input_tokens",
      "cache_read_input_tokens"};
  // How many of them, one after the other, make one total.
  static constexpr std::array<std::size_t, 5> kGroups{1, 1, 1, 2, 4};

  // `offset`: of the text in all that is fed.
  void scan(std::string_view text, std::uint64_t offset);
  bool note_number(std::string_view name, std::string_view behind);
  void note(std::string_view name, std::uint64_t count);

  Of what_;
  std::array<std::uint64_t, kNames.size()> counts_{};
  std::string end_;            // of what was fed, where a count may be cut
  std::uint64_t fed_ = 0;      // bytes
  std::uint64_t read_to_ = 0;  // where the last count was found
};

}  // namespace relay::egress
