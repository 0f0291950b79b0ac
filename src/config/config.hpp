// The configuration of one relay process as plain values, with the defaults of every key.
//
// A Config that `load` (config/load.hpp) returned without problems has been validated: readers need
// no checks of their own. Names are those of the file: config.server.http_port is
// `server.http_port`. Durations are milliseconds, sizes are bytes, in both cases 0 means "off" or
// "unlimited" only where the comment says so. Holds secrets (tokens, environments of agents): print
// it only through config/print.hpp.
#pragma once

#include "base/log.hpp"
#include "config/egress_config.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace relay::config {

// A mapping of the file, in the order of the file; names are unique.
using StringMap = std::vector<std::pair<std::string, std::string>>;

// ----- server
// ---------------------------------------------------------------------------------------

// The largest server.max_message_bytes.
inline constexpr std::size_t kMostOfMessage = 1u << 30;
// Likewise of server.max_json_depth and server.max_id_bytes.
inline constexpr std::size_t kMostJsonDepth = 1024;
inline constexpr std::size_t kMostIdBytes = 1u << 20;

struct TlsConfig {
  std::string cert;  // PEM file with the certificate chain; both or neither
  std::string key;   // PEM file with the private key
  bool enabled() const { return !cert.empty(); }
  bool operator==(const TlsConfig&) const = default;
};

