// How many tokens a model's answer says it took, read while the answer passes. Pure.
//
// No provider's format is parsed: it is enough that all of them say the counts as numbers of JSON
// under the names that they have (Anthropic: input_tokens, output_tokens, cache_..._input_tokens;
// OpenAI: prompt_tokens, completion_tokens, total_tokens; Gemini: ...TokenCount). In a text of JSON
// such a name has escaped quotes, so what a model writes is not counted. Streams repeat the counts
// as they grow: the highest of each holds. A compressed answer says nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::egress {

class UsageReader {
 public:
  void feed(std::string_view part);
  // The total that was said, or the sum of what was.
  std::uint64_t tokens() const;

 private:
  static constexpr std::array<std::string_view, 9> kNames{"total_tokens",
                                                          "totalTokenCount",
                                                          "input_tokens",
                                                          "output_tokens",
                                                          "cache_creation_input_tokens",
                                                          "cache_read_input_tokens",
                                                          "prompt_tokens",
                                                          "completion_tokens",
                                                          "promptTokenCount"};
  static constexpr std::size_t kTotals = 2;  // of them, in front

  void scan(std::string_view text);
  void note_number(std::string_view name, std::string_view behind);
  void note(std::string_view name, std::uint64_t count);

  std::array<std::uint64_t, kNames.size()> highest_{};
  std::string end_;  // of what was fed, where a count may be cut
};

}  // namespace relay::egress
