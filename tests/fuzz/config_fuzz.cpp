// Any text may be given as a configuration: loading it never throws, and what it accepts can be
// printed, loaded again and printed with the same result.
//
// The input is the text of a file, then optionally a zero byte and NAME=VALUE lines of the
// environment.
#include "config/load.hpp"
#include "config/print.hpp"
#include "config/units.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using relay::config::Environment;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Environment environment_of(std::string_view lines) {
  Environment environment{{"HOME", "/home/dev"}, {"API_KEY", "secret-value"}};
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    const auto line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  return environment;
}

void check_units(std::string_view text) {
  if (const auto duration = relay::config::parse_duration(text)) {
    const auto written = relay::config::format_duration(*duration);
    require(relay::config::parse_duration(written) == duration, "a printed duration reads back");
  }
  if (const auto size = relay::config::parse_size(text)) {
    const auto written = relay::config::format_size(*size);
    require(relay::config::parse_size(written) == size, "a printed size reads back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto cut = input.find('\0');
  const auto text = input.substr(0, cut);
  const auto environment =
      environment_of(cut == std::string_view::npos ? std::string_view{} : input.substr(cut + 1));
  check_units(text.substr(0, 64));

  const auto loaded = relay::config::load_text(text, "config.yaml", environment);
  for (const auto& problem : loaded.problems) {
    require(!problem.message.empty(), "a problem says what is wrong");
    require(!relay::config::describe(problem).empty(), "a problem can be printed");
  }
  if (!loaded.ok()) return 0;

  const auto printed = relay::config::to_yaml(loaded.config);
  require(!relay::config::to_json(loaded.config).empty(), "a configuration prints as JSON");
  // Redacted values are not those that were read, and need not be valid in their place.
  if (!relay::config::secrets(loaded.config).empty() || printed.find("***") != std::string::npos) {
    return 0;
  }
  const auto again = relay::config::load_text(printed, "printed.yaml", {});
  for (const auto& problem : again.problems) {
    std::fprintf(stderr, "%s\n", relay::config::describe(problem).c_str());
  }
  require(again.ok(), "a printed configuration loads");
  require(relay::config::to_yaml(again.config) == printed, "printing is stable");
  return 0;
}
