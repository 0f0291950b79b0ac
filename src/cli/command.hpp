// What a command line asks for, as values. options.hpp makes them; run.cpp performs them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace relay::cli {

// Where the relay is and how to prove who asks.
struct RelayAddress {
  std::string url = "http://127.0.0.1:8080";
  std::string management_url = "http://127.0.0.1:8082";
  std::string token_file;
  std::string ca_file;  // PEM, for https with a private authority
  std::string config;   // that the relay runs with, in place of management_url; empty: none
  bool operator==(const RelayAddress&) const = default;
};

// What to do with an agent's request for permission.
enum class PermissionPolicy { kAsk, kAllow, kReject };

struct ServeCommand {
  std::string config = "config.yaml";
  bool config_given = false;
  bool verbose = false;
};

struct PromptCommand {
  RelayAddress relay;
  std::string text;  // "-": standard input
  std::string session;
  std::string cwd;    // empty: the current directory
  std::string mode;   // empty: as it is
  std::string model;  // the same
  bool json = false;
  bool close = false;
  PermissionPolicy permissions = PermissionPolicy::kAsk;
};

struct ListCommand {
  RelayAddress relay;
  bool json = false;
  bool only_active = false;
  std::int64_t limit = 100;
};

struct ShowCommand {
  RelayAddress relay;
  std::string session;
  bool json = false;
};

struct AuditCommand {
  RelayAddress relay;
  std::string session;  // empty: of all
  std::optional<std::string> principal;
  std::int64_t after = 0;
  std::int64_t limit = 1000;
  bool json = false;
};

// How a running relay is.
struct HealthCommand {
  RelayAddress relay;
  std::int64_t limit = 100;  // of agents
  bool watch = false;
  bool json = false;
};

// Takes a running relay out of service.
struct DrainCommand {
  RelayAddress relay;
  std::int64_t timeout_seconds = 0;  // 0: none
  bool until_no_session = false;     // otherwise until no turn runs
  bool stop = true;                  // the relay, then
  bool force = false;                // also when the time is over
  bool undo = false;
};

// Has a running relay read its configuration again.
struct ReloadCommand {
  RelayAddress relay;
};

struct HistoryCommand {
  RelayAddress relay;
  std::string session;
  std::int64_t after = 0;
  std::int64_t limit = 1000;
  bool json = false;
};

struct CloseCommand {
  RelayAddress relay;
  std::string session;  // empty: all of them, or all that are idle
  bool only_idle = false;
};

struct ExportCommand {
  RelayAddress relay;
  std::string session;
  std::string output;  // empty: standard output
};

struct ImportCommand {
  RelayAddress relay;
  std::string file;  // "-": standard input
  bool new_id = false;
};

struct CheckConfigCommand {
  std::string file = "config.yaml";
  bool file_given = false;
  bool json = false;
};

// Whether an agent's request would go out.
struct EgressCheckCommand {
  std::string url;
  std::string method = "POST";
  std::string agent;  // empty: the default one
  std::string config = "config.yaml";
  bool json = false;
};

// Whether this machine can serve with this configuration.
struct PreflightCommand {
  std::string config = "config.yaml";
  bool config_given = false;
  bool json = false;
};

struct BackupCommand {
  std::string file;
  std::string config = "config.yaml";
  std::string database;  // empty: the one of the configuration
};

// Whether the relay of a configuration lives, asked from beside it.
struct AliveCommand {
  std::string config = "config.yaml";
  std::int64_t timeout_seconds = 5;
};

// An ACP agent on stdin and stdout that is behind a relay.
struct ConnectCommand {
  RelayAddress relay;  // `url`: also ws, wss, and with a path
  std::string token;   // before the token file
  std::string agent;   // empty: the one of the address
  std::int64_t reconnect_seconds = 300;
};

// Tries an endpoint of ACP's remote transport as a client would.
struct DoctorCommand {
  RelayAddress relay;  // `url`: as for connect
  std::string token;
  std::string agent;
  std::string origin;  // of a web page; empty: no browser is meant
  std::int64_t timeout_seconds = 60;
};

// Plays an exported session's client against an agent.
struct ReplayCommand {
  RelayAddress relay;  // `url`: as for connect
  std::string token;   // before the token file
  std::string agent;
  std::string file;  // "-": standard input
  std::string cwd;   // empty: the recorded one
  bool as_recorded = false;
  bool check = false;
  std::int64_t timeout_seconds = 300;
  std::vector<std::string> command;  // of an agent to start; empty: behind the relay
};

using Command =
    std::variant<ServeCommand, ConnectCommand, PromptCommand, ListCommand, ShowCommand,
                 AuditCommand, HistoryCommand, CloseCommand, ExportCommand, ImportCommand,
                 CheckConfigCommand, ReplayCommand, DoctorCommand, BackupCommand, HealthCommand,
                 AliveCommand, PreflightCommand, DrainCommand, ReloadCommand, EgressCheckCommand>;

}  // namespace relay::cli