struct ServerConfig {
  std::uint16_t http_port = 8080;  // 0: any free port, for all three
  std::string http_host = "127.0.0.1";
  std::uint16_t websocket_port = 8081;
  std::string websocket_host = "127.0.0.1";
  std::uint16_t management_port = 8082;
  std::string management_host = "127.0.0.1";
  TlsConfig tls;
  Strings allowed_origins;  // "https://host[:port]"; "*" for any. Same-origin requests are always
                            // allowed.
  Strings acp_aliases{"/acp/ws", "/message"};  // more paths of /acp
  std::size_t max_message_bytes = 32u << 20;   // one body, one frame, one line of an agent
  std::size_t max_bodies_bytes = 256u << 20;   // of all bodies that are being received
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_connections = 4096;  // a listener
  std::size_t max_json_depth = 512;
  std::size_t max_id_bytes = 1024;           // a JSON-RPC id as written
  std::size_t max_outbox_bytes = 64u << 20;  // waiting for one client; beyond it the client is slow
  std::size_t max_outbox_frames = 100'000;
  Milliseconds header_timeout{10'000};
  Milliseconds body_timeout{60'000};  // without progress
  Milliseconds request_timeout{10 * 60'000};
  std::size_t min_body_rate = 1024;  // bytes a second, after body_timeout; 0: any
  Milliseconds keep_alive_timeout{75'000};
  Milliseconds acp_connection_timeout{5 * 60'000};
  Milliseconds ping_interval{20'000};  // 0: no pings
  Milliseconds pong_timeout{20'000};
  Milliseconds shutdown_timeout{20'000};
  bool operator==(const ServerConfig&) const = default;
};

// ----- auth
// -----------------------------------------------------------------------------------------

enum class AuthMode {
  kAuto,   // none on a loopback bind, otherwise a token
  kToken,  // always a token
  kNone,
};

enum class Role { kUser, kObserver, kOperator };

struct TokenConfig {
  std::string name;    // the principal; unique
  std::string token;   // the secret itself, or empty when sha256 is given
  std::string sha256;  // 64 lower-case hex digits of the token's digest, or empty
  Role role = Role::kUser;
  bool operator==(const TokenConfig&) const = default;
};

struct AuthConfig {
  AuthMode mode = AuthMode::kAuto;
  std::vector<TokenConfig> tokens;
  bool operator==(const AuthConfig&) const = default;
};

// ----- agent and sessions
// ---------------------------------------------------------------------------

struct AgentConfig {
  std::string command;  // empty: the demo agent
  Strings args;
  StringMap env;                         // never printed; config/secret_names.hpp: what is secret
  Strings secret_env;                    // names in env whose values are secrets
  Strings plain_env;                     // names in env whose values are none
  Strings client_env;                    // names of variables that a client may set
  Strings upstreams;                     // names in egress.upstreams
  Strings connect;                       // hosts that it may reach with TLS of its own
  std::string preset;                    // config/agent_presets.hpp; empty: none
  Milliseconds startup_timeout{10'000};  // also agent.startup_timeout_seconds
  std::size_t max_concurrent_sessions = 100;
  std::size_t max_stderr_bytes = 64u << 10;  // the tail that is kept for errors
  std::size_t max_inbox_bytes = 64u << 20;   // waiting to be written to one agent
  Milliseconds stop_grace{2'000};            // before each harder step of stopping a process
  bool operator==(const AgentConfig&) const = default;
};

enum class PermissionDefault { kCancelled, kReject, kAllow };
enum class OnShutdown { kStop, kDetach };

struct SessionsConfig {
  Milliseconds idle_timeout{30 * 60'000};  // no client attached and no turn; 0: never
  Milliseconds prompt_timeout{0};          // 0: off
  std::size_t max_queued_prompts = 16;     // a session, behind the running one
  std::size_t max_pending_bytes = 64u
                                  << 20;  // of a session: prompts, agent's requests, held answers
  std::size_t max_prompt_blocks = 1000;   // content blocks of one prompt
  std::size_t max_subagents = 1000;       // child sessions whose ids are translated
  Milliseconds permission_timeout{5 * 60'000};
  PermissionDefault permission_default = PermissionDefault::kCancelled;
  OnShutdown on_shutdown = OnShutdown::kStop;
  bool restart_agent = true;                // for the next prompt behind an agent's end
  bool shared = false;                      // true: any principal may use any session
  std::size_t max_clients = 1000;           // attached to one session
  std::size_t max_pending_requests = 1024;  // of one client, or of all that left
  bool operator==(const SessionsConfig&) const = default;
};

// ----- database and log
// -----------------------------------------------------------------------------

enum class Durability {
  kRelaxed,  // survives a crash of the relay; the last moments may be lost with the machine's power
  kStrict,   // every commit reaches the disk
};

struct DatabaseConfig {
  bool enabled = true;
  std::string path = "./relay-messages.db";
  Durability durability = Durability::kRelaxed;
  std::size_t max_pending_bytes = 64u << 20;
  std::int64_t retention_days = 0;  // 0: unlimited, for all three
  std::int64_t max_rows = 0;
  std::int64_t max_bytes = 0;
  std::int64_t audit_days = 90;  // 0: unlimited, for both
  std::int64_t audit_rows = 100'000;
  bool operator==(const DatabaseConfig&) const = default;
};

enum class ClientCapabilitiesMode { kStrip, kPassthrough };

struct ReadinessConfig {
  std::int64_t min_free_bytes = 64 << 20;
  std::uint64_t max_wal_bytes = 512u << 20;
  Milliseconds canary_interval{0};  // 0: none
  bool operator==(const ReadinessConfig&) const = default;
};

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  bool operator==(const LogConfig&) const = default;
};

// ----- container
// ------------------------------------------------------------------------------------

enum class HomeMode {
  kKeep,   // a directory of the session on the host
  kTmpfs,  // memory, gone with the container
  kImage,  // what the image has there
};

// What SELinux is told of a mount.
enum class SelinuxLabel { kNone, kShared, kPrivate };

enum class PullPolicy { kMissing, kAlways, kNever };

struct ContainerConfig {
  bool enabled = false;
  bool required = false;  // true: refuse to start when containers can't be used
  std::string image = "acp-agent:latest";
  Strings command;                          // empty: the image's own
  std::uint64_t memory_limit = 2ull << 30;  // 0: none; swap is never added
  double cpu_limit = 1.0;                   // CPUs; 0: none
  std::int64_t pids_limit = 512;            // 0: none
  StringMap ulimits;                        // name -> "soft[:hard]", -1 is unlimited
  std::string network_mode = "none";
  bool readonly_rootfs = false;
  Strings tmpfs;  // "/path[:options]"; empty: see effective_tmpfs
  Strings drop_capabilities{"NET_RAW", "SYS_ADMIN"};
  Strings security_opt{"no-new-privileges"};
  std::string user;  // empty: the image's
  bool init = true;
  HomeMode home = HomeMode::kKeep;
  std::uint64_t max_fork_bytes = 10ull << 30;
  std::string runtime;  // empty: the Engine's default
  std::string workspace_base_dir = "/var/lib/acp-relay/workspaces";
  SelinuxLabel selinux_label = SelinuxLabel::kNone;  // of what lies in it
  Strings mount_roots;                               // absolute host directories
  Strings extra_volumes;                             // see parse_volume
  bool auto_remove = true;
  PullPolicy pull_policy = PullPolicy::kMissing;
  Milliseconds pull_timeout{10 * 60'000};
  Milliseconds startup_timeout{30'000};
  Milliseconds shutdown_timeout{10'000};
  std::size_t max_concurrent_starts = 0;  // 0: twice the number of cores
  std::string log_driver = "json-file";
  StringMap log_opts{{"max-size", "10m"}, {"max-file", "3"}};
  std::string docker_host;  // empty: DOCKER_HOST, then unix:///var/run/docker.sock
  StringMap labels;
  bool allow_unsafe = false;
  bool operator==(const ContainerConfig&) const = default;
};

// ----- further agents
// -------------------------------------------------------------------------------

enum class AgentIsolation { kProcess, kContainer };

// One of `agents`, with what it inherits: `agent` and `container` are complete, and
// container.enabled says what `isolation` does.
struct NamedAgentConfig {
  std::string name;
  AgentIsolation isolation = AgentIsolation::kProcess;
  AgentConfig agent;
  ContainerConfig container;
  bool operator==(const NamedAgentConfig&) const = default;
};

// One entry of container.extra_volumes.
struct Volume {
  std::string source;
  std::string target;
  bool read_only = true;
  SelinuxLabel label = SelinuxLabel::kNone;
  bool operator==(const Volume&) const = default;
};

// Empty when `text` is not "src:dst[:OPTIONS]" with an absolute target and an absolute path or a
// volume name as source. OPTIONS are ro or rw, z or Z, each once, with a comma between them.
std::optional<Volume> parse_volume(const std::string& text);

// container.tmpfs, or what a container with a read-only root needs when that is empty.
Strings effective_tmpfs(const ContainerConfig& container);

// ----------------------------------------------------------------------------------------------------

struct Config {
  ServerConfig server;
  AuthConfig auth;
  AgentConfig agent;
  SessionsConfig sessions;
  DatabaseConfig database;
  ClientCapabilitiesMode client_capabilities = ClientCapabilitiesMode::kStrip;
  LogConfig log;
  ReadinessConfig readiness;
  ContainerConfig container;
  EgressConfig egress;
  std::vector<NamedAgentConfig> agents;  // beside the default one; names are unique

  // What ${VAR} brought into keys that may carry a secret on a command line (agent.args,
  // container.command, container.log_opts, container.labels, the commands of credentials): printed
  // as ***.
  Strings expanded_secrets;

  std::string file;  // where it was read from; empty: from no file

  bool operator==(const Config&) const = default;
};

}  // namespace relay::config
