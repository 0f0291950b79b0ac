#include "cli/preflight/finding.hpp"

#include "cli/terminal_text.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace relay::cli::preflight {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostOfALine = 1000;

struct Words {
  const char* mark;
  const char* status;
};

Words words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kWarning:
      return {"!", "warning"};
    case Verdict::kBad:
      return {"\u2717", "failed"};
    case Verdict::kSkipped:
      return {"-", "skipped"};
    case Verdict::kGood:
      break;
  }
  return {"\u2713", "ok"};
}

json::array texts(const std::vector<std::string>& items) {
  json::array list;
  for (const std::string& item : items) list.emplace_back(visible(item));
  return list;
}

}  // namespace

Finding bad(std::string name, const Error& error) {
  return {std::move(name), Verdict::kBad, error.explanation, error.possible_causes,
          error.suggested_actions};
}

std::string rounded_size(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "K", "M", "G", "T"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  std::string text = fmt::format("{:.1f}", size);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + kUnits[unit];
}

std::string line(const Finding& finding) {
  std::string text = fmt::format("{} {}: {}\n", words_of(finding.verdict).mark, finding.name,
                                 one_line(finding.told, kMostOfALine));
  for (const std::string& cause : finding.causes) {
    text += "    perhaps: " + one_line(cause, kMostOfALine) + "\n";
  }
  for (const std::string& remedy : finding.remedies) {
    text += "    try: " + one_line(remedy, kMostOfALine) + "\n";
  }
  return text;
}

json::object to_json(const Finding& finding) {
  return {{"name", finding.name},
          {"status", words_of(finding.verdict).status},
          {"found", visible(finding.told)},
          {"possible_causes", texts(finding.causes)},
          {"remedies", texts(finding.remedies)}};
}

ExitCode exit_code(const std::vector<Finding>& findings) {
  const bool failed = std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::kBad; });
  return failed ? ExitCode::kError : ExitCode::kOk;
}

}  // namespace relay::cli::preflight
