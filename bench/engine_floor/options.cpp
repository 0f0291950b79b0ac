#include "engine_floor/options.hpp"

#include "common/failure.hpp"

#include <fstream>
#include <iterator>

namespace relay::bench {

namespace {

constexpr const char* kUsage =
    "usage: engine_floor start|round_trips|close|at_once --socket PATH --base DIR --user UID\n"
    "  --bare NAME=FILE (the body of a create call; the first is the floor; may be repeated)\n"
    "  --port N (of a relay's WebSocket)  --relay NAME  --count N\n"
    "  start: [--cli COMMAND --image NAME --label NAME=VALUE]\n"
    "  round_trips: --size BYTES\n"
    "  at_once: --at-a-time N,N,...";

struct Common {
  std::string socket_path;
  std::string base;
  uid_t user = 0;
};

BareContender read_contender(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) fail(kUsage);
  BareContender contender;
  contender.name = text.substr(0, equals);
  std::ifstream file(text.substr(equals + 1), std::ios::binary);
  contender.plan.body.assign(std::istreambuf_iterator<char>(file), {});
  if (contender.plan.body.empty()) fail("cannot read " + text.substr(equals + 1));
  return contender;
}

std::vector<std::size_t> read_list(const std::string& text) {
  std::vector<std::size_t> list;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t used = 0;
    list.push_back(std::stoul(text.substr(at), &used));
    at += used + 1;
  }
  return list;
}

void set_option(ContainerOptions& options, Common& common, std::string_view name,
                const std::string& value) {
  const std::size_t number = std::strtoull(value.c_str(), nullptr, 10);
  if (name == "--socket") {
    common.socket_path = value;
  } else if (name == "--base") {
    common.base = value;
  } else if (name == "--user") {
    common.user = static_cast<uid_t>(number);
  } else if (name == "--bare") {
    options.bare.push_back(read_contender(value));
  } else if (name == "--port") {
    options.port = static_cast<std::uint16_t>(number);
  } else if (name == "--relay") {
    options.relay = value;
  } else if (name == "--count") {
    options.count = number;
  } else if (name == "--cli") {
    options.cli = value;
  } else if (name == "--image") {
    options.image = value;
  } else if (name == "--label") {
    options.label = value;
  } else if (name == "--size") {
    options.size = number;
  } else if (name == "--at-a-time") {
    options.at_a_time = read_list(value);
  } else {
    fail(kUsage);
  }
}

}  // namespace

ContainerOptions parse_container_options(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) fail(kUsage);
  ContainerOptions options;
  Common common;
  options.scenario = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) set_option(options, common, argv[i], argv[i + 1]);
  if (options.bare.empty() || options.count == 0) fail(kUsage);
  for (BareContender& contender : options.bare) {
    contender.plan.socket_path = common.socket_path;
    contender.plan.base = common.base;
    contender.plan.user = common.user;
  }
  return options;
}

}  // namespace relay::bench
