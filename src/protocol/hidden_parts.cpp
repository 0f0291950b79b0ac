#include "protocol/hidden_parts.hpp"

#include "protocol/json_scan.hpp"
#include "protocol/scalar_grammar.hpp"

#include <algorithm>
#include <optional>

namespace relay {
namespace {

constexpr std::string_view kBetweenTokens = " \t\r\n,:";
constexpr std::string_view kEndsScalar = " \t\r\n,:[]{}\"";

std::vector<ByteRange> without_overlaps(std::vector<ByteRange> ranges) {
  std::ranges::sort(ranges, {}, &ByteRange::begin);
  std::vector<ByteRange> apart;
  for (const ByteRange& range : ranges) {
    if (apart.empty() || range.begin >= apart.back().end) {
      apart.push_back(range);
    } else {
      apart.back().end = std::max(apart.back().end, range.end);
    }
  }
  return apart;
}

// Goes through the tokens of a text once; each value takes the ranges in it that no value within it
// has taken. That commas and colons are where they belong is not looked at.
class PartsOfJson {
 public:
  PartsOfJson(std::string_view text, const std::vector<ByteRange>& ranges)
      : text_(text), ranges_(ranges) {}

  // False: the text is no JSON.
  bool walk() {
    std::size_t at = 0;
    while (at < text_.size()) {
      const std::size_t end = token(at);
      if (end == at) return false;
      at = end;
    }
    return begun_.empty();
  }

  std::vector<HiddenPart> take() {
    for (; next_ < ranges_.size(); ++next_) waiting_.push_back(ranges_[next_]);
    for (const ByteRange& range : waiting_) parts_.push_back({range});
    return std::move(parts_);
  }

 private:
  // The end of the token at `at`, or `at`: there is none.
  std::size_t token(std::size_t at) {
    const char c = text_[at];
    if (kBetweenTokens.find(c) != std::string_view::npos) return at + 1;
    if (c == '{' || c == '[') {
      begun_.push_back(at);
      return at + 1;
    }
    if (c == '}' || c == ']') return closed(at);
    return c == '"' ? string(at) : scalar(at);
  }

  std::size_t closed(std::size_t at) {
    if (begun_.empty() || text_[begun_.back()] != (text_[at] == '}' ? '{' : '[')) return at;
    const ByteRange value{begun_.back(), at + 1};
    begun_.pop_back();
    settle(value, {});
    if (begun_.empty()) judge_id();
    return value.end;
  }

  // The number of a message is nobody's secret. Anything else may have an "id", too.
  void judge_id() {
    if (!is_message_) parts_.insert(parts_.end(), of_id_.begin(), of_id_.end());
    of_id_.clear();
    is_message_ = false;
  }

  bool is_in_outermost_object() const { return begun_.size() == 1 && text_[begun_[0]] == '{'; }

  std::size_t string(std::size_t at) {
    const std::size_t end = after_string(text_, at);
    if (end > text_.size()) return at;
    settle({at, end}, {at + 1, end - 1});
    if (!is_in_outermost_object()) return end;
    last_string_ = text_.substr(at, end - at);
    is_message_ = is_message_ || last_string_ == R"("jsonrpc")";
    return end;
  }

  std::size_t scalar(std::size_t at) {
    const std::size_t end = std::min(text_.find_first_of(kEndsScalar, at), text_.size());
    const std::string_view value = text_.substr(at, end - at);
    const bool is_number = is_json_number(value);
    if (begun_.empty() || (!is_number && !is_json_literal(value))) return at;
    const auto parts_before = static_cast<std::ptrdiff_t>(parts_.size());
    settle({at, end}, {});
    if (is_number && is_in_outermost_object() && last_string_ == R"("id")") {
      of_id_.insert(of_id_.end(), parts_.begin() + parts_before, parts_.end());
      parts_.erase(parts_.begin() + parts_before, parts_.end());
    }
    return end;
  }

  // `content` is that of a string.
  void settle(ByteRange value, ByteRange content) {
    while (next_ < ranges_.size() && ranges_[next_].begin < value.end) {
      waiting_.push_back(ranges_[next_++]);
    }
    std::optional<ByteRange> reaches_on;
    if (!waiting_.empty() && waiting_.back().end > value.end) {
      reaches_on = waiting_.back();
      waiting_.pop_back();
    }
    while (!waiting_.empty() && waiting_.back().begin >= value.begin) {
      const ByteRange range = waiting_.back();
      waiting_.pop_back();
      const bool is_in_string = range.begin >= content.begin && range.end <= content.end;
      parts_.push_back(is_in_string ? HiddenPart{range} : HiddenPart{value, true});
    }
    if (reaches_on) waiting_.push_back(*reaches_on);
  }

  const std::string_view text_;
  const std::vector<ByteRange>& ranges_;
  std::size_t next_ = 0;
  std::vector<ByteRange> waiting_;  // begun before where the walk is, and not settled
  std::vector<std::size_t> begun_;  // objects and arrays
  std::string_view last_string_;    // of the outermost object
  bool is_message_ = false;         // that
  std::vector<HiddenPart> of_id_;   // the same
  std::vector<HiddenPart> parts_;
};

}  // namespace

std::vector<HiddenPart> hidden_parts(std::string_view text, std::vector<ByteRange> ranges) {
  const std::vector<ByteRange> apart = without_overlaps(std::move(ranges));
  PartsOfJson json(text, apart);
  if (!json.walk()) {
    std::vector<HiddenPart> parts;
    for (const ByteRange& range : apart) parts.push_back({range});
    return parts;
  }
  std::vector<HiddenPart> parts = json.take();
  // Of two that begin together the one that holds the other comes first.
  std::ranges::sort(parts, [](const HiddenPart& a, const HiddenPart& b) {
    return a.range.begin != b.range.begin ? a.range.begin < b.range.begin
                                          : a.range.end > b.range.end;
  });
  return parts;
}

}  // namespace relay
