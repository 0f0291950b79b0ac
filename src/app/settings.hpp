// From the configuration to the options of each part. Pure.
#pragma once

#include "backend/agent_backend.hpp"
#include "backend/docker/container_options.hpp"
#include "backend/process/process_options.hpp"
#include "config/config.hpp"
#include "frontend/acp/acp_connection.hpp"
#include "frontend/relay_http.hpp"
#include "frontend/relay_websocket.hpp"
#include "http/access.hpp"
#include "http/server.hpp"
#include "session/session_directory.hpp"
#include "storage/message_log.hpp"

#include <string>

namespace relay::app {

enum class Listener { kHttp, kWebSocket, kManagement };

http::ServerOptions server_options(const config::Config& config, Listener listener);
// What failed when a server with these options was to listen, with the keys of the configuration.
Error cannot_listen(const config::Config& config, Error error);
// `generated_token` is used where a token is needed and none is configured.
http::AccessRules access_rules(const config::Config& config, Listener listener,
                               const std::string& generated_token);
// Whether some listener needs a token although none is configured.
bool needs_generated_token(const config::Config& config);

SessionOptions session_options(const config::Config& config, Isolation isolation);
DirectoryOptions directory_options(const config::Config& config);
storage::LogOptions log_options(const config::Config& config);
ProcessOptions process_options(const config::Config& config, const std::string& demo_agent);
FrameLimits frame_limits(const config::Config& config);
OutboxLimits outbox_limits(const config::Config& config);
frontend::AcpOptions acp_options(const config::Config& config);

// The configuration as a further agent sees it: its own agent and container blocks.
config::Config config_of(const config::Config& config, const config::NamedAgentConfig& agent);

// `helper`: the path of acp-workspace-helper.
ContainerOptions container_options(const config::Config& config, const std::string& helper);

}  // namespace relay::app
