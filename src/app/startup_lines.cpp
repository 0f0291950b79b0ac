#include "app/startup_lines.hpp"

#include "app/settings.hpp"
#include "config/tunnel_host.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace relay::app {
namespace {

std::string url(std::string_view scheme, bool tls, const std::string& host, std::uint16_t port) {
  const std::string shown = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return fmt::format("{}{}://{}:{}", scheme, tls ? "s" : "", shown, port);
}

std::string access(const config::Config& config, Listener listener, bool generated) {
  const http::AccessRules rules = access_rules(config, listener, generated ? "x" : "");
  if (!rules.token_required) {
    return rules.loopback_bind ? "open to this machine, no token needed"
                               : "OPEN TO THE NETWORK WITHOUT A TOKEN (auth.mode: none)";
  }
  return generated && config.auth.tokens.empty() ? "with the token below"
                                                 : "with a token of auth.tokens";
}

std::string agent(const config::Config& config, const Running& running) {
  if (!running.engine.empty()) return "image " + config.container.image;
  return running.agent.empty()
             ? "the built-in demo agent, no model (set agent.command for a real one)"
             : running.agent;
}

std::string named_agent(const config::NamedAgentConfig& agent, const NamedAgent& running) {
  if (agent.isolation == config::AgentIsolation::kContainer) {
    return fmt::format("{}: image {}, in containers, network {}", agent.name, agent.container.image,
                       agent.container.network_mode);
  }
  return fmt::format("{}: {}, as processes with this user's rights", agent.name,
                     running.agent.empty() ? "the built-in demo agent" : running.agent);
}

std::string isolation(const config::Config& config, const Running& running) {
  if (!running.engine.empty()) {
    return fmt::format("container: one for each session, network {}, by {}",
                       config.container.network_mode, running.engine);
  }
  if (!running.no_containers_because.empty()) {
    return "process: NO CONTAINERS although container.enabled is true; agents have this user's "
           "rights (" +
           running.no_containers_because + ")";
  }
  return "process: agents run as child processes with this user's rights, and end with the relay "
         "(container.enabled: false)";
}

}  // namespace

std::string command_line(const config::AgentConfig& agent) {
  std::string line = agent.command;
  if (line.empty()) return line;
  for (const std::string& argument : agent.args) line += " " + argument;
  return line;
}

std::string startup_lines(const config::Config& config, const Running& running) {
  const config::ServerConfig& server = config.server;
  const bool tls = server.tls.enabled();
  const bool generated = !running.generated_token.empty();
  const std::string http = url("http", tls, server.http_host, running.http_port);
  std::string out = fmt::format("acp-relay {} is ready\n", RELAY_VERSION);
  const auto line = [&out](std::string_view name, const std::string& text) {
    out += fmt::format("  {:<11} {}\n", name, text);
  };
  line("HTTP", http + "  (" + access(config, Listener::kHttp, generated) + ")");
  line("WebSocket", url("ws", tls, server.websocket_host, running.websocket_port) + "  (" +
                        access(config, Listener::kWebSocket, generated) + ")");
  line("management", url("http", tls, server.management_host, running.management_port) + "  (" +
                         access(config, Listener::kManagement, generated) + ")");
  line("agent", agent(config, running));
  line("isolation", isolation(config, running));
  if (!running.engine.empty() && config.container.network_mode == "none") {
    config::Strings reached = config.agent.upstreams;
    for (const std::string& host : config::connect_in_force(config.agent, config.container)) {
      reached.push_back(host + " by CONNECT");
    }
    line("network",
         reached.empty()
             ? "none: no model can be reached from a container; agent.preset or agent.upstreams "
               "leads to one, container.network_mode: bridge lets agents out"
             : fmt::format("none but {} through the relay, at http://127.0.0.1:{}/NAME in a "
                           "container (carrier {})",
                           fmt::join(reached, ", "), config.egress.port, running.carrier));
  } else if (running.engine.empty() && !config.agent.upstreams.empty()) {
    line("upstreams", fmt::format("{} through the relay, by a port and a key of each session",
                                  fmt::join(config.agent.upstreams, ", ")));
  }
  for (std::size_t i = 0; i < running.agents.size(); ++i) {
    line(i == 0 ? "agents" : "", named_agent(config.agents[i], running.agents[i]));
  }
  line("database", config.database.enabled
                       ? config.database.path
                       : "none: messages are not kept (database.enabled: false)");
  if (generated)
    line("token", running.generated_token + "  (made for this run; set auth.tokens to choose)");
  const std::string auth =
      generated ? " -H \"Authorization: Bearer " + running.generated_token + "\"" : "";
  const bool anywhere = server.http_host == "0.0.0.0" || server.http_host == "::";
  const std::string reach = anywhere ? url("http", tls, "127.0.0.1", running.http_port) : http;
  out += "Try it:\n";
  out += fmt::format(
      "  curl -s{} -H 'Content-Type: application/json' {}/session/new \\\n"
      "    -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session/new\",\"params\":{{}}}}'\n",
      auth, reach);
  out += fmt::format("  {}{} prompt{} \"hello\"\n",
                     generated ? "ACP_RELAY_TOKEN=" + running.generated_token + " " : "",
                     running.program, running.http_port == 8080 && !tls ? "" : " --url " + reach);
  return out;
}

}  // namespace relay::app
