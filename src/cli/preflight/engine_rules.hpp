// What is found at the Docker Engine, and what helps on this machine when it is not there. Pure.
#pragma once

#include "backend/docker/container_options.hpp"
#include "base/result.hpp"
#include "cli/preflight/finding.hpp"
#include "engine/values.hpp"

#include <string>
#include <vector>

namespace relay::cli::preflight {

enum class SocketState { kNone, kMissing, kForbidden, kUsable };  // kNone: it is no Unix socket

// The machine around the Engine's socket, as far as it decides what helps.
struct EngineSurroundings {
  SocketState socket = SocketState::kNone;
  std::string socket_path;
  std::string socket_group;   // who may use the socket beside its owner; empty: nobody
  bool group_is_new = false;  // the user is in that group, but not since this login
  std::string user;
  bool has_systemd = false;
  bool is_installed = false;
  std::string install;                     // the command that does; empty: not known
  std::vector<std::string> other_sockets;  // Unix sockets of Engines that this user may use
};

// An Engine that can't be used. `fallback`: the configuration allows processes in its place.
enum class Fallback { kNone, kProcesses };
Finding engine_missing(const Error& error, const EngineSurroundings& around, Fallback fallback);

// `description` names it and its versions. Of its warnings those that concern agents.
Finding engine_finding(const std::string& description, const engine::EngineInfo& info,
                       const std::string& network_mode);

// Whether the limits that are configured hold there.
Finding limits_finding(std::string name, const ContainerOptions& options,
                       const engine::EngineInfo& info);

Finding image_finding(std::string name, const ContainerOptions& options,
                      const Result<engine::ImageFacts>& image);

}  // namespace relay::cli::preflight
