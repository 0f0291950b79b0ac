#include "config/keys.hpp"

#include "config/agent_presets.hpp"

#include <algorithm>
#include <string_view>

namespace relay::config {
namespace {

using std::chrono::milliseconds;
constexpr std::size_t kMany = 1'000'000'000;
constexpr std::int64_t kUnlimited = 1'000'000'000'000'000;
constexpr std::uint64_t kKi = 1u << 10;
constexpr std::uint64_t kMi = 1u << 20;
constexpr std::uint64_t kGi = 1u << 30;

void add_server_keys(std::vector<Key>& keys) {
  using S = ServerConfig;
  Section at(keys, "server.", [](auto& config) -> auto& { return config.server; });
  const auto port = count<std::uint16_t>(0, 65535);
  at("http_port", &S::http_port, port, "Port of the HTTP dialect; 0 takes any free one.");
  at("http_host", &S::http_host, text(), "Address or name it listens on.");
  at("websocket_port", &S::websocket_port, port,
     "Port of the WebSocket dialect; 0 takes any free one.");
  at("websocket_host", &S::websocket_host, text(), "Address or name it listens on.");
  at("management_port", &S::management_port, port,
     "Port of health, metrics and management; 0 takes any free one.");
  at("management_host", &S::management_host, text(), "Address or name it listens on.");
  Section tls(keys, "server.tls.", [](auto& config) -> auto& { return config.server.tls; });
  tls("cert", &TlsConfig::cert, text(),
      "PEM file with the certificate chain, for all three ports; empty: no TLS.");
  tls("key", &TlsConfig::key, text(), "PEM file with the private key of the certificate.");
  at("allowed_origins", &S::allowed_origins, strings(),
     "Origins of web pages that may connect, as https://host[:port], \"null\" for pages opened as "
     "files (any site can say that in a sandboxed frame: with auth.mode: token only), or \"*\" for "
     "any. Clients that are not browsers send none and are not concerned.");
  at("acp_aliases", &S::acp_aliases, strings(),
     "Other paths that are served as /acp is, on both ports, for clients that have a path of "
     "their own.");
  at("max_message_bytes", &S::max_message_bytes, size<std::size_t>(kKi, kMostOfMessage),
     "Largest request body, WebSocket message and line of an agent.");
  at("max_bodies_bytes", &S::max_bodies_bytes, size<std::size_t>(kKi, 64 * kGi),
     "Request bodies and WebSocket messages that are being received, all together, on all ports; "
     "more are refused with 503, or close code 1013. At least max_message_bytes.");
  at("max_header_bytes", &S::max_header_bytes, size<std::size_t>(kKi, kMi),
     "Largest head of an HTTP request.");
  at("max_connections", &S::max_connections, count<std::size_t>(1, 1'000'000),
     "Open connections on each port; more are refused with 503.");
  at("max_json_depth", &S::max_json_depth, count<std::size_t>(8, kMostJsonDepth),
     "Deepest nesting of a message, a client's or an agent's.");
  at("max_id_bytes", &S::max_id_bytes, size<std::size_t>(64, kMostIdBytes),
     "Longest id of a JSON-RPC message, as it is written; those of acp-relay connect have up to "
     "40 bytes.");
  at("max_outbox_bytes", &S::max_outbox_bytes, size<std::size_t>(kKi, 64 * kGi),
     "Bytes that may wait for one client to read them; a client that lets more wait is closed as "
     "slow. At least max_message_bytes.");
  at("max_outbox_frames", &S::max_outbox_frames, count<std::size_t>(16, kMany),
     "Messages that may wait for one client, likewise.");
  at("header_timeout", &S::header_timeout, duration(kSome),
     "Time for the head of a request, from its first byte.");
  at("body_timeout", &S::body_timeout, duration(kSome),
     "Longest pause within the body of a request, or within a WebSocket message.");
  at("request_timeout", &S::request_timeout, duration(kSome),
     "Time for a whole request or WebSocket message to come, from its first byte to its last.");
  at("min_body_rate", &S::min_body_rate, size<std::size_t>(0, kGi),
     "Bytes a second that a body or message has to come with, on an average from body_timeout on; "
     "0: any.");
  at("keep_alive_timeout", &S::keep_alive_timeout, duration(kSome),
     "An HTTP connection without a request is closed after this.");
  at("acp_connection_timeout", &S::acp_connection_timeout, duration(kSome),
     "An ACP connection over HTTP without a stream and without a request ends after this; its "
     "sessions stay.");
  at("ping_interval", &S::ping_interval, duration(kNone),
     "Time between pings to a WebSocket client; 0 sends none.");
  at("pong_timeout", &S::pong_timeout, duration(kSome),
     "A WebSocket client that does not answer a ping within this is closed.");
  at("shutdown_timeout", &S::shutdown_timeout, duration(kSome),
     "Time for a graceful end after SIGTERM, SIGINT or SIGHUP.");
}

void add_auth_keys(std::vector<Key>& keys) {
  Section at(keys, "auth.", [](auto& config) -> auto& { return config.auth; });
  at("mode", &AuthConfig::mode,
     choice<AuthMode>(
         {{"auto", AuthMode::kAuto}, {"token", AuthMode::kToken}, {"none", AuthMode::kNone}}),
     "auto: no token is needed on a port that is bound to loopback, on any other one is. token: "
     "always. none: never. A needed token that is not configured is generated and printed at "
     "start.");
  at("tokens", &AuthConfig::tokens, tokens(),
     "Who may connect: {name, token or sha256, role}. The name owns the sessions it makes; sha256 "
     "is "
     "the hexadecimal digest of the token (printf %s \"$TOKEN\" | sha256sum); role is user (the "
     "default), observer (may watch) or operator (may also use the management port).");
}

void add_agent_keys(std::vector<Key>& keys) {
  using A = AgentConfig;
  Section at(keys, "agent.", [](auto& config) -> auto& { return config.agent; });
  at("command", &A::command, text(),
     "Program of the agent, looked up in PATH, started without a shell. Empty: what the preset "
     "names, without one the demo agent.");
  at("args", &A::args, strings(),
     "Its arguments. Other users of the host can see them: put keys into agent.env.")
      .secrecy = Secrecy::kMayCarry;
  at("env", &A::env, string_map(),
     "Environment of the agent, besides PATH, HOME, TERM, LANG and LC_*. Its values are never "
     "shown; "
     "those whose names say that they are secrets (API_KEY, GH_TOKEN, DB_PASSWORD) and passwords "
     "in "
     "URLs are never logged or stored.")
      .secrecy = Secrecy::kSecret;
  at("secret_env", &A::secret_env, strings(),
     "Names of variables in env whose values are secrets though their names don't say so.");
  at("plain_env", &A::plain_env, strings(),
     "Names of variables in env whose values are no secrets whatever their names say.");
  at("client_env", &A::client_env, strings(),
     "Names of environment variables that a client may set for its session.");
  at("upstreams", &A::upstreams, strings(),
     "Names in egress.upstreams that the agent may use: requests to http://127.0.0.1:PORT/NAME go "
     "to that upstream, with its credential; PORT is egress.port in a container, and one of its "
     "session's own for a process. Empty: none, or with a preset the first of egress.upstreams "
     "that it speaks to.");
  at("connect", &A::connect, strings(),
     "Hosts that an agent in a container with network_mode none may reach with TLS of its own, "
     "through the relay, as host, host:port or *.host (443 without a port), for git, npm and the "
     "like: HTTPS_PROXY says so to them. No credential is added. Empty: none.");
  at("preset", &A::preset, text(),
     "Which agent it is: " + agent_preset_names() +
         ". Sets what that one needs to reach its model through agent.upstreams without a key, in "
         "a container also without a network (docs/agents.md); agent.env has the last word. "
         "Empty: none.");
  at("startup_timeout_seconds", &A::startup_timeout, seconds(kSome),
     "Time for a process agent to answer initialize.")
      .alias = "agent.startup_timeout";
  at("max_concurrent_sessions", &A::max_concurrent_sessions, count<std::size_t>(1, 1'000'000),
     "Open sessions, of either kind, and agents that only introduce themselves or try a login; "
     "more "
     "are refused with session_limit_reached.");
  at("max_stderr_bytes", &A::max_stderr_bytes, size<std::size_t>(0, 64 * kMi),
     "How much of the end of an agent's stderr is kept for errors.");
  at("max_inbox_bytes", &A::max_inbox_bytes, size<std::size_t>(kKi, 64 * kGi),
     "Bytes that may wait for an agent to read them. At least server.max_message_bytes.");
  at("stop_grace", &A::stop_grace, duration(kNone),
     "Time that a process agent has to end after SIGTERM, which comes a quarter of it after the "
     "end of its stdin.");
}

void add_session_keys(std::vector<Key>& keys) {
  using S = SessionsConfig;
  Section at(keys, "sessions.", [](auto& config) -> auto& { return config.sessions; });
  at("idle_timeout", &S::idle_timeout, duration(kNone),
     "A session with no client attached and no turn is closed after this; 0: never.");
  at("prompt_timeout", &S::prompt_timeout, duration(kNone),
     "A turn that takes longer is cancelled; an agent that goes on with it is ended after five "
     "times agent.stop_grace. 0: never.");
  at("max_queued_prompts", &S::max_queued_prompts, count<std::size_t>(0, 100'000),
     "Prompts of a session that may wait behind the running one.");
  at("max_pending_bytes", &S::max_pending_bytes, size<std::size_t>(kKi, 64 * kGi),
     "Bytes of a session's prompts that wait behind a turn; as many of what is kept of its "
     "clients' requests that wait for the agent, of those of clients that have left, of its "
     "agent's requests that wait for clients, and of answers that wait for one client to catch up. "
     "Never less than "
     "server.max_message_bytes.");
  at("max_subagents", &S::max_subagents, count<std::size_t>(0, 1'000'000),
     "Sub-agents that the agent of a session may announce; clients get the ids of more as they "
     "are.");
  at("max_prompt_blocks", &S::max_prompt_blocks, count<std::size_t>(1, 1'000'000),
     "Content blocks of one prompt; everybody who watches gets a message for each.");
  at("permission_timeout", &S::permission_timeout, duration(kNone),
     "How long a permission request or an elicitation waits for a client to attach that can answer "
     "it; then permission_default, or cancel, is the answer. 0: at once.");
  at("permission_default", &S::permission_default,
     choice<PermissionDefault>({{"cancelled", PermissionDefault::kCancelled},
                                {"reject", PermissionDefault::kReject},
                                {"allow", PermissionDefault::kAllow}}),
     "The answer to a permission request that nobody answered.");
  at("on_shutdown", &S::on_shutdown,
     choice<OnShutdown>({{"stop", OnShutdown::kStop}, {"detach", OnShutdown::kDetach}}),
     "What becomes of sessions when the relay ends: stop ends them; detach leaves those in "
     "containers to the relay that is started next on the same database (for upgrades).");
  at("restart_agent", &S::restart_agent, flag(),
     "true: when an agent ended by itself, the next prompt starts another in the same "
     "directories, if it can load the session; one that comes while the agent is still ending "
     "waits for that.");
  at("shared", &S::shared, flag(),
     "true: a session can be used by every token, not only by the one that made it.");
  at("max_clients", &S::max_clients, count<std::size_t>(1, 1'000'000),
     "Clients attached to one session.");
  at("max_pending_requests", &S::max_pending_requests, count<std::size_t>(1, 1'000'000),
     "Requests of one client that are not answered yet; as many of all clients that have left, of "
     "which the oldest are not waited for any longer.");
}

void add_database_keys(std::vector<Key>& keys) {
  using D = DatabaseConfig;
  Section at(keys, "database.", [](auto& config) -> auto& { return config.database; });
  at("enabled", &D::enabled, flag(), "false: messages are not stored, histories are empty.");
  at("path", &D::path, text(),
     "SQLite file; made when missing. The messages are beside it, in `<path>.journal.<n>`.");
  at("durability", &D::durability,
     choice<Durability>({{"relaxed", Durability::kRelaxed}, {"strict", Durability::kStrict}}),
     "relaxed: what clients are told is safe from a crash of the relay; the last moments may be "
     "lost when the machine loses power. strict: clients are told what is on the disk, and turns "
     "and new sessions wait while the file can't be written.");
  at("max_pending_bytes", &D::max_pending_bytes, size<std::size_t>(kKi, 64 * kGi),
     "How much may wait in memory, and how much of the journal for the database, while either "
     "can't "
     "be written; beyond it the log has a gap.");
  at("retention_days", &D::retention_days, count<std::int64_t>(0, 36500),
     "Messages older than this many days are deleted; 0: never.");
  at("max_rows", &D::max_rows, count<std::int64_t>(0, kUnlimited),
     "Beyond this many messages the oldest are deleted; 0: no limit.");
  at("max_bytes", &D::max_bytes, size<std::int64_t>(0, 1024 * 1024 * kGi),
     "Beyond this size, of database and journal together, the oldest messages are deleted; 0: no "
     "limit.");
  at("audit_days", &D::audit_days, count<std::int64_t>(0, 36500),
     "Rows of the audit trail (who did what to which session) older than this many days are "
     "deleted; 0: never.");
  at("audit_rows", &D::audit_rows, count<std::int64_t>(0, kUnlimited),
     "Beyond this many rows of the audit trail the oldest are deleted; 0: no limit.");
}

void add_readiness_keys(std::vector<Key>& keys) {
  using R = ReadinessConfig;
  Section at(keys, "readiness.", [](auto& config) -> auto& { return config.readiness; });
  at("min_free_bytes", &R::min_free_bytes, size<std::int64_t>(0, 1024 * 1024 * kGi),
     "With less room than this on the disk of database.path /api/ready answers 503; 0: never.");
  at("max_wal_bytes", &R::max_wal_bytes, size<std::uint64_t>(0, 1024 * 1024 * kGi),
     "Likewise with a larger write-ahead log of the database; 0: never.");
  at("canary_interval", &R::canary_interval, duration(kNone),
     "Time between two sessions of the default agent that the relay makes for itself, without a "
     "prompt, and deletes again; while the last one did not start, /api/ready answers 503. 0: "
     "none.");
}

void add_other_keys(std::vector<Key>& keys) {
  Section top(keys, "", [](auto& config) -> auto& { return config; });
  top("client_capabilities", &Config::client_capabilities,
      choice<ClientCapabilitiesMode>({{"strip", ClientCapabilitiesMode::kStrip},
                                      {"passthrough", ClientCapabilitiesMode::kPassthrough}}),
      "strip: the agent is told that clients have no file system and no terminal, so it uses its "
      "own. passthrough: it is told that clients offer files and terminals.");
  Section log(keys, "log.", [](auto& config) -> auto& { return config.log; });
  log("level", &LogConfig::level,
      choice<LogLevel>({{"debug", LogLevel::kDebug},
                        {"info", LogLevel::kInfo},
                        {"warn", LogLevel::kWarn},
                        {"error", LogLevel::kError}}),
      "Least important lines that are logged.");
  log("format", &LogConfig::format,
      choice<LogFormat>({{"text", LogFormat::kText}, {"json", LogFormat::kJson}}),
      "One line an event on stderr, for people or as JSON.");
}

// What a relay that runs can take, as keys and whole sections: it is read where it is used, or by
// sessions, agents and containers that are made later.
constexpr std::string_view kReadAgain[] = {
    "server.allowed_origins",
    "auth.",
    "agent.",
    "sessions.",
    "database.audit_days",
    "database.audit_rows",
    "database.max_bytes",
    "database.max_rows",
    "database.retention_days",
    "log.level",
    "readiness.",
    "container.",
};

// But for these, and why.
constexpr std::string_view kReadOnce[] = {
    "sessions.shared",                  // clients that are attached have been let in by it
    "agent.upstreams",                  // the broker and what it may reach are made at start
    "agent.connect",                    // likewise
    "agent.preset",                     // likewise
    "container.enabled",                // another kind of backend
    "container.required",               // is about a start
    "container.docker_host",            // one connection for all that runs
    "container.max_concurrent_starts",  // likewise, for starts that wait
    "container.workspace_base_dir",     // has the directories of all sessions
    "container.home",  // is made with a session's directories, and copied by a fork
};

void mark_read_again(std::vector<Key>& keys) {
  for (Key& key : keys) {
    const auto covers = [&key](std::string_view entry) {
      return entry.ends_with('.') ? key.path.starts_with(entry) : key.path == entry;
    };
    if (std::ranges::any_of(kReadAgain, covers) && std::ranges::none_of(kReadOnce, covers)) {
      key.reload = Reloading::kAtOnce;
    }
  }
}

std::vector<Key> make_table() {
  std::vector<Key> keys;
  add_server_keys(keys);
  add_auth_keys(keys);
  add_agent_keys(keys);
  add_session_keys(keys);
  add_database_keys(keys);
  add_other_keys(keys);
  add_readiness_keys(keys);
  add_container_keys(keys);
  add_egress_keys(keys);
  mark_read_again(keys);
  return keys;
}

}  // namespace

const std::vector<Key>& all_keys() {
  static const std::vector<Key> kKeys = make_table();
  return kKeys;
}

std::vector<std::string> spellings(const Key& key) {
  std::vector<std::string> names{key.path};
  if (!key.alias.empty()) names.push_back(key.alias);
  if (key.is_duration && !key.path.ends_with("_seconds")) names.push_back(key.path + "_seconds");
  return names;
}

const Key* find_key(std::string_view path) {
  for (const Key& key : all_keys()) {
    const auto names = spellings(key);
    if (std::find(names.begin(), names.end(), path) != names.end()) return &key;
  }
  return nullptr;
}

bool is_section(std::string_view path) {
  const std::string prefix = std::string(path) + ".";
  const auto& keys = all_keys();
  return std::any_of(keys.begin(), keys.end(),
                     [&](const Key& key) { return key.path.starts_with(prefix); });
}

const std::vector<SectionDoc>& section_docs() {
  static const std::vector<SectionDoc> kDocs{
      {"server", "Where the relay listens, and the limits at its edge."},
      {"server.tls", "TLS from PEM files, for all ports."},
      {"auth", "Who may connect."},
      {"agent", "The agent as a process of this host, and limits for every agent."},
      {"sessions", "How sessions live and end."},
      {"database", "The log of sessions and messages."},
      {"", "Keys without a section."},
      {"log", "The relay's own log."},
      {"readiness", "When /api/ready says no (docs/api.md)."},
      {"container", "Every agent in a container of its own."},
      {"egress", "What agents reach through the relay, without knowing its key."},
  };
  return kDocs;
}

}  // namespace relay::config
