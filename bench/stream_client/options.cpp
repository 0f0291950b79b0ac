#include "stream_client/options.hpp"

#include "common/failure.hpp"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace relay::bench {

namespace {

constexpr const char* kUsage =
    "usage: stream_client first_byte|rate|shares --ways FILE --pid PID\n"
    "  --body BYTES --size BYTES --gather 0|1\n"
    "  first_byte: --seconds S; rate: --count EVENTS; shares: --seconds S";

Way parse_way(const std::string& line) {
  constexpr std::string_view kBegin = "http://127.0.0.1:";
  if (!line.starts_with(kBegin)) fail("not an address on 127.0.0.1: " + line);
  const std::string_view rest = std::string_view(line).substr(kBegin.size());
  const std::size_t end = rest.find(' ');
  const std::string_view address = rest.substr(0, end);
  Way way;
  const auto [stop, error] =
      std::from_chars(address.data(), address.data() + address.size(), way.port);
  if (error != std::errc()) fail("no port: " + line);
  way.prefix = address.substr(static_cast<std::size_t>(stop - address.data()));
  if (end != std::string_view::npos) way.key = rest.substr(end + 1);
  return way;
}

std::vector<Way> read_ways(const std::string& path) {
  std::vector<Way> ways;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) ways.push_back(parse_way(line));
  if (ways.empty()) fail("no way in " + path);
  return ways;
}

void set_option(StreamOptions& options, std::string_view name, const std::string& value) {
  const std::size_t number = std::strtoull(value.c_str(), nullptr, 10);
  if (name == "--ways") {
    options.ways = read_ways(value);
  } else if (name == "--pid") {
    options.pid = static_cast<pid_t>(number);
  } else if (name == "--body") {
    options.body = number;
  } else if (name == "--size") {
    options.size = number;
  } else if (name == "--count") {
    options.count = number;
  } else if (name == "--gather") {
    options.gather = number != 0;
  } else if (name == "--seconds") {
    options.seconds = std::strtod(value.c_str(), nullptr);
  } else {
    fail(kUsage);
  }
}

}  // namespace

StreamOptions parse_stream_options(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) fail(kUsage);
  StreamOptions options;
  options.scenario = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) set_option(options, argv[i], argv[i + 1]);
  if (options.ways.empty()) fail(kUsage);
  return options;
}

}  // namespace relay::bench
