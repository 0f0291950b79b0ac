#include "app/settings.hpp"

#include "app/egress_broker.hpp"
#include "config/agent_presets.hpp"
#include "config/tunnel_host.hpp"
#include "config/validate.hpp"
#include "frontend/http_replies.hpp"
#include "management/session_import.hpp"

#include <algorithm>

namespace relay::app {
namespace {

PermissionDefault permission_default(config::PermissionDefault value) {
  switch (value) {
    case config::PermissionDefault::kAllow:
      return PermissionDefault::kAllow;
    case config::PermissionDefault::kReject:
      return PermissionDefault::kReject;
    case config::PermissionDefault::kCancelled:
      break;
  }
  return PermissionDefault::kCancelled;
}

http::Role role(config::Role value) {
  switch (value) {
    case config::Role::kObserver:
      return http::Role::kObserver;
    case config::Role::kOperator:
      return http::Role::kOperator;
    case config::Role::kUser:
      break;
  }
  return http::Role::kUser;
}

const std::string& host_of(const config::ServerConfig& server, Listener listener) {
  switch (listener) {
    case Listener::kHttp:
      return server.http_host;
    case Listener::kWebSocket:
      return server.websocket_host;
    case Listener::kManagement:
      break;
  }
  return server.management_host;
}

ContainerHome home(config::HomeMode mode) {
  switch (mode) {
    case config::HomeMode::kTmpfs:
      return ContainerHome::kTmpfs;
    case config::HomeMode::kImage:
      return ContainerHome::kImage;
    case config::HomeMode::kKeep:
      break;
  }
  return ContainerHome::kKeep;
}

MountLabel mount_label(config::SelinuxLabel label) {
  switch (label) {
    case config::SelinuxLabel::kShared:
      return MountLabel::kShared;
    case config::SelinuxLabel::kPrivate:
      return MountLabel::kPrivate;
    case config::SelinuxLabel::kNone:
      break;
  }
  return MountLabel::kNone;
}

ImagePull pull(config::PullPolicy policy) {
  switch (policy) {
    case config::PullPolicy::kAlways:
      return ImagePull::kAlways;
    case config::PullPolicy::kNever:
      return ImagePull::kNever;
    case config::PullPolicy::kMissing:
      break;
  }
  return ImagePull::kMissing;
}

bool token_required(const config::Config& config, Listener listener) {
  return config::token_needed(config.auth.mode, host_of(config.server, listener));
}

constexpr std::chrono::milliseconds kNeverPing = std::chrono::hours(24 * 365);

constexpr Listener kListeners[] = {Listener::kHttp, Listener::kWebSocket, Listener::kManagement};

}  // namespace

http::ServerOptions server_options(const config::Config& config, Listener listener) {
  const config::ServerConfig& server = config.server;
  http::ServerOptions options;
  options.host = host_of(server, listener);
  switch (listener) {
    case Listener::kHttp:
      options.name = "http";
      options.port = server.http_port;
      break;
    case Listener::kWebSocket:
      options.name = "websocket";
      options.port = server.websocket_port;
      break;
    case Listener::kManagement:
      options.name = "management";
      options.port = server.management_port;
      break;
  }
  options.host_key = "server." + options.name + "_host";
  options.port_key = "server." + options.name + "_port";
  if (server.tls.enabled()) options.tls = http::TlsFiles{server.tls.cert, server.tls.key};
  options.max_header_bytes = server.max_header_bytes;
  options.max_body_bytes = server.max_message_bytes;
  if (listener == Listener::kManagement) {
    options.max_body_bytes = std::max(
        options.max_body_bytes, std::min(management::kMaxImportBytes, server.max_bodies_bytes));
  }
  options.max_connections = server.max_connections;
  options.header_timeout = server.header_timeout;
  options.pace = {server.body_timeout, server.request_timeout, server.min_body_rate};
  options.keep_alive_timeout = server.keep_alive_timeout;
  options.websocket.max_message_bytes = server.max_message_bytes;
  options.websocket.ping_interval =
      server.ping_interval.count() > 0 ? server.ping_interval : kNeverPing;
  options.websocket.pong_deadline = server.pong_timeout;
  options.error_body = frontend::server_error_body;
  return options;
}

Error cannot_listen(const config::Config& config, Error error) {
  if (config.server.tls.enabled()) {
    error.suggested_actions.emplace_back("check server.tls.cert and server.tls.key");
  }
  return error;
}

http::AccessRules access_rules(const config::Config& config, Listener listener,
                               const std::string& generated_token) {
  const std::string& host = host_of(config.server, listener);
  http::AccessRules rules;
  rules.token_required = token_required(config, listener);
  rules.loopback_bind = config::is_loopback(host);
  rules.tokens_in_use = std::any_of(std::begin(kListeners), std::end(kListeners),
                                    [&](Listener any) { return token_required(config, any); });
  rules.operator_only =
      listener == Listener::kManagement && rules.token_required && !rules.loopback_bind;
  rules.allowed_origins = config.server.allowed_origins;
  rules.own_hosts = {host};
  for (const config::TokenConfig& token : config.auth.tokens) {
    rules.tokens.push_back({token.name,
                            token.sha256.empty() ? http::sha256_hex(token.token) : token.sha256,
                            role(token.role)});
  }
  if (rules.tokens.empty() && !generated_token.empty()) {
    rules.tokens.push_back({"generated", http::sha256_hex(generated_token), http::Role::kOperator});
  }
  return rules;
}

bool needs_generated_token(const config::Config& config) {
  if (!config.auth.tokens.empty()) return false;
  for (const Listener listener : kListeners) {
    if (token_required(config, listener)) return true;
  }
  return false;
}

// What is read again was judged by these.
static_assert(kAccepted.max_depth > config::kMostJsonDepth);
static_assert(kAccepted.max_id_bytes >= config::kMostIdBytes);

FrameLimits frame_limits(const config::Config& config) {
  FrameLimits limits;
  limits.max_depth = config.server.max_json_depth;
  limits.max_id_bytes = config.server.max_id_bytes;
  return limits;
}

OutboxLimits outbox_limits(const config::Config& config) {
  return {config.server.max_outbox_bytes, config.server.max_outbox_frames};
}

SessionOptions session_options(const config::Config& config, Isolation isolation) {
  const bool contained = isolation == Isolation::kContainer;
  SessionOptions options;
  options.router.max_queued_prompts = config.sessions.max_queued_prompts;
  options.router.max_pending_bytes =
      std::max(config.sessions.max_pending_bytes, config.server.max_message_bytes);
  options.router.max_prompt_blocks = config.sessions.max_prompt_blocks;
  options.router.max_subagents = config.sessions.max_subagents;
  options.router.max_pending_requests = config.sessions.max_pending_requests;
  options.router.permission_timeout = config.sessions.permission_timeout;
  options.router.permission_default = permission_default(config.sessions.permission_default);
  options.router.strip_client_disk =
      config.client_capabilities == config::ClientCapabilitiesMode::kStrip;
  options.frame = frame_limits(config);
  options.startup_timeout =
      contained ? config.container.startup_timeout : config.agent.startup_timeout;
  options.cancel_grace = config.agent.stop_grace;
  options.stop_grace = contained ? config.container.shutdown_timeout : config.agent.stop_grace;
  options.prompt_timeout = config.sessions.prompt_timeout;
  options.max_inbox_bytes = config.agent.max_inbox_bytes;
  options.max_early_bytes = config.server.max_message_bytes;
  options.max_log_pending_bytes = storage::max_backlog(config.database.max_pending_bytes);
  options.max_clients = config.sessions.max_clients;
  options.durable_first = config.database.durability == config::Durability::kStrict;
  options.client_env = config.agent.client_env;
  if (contained) options.network = config.container.network_mode;
  options.upstreams = config.agent.upstreams;
  if (contained) options.connect = config::connect_in_force(config.agent, config.container);
  options.keeps_home = !contained || config.container.home == config::HomeMode::kKeep;
  if (!options.router.strip_client_disk) {
    options.client_capabilities =
        R"({"fs":{"readTextFile":true,"writeTextFile":true},"terminal":true})";
  }
  return options;
}

frontend::AcpOptions acp_options(const config::Config& config) {
  frontend::AcpOptions options;
  options.aliases = config.server.acp_aliases;
  options.frame = frame_limits(config);
  options.outbox = outbox_limits(config);
  options.max_connections = config.server.max_connections;
  options.initialize_timeout = config.server.header_timeout;
  options.connection_timeout = config.server.acp_connection_timeout;
  options.strip_client_disk = config.client_capabilities == config::ClientCapabilitiesMode::kStrip;
  options.keeps_messages = config.database.enabled;
  options.max_message_bytes = config.server.max_message_bytes;
  return options;
}

DirectoryOptions directory_options(const config::Config& config) {
  return {config.agent.max_concurrent_sessions, config.sessions.idle_timeout,
          config.sessions.restart_agent};
}

storage::LogOptions log_options(const config::Config& config) {
  storage::LogOptions options;
  options.path = config.database.path;
  options.max_pending_bytes = config.database.max_pending_bytes;
  options.retention_days = config.database.retention_days;
  options.max_rows = config.database.max_rows;
  options.max_bytes = config.database.max_bytes;
  options.audit_days = config.database.audit_days;
  options.audit_rows = config.database.audit_rows;
  options.durability = config.database.durability == config::Durability::kStrict
                           ? storage::Durability::kStrict
                           : storage::Durability::kRelaxed;
  return options;
}

ProcessOptions process_options(const config::Config& config, const std::string& demo_agent) {
  ProcessOptions options;
  options.command = config.agent.command.empty() ? demo_agent : config.agent.command;
  options.args = config.agent.command.empty() ? config::Strings() : config.agent.args;
  options.env = config::environment_with_preset(config.agent, config.egress.upstreams);
  options.upstreams = config.agent.upstreams;
  options.max_line_bytes = config.server.max_message_bytes;
  options.max_stderr_bytes = config.agent.max_stderr_bytes;
  return options;
}

config::Config config_of(const config::Config& config, const config::NamedAgentConfig& agent) {
  config::Config own = config;
  own.agent = agent.agent;
  own.container = agent.container;
  return own;
}

ContainerOptions container_options(const config::Config& config, const std::string& helper) {
  const config::ContainerConfig& from = config.container;
  ContainerOptions options;
  options.image = from.image;
  options.command = from.command;
  options.environment = environment_in_container(config);
  options.memory_limit = from.memory_limit;
  options.cpu_limit = from.cpu_limit;
  options.pids_limit = from.pids_limit;
  options.ulimits = from.ulimits;
  options.network_mode = from.network_mode;
  options.readonly_rootfs = from.readonly_rootfs;
  options.tmpfs = config::effective_tmpfs(from);
  options.drop_capabilities = from.drop_capabilities;
  options.security_opt = from.security_opt;
  options.user = from.user;
  options.init = from.init;
  options.home = home(from.home);
  options.max_fork_bytes = from.max_fork_bytes;
  options.runtime = from.runtime;
  options.workspace_base_dir = from.workspace_base_dir;
  options.selinux_label = mount_label(from.selinux_label);
  options.mount_roots = from.mount_roots;
  for (const std::string& text : from.extra_volumes) {
    const auto volume = config::parse_volume(text);
    if (volume)
      options.extra_volumes.push_back(
          {volume->source, volume->target, volume->read_only, mount_label(volume->label)});
  }
  options.auto_remove = from.auto_remove;
  options.pull_policy = pull(from.pull_policy);
  options.pull_timeout = from.pull_timeout;
  options.startup_timeout = from.startup_timeout;
  options.max_concurrent_starts = from.max_concurrent_starts;
  options.log_driver = from.log_driver;
  options.log_opts = from.log_opts;
  options.docker_host = from.docker_host;
  options.labels = from.labels;
  options.max_line_bytes = config.server.max_message_bytes;
  options.max_stderr_bytes = config.agent.max_stderr_bytes;
  options.helper_program = helper;
  return options;
}

}  // namespace relay::app
