#include "cli/preflight/listening.hpp"

#include "app/settings.hpp"
#include "http/server.hpp"
#include "storage/database_file.hpp"

#include <charconv>
#include <memory>
#include <unistd.h>

namespace relay::cli::preflight {
namespace {

constexpr std::string_view kInMemory = ":memory:";

pid_t holder_of(const Error& error) {
  for (const auto& [name, value] : error.state) {
    const auto* const text = std::get_if<std::string>(&value);
    pid_t pid = 0;
    if (name == "pid" && text != nullptr) {
      std::from_chars(text->data(), text->data() + text->size(), pid);
      return pid;
    }
  }
  return 0;
}

}  // namespace

std::vector<PortFacts> port_facts(const asio::any_io_executor& executor,
                                  const config::Config& config) {
  std::vector<PortFacts> ports;
  std::vector<std::unique_ptr<http::Server>> listening;
  for (const app::Listener listener :
       {app::Listener::kHttp, app::Listener::kWebSocket, app::Listener::kManagement}) {
    http::ServerOptions options = app::server_options(config, listener);
    PortFacts facts;
    facts.name = options.name;
    facts.host = options.host;
    facts.port = options.port;
    facts.key = options.port_key;
    const http::Handler nobody_comes = [](http::Exchange&) -> Task<void> { co_return; };
    auto server = http::Server::bind(executor, std::move(options), nobody_comes, Logger::silent());
    const Result<void> listens = server ? (*server)->listen() : server.error();
    if (listens) {
      listening.push_back(std::move(*server));
    } else {
      facts.failure = app::cannot_listen(config, listens.error());
    }
    ports.push_back(std::move(facts));
  }
  return ports;
}

DatabaseFacts database_facts(const config::DatabaseConfig& config) {
  DatabaseFacts facts;
  facts.enabled = config.enabled;
  facts.path = config.path;
  if (!config.enabled || config.path == kInMemory) return facts;
  facts.exists = ::access(config.path.c_str(), F_OK) == 0;
  const auto usable = storage::check_usable(config.path);
  if (!usable) {
    facts.failure = usable.error();
    facts.holder = holder_of(usable.error());
  }
  return facts;
}

}  // namespace relay::cli::preflight
