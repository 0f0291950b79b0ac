#include "client/options.hpp"

#include "common/failure.hpp"

#include <string_view>

namespace relay::bench {

namespace {

constexpr const char* kUsage =
    "usage: load_client round_trips|fan_out|session_start|idle_sessions|idle_clients\n"
    "  --framing lines|websocket|http  --port N  --pid PID\n"
    "  round_trips: --sessions N --depth N --size BYTES --seconds S --method echo|prompt\n"
    "  fan_out: --clients N --count UPDATES --size BYTES --paced 0|1\n"
    "  session_start: --count ROUNDS [--agent PATH instead of --port]\n"
    "  idle_sessions (http), idle_clients (websocket): --count N";

Framing parse_framing(std::string_view name) {
  if (name == "lines") return Framing::kLines;
  if (name == "websocket") return Framing::kWebSocket;
  if (name == "http") return Framing::kHttp;
  fail(kUsage);
}

void set_option(Options& options, std::string_view name, const std::string& value) {
  const std::size_t number = std::strtoull(value.c_str(), nullptr, 10);
  if (name == "--framing") {
    options.framing = parse_framing(value);
  } else if (name == "--port") {
    options.port = static_cast<std::uint16_t>(number);
  } else if (name == "--pid") {
    options.pid = static_cast<pid_t>(number);
  } else if (name == "--sessions") {
    options.sessions = number;
  } else if (name == "--depth") {
    options.depth = number;
  } else if (name == "--size") {
    options.size = number;
  } else if (name == "--seconds") {
    options.seconds = std::strtod(value.c_str(), nullptr);
  } else if (name == "--method") {
    options.prompt = value == "prompt";
  } else if (name == "--clients") {
    options.clients = number;
  } else if (name == "--count") {
    options.count = number;
  } else if (name == "--paced") {
    options.paced = number != 0;
  } else if (name == "--agent") {
    options.agent = value;
  } else {
    fail(kUsage);
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) fail(kUsage);
  Options options;
  options.scenario = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) set_option(options, argv[i], argv[i + 1]);
  return options;
}

}  // namespace relay::bench
