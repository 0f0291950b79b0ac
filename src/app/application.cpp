#include "app/application.hpp"

#include "app/settings.hpp"
#include "backend/docker/docker_backend.hpp"
#include "backend/process/process_backend.hpp"
#include "base/random_id.hpp"
#include "config/print.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace relay::app {
namespace {

// The demo agent lies beside the relay, or where `cmake --install` puts it.
std::string demo_agent_path() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return "acp-demo-agent";
  const auto beside = self.parent_path() / "acp-demo-agent";
  return std::filesystem::exists(beside, failure) ? beside.string() : "acp-demo-agent";
}

// Where the relay's other programs lie: beside it, in the build as where they are installed.
std::string helper_path() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  return (self.parent_path() / "acp-workspace-helper").string();
}

Error cannot_use_containers(Error error, bool required) {
  error.suggested_actions.emplace_back(
      required ? "set container.required: false and agent.command to run agents as processes"
               : "set agent.command to fall back to processes, which have this user's rights");
  error.suggested_actions.emplace_back("set container.enabled: false");
  return error;
}

// What to type to call this program again: its name when it is found in PATH, otherwise the shorter
// path.
std::string program_to_type() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return "acp-relay";
  std::istringstream directories(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (std::filesystem::equivalent(directory + "/acp-relay", self, failure)) return "acp-relay";
  }
  const auto near = std::filesystem::relative(self, failure);
  return failure || near.string().starts_with("..") ? self.string() : near.string();
}

}  // namespace

Task<Result<std::unique_ptr<Application>>> Application::start(
    asio::any_io_executor executor, const config::Config& config, std::string generated_token,
    std::shared_ptr<const SecretRedactor> redactor, Logger log) {
  std::unique_ptr<Application> application(new Application(std::move(executor), config,
                                                           std::move(generated_token),
                                                           std::move(redactor), std::move(log)));
  const auto opened = co_await application->open();
  if (!opened) {
    if (application->backend_) co_await application->backend_->shut_down();
    co_return opened.error();
  }
  co_return std::move(application);
}

Application::Application(asio::any_io_executor executor, const config::Config& config,
                         std::string generated_token,
                         std::shared_ptr<const SecretRedactor> redactor, Logger log)
    : executor_(executor),
      config_(config),
      generated_token_(std::move(generated_token)),
      redactor_(std::move(redactor)),
      log_(std::move(log)),
      background_(std::move(executor), [this](const std::string& task, std::exception_ptr) {
        log_.error("a background task failed", {{"task", task}});
      }) {}

Task<Result<void>> Application::open() {
  if (config_.database.enabled) {
    storage::LogOptions options = log_options(config_);
    options.redact = [redactor = redactor_](std::string_view text) {
      return redactor->redact(text);
    };
    auto opened = storage::MessageLog::open(executor_, std::move(options), log_);
    if (!opened) co_return opened.error();
    message_log_ = std::move(*opened);
  } else {
    message_log_ = storage::make_null_log();
  }
  const auto backend = co_await open_backend();
  if (!backend) co_return backend.error();
  sessions_ = std::make_unique<SessionDirectory>(
      SessionContext{executor_, *backend_, *message_log_, metrics_, request_ids_, log_,
                     session_options(config_, backend_->isolation()), redactor_},
      directory_options(config_));
  api_ = std::make_unique<frontend::RelayApi>(
      *sessions_, frontend::ApiOptions{config_.sessions.shared, config_.agent.client_env});
  metrics_.before_text([this](Metrics& metrics) {
    sessions_->count(metrics);
    const storage::LogStatus status = message_log_->status();
    metrics.log_pending_bytes = status.pending_bytes;
    metrics.log_lost_messages = status.lost_messages;
    metrics.log_wal_bytes = status.wal_bytes;
    metrics.log_writable = status.writable;
  });
  co_return listen();
}

Task<Result<void>> Application::open_backend() {
  const auto redact = [redactor = redactor_](std::string line) {
    auto changed = redactor->redact(line);
    return changed ? std::move(*changed) : std::move(line);
  };
  if (config_.container.enabled) {
    ContainerOptions options = container_options(config_, helper_path());
    options.redact = redact;
    std::string instance = message_log_->instance_id();
    if (instance.empty()) instance = random_hex(16);
    const KeepDirectories keep = [this](SessionId id) { return is_to_be_kept(std::move(id)); };
    auto opened = co_await DockerBackend::open(executor_, std::move(options), std::move(instance),
                                               keep, log_);
    if (opened) {
      engine_ = (*opened)->engine();
      backend_ = std::move(*opened);
      co_return Result<void>();
    }
    if (config_.container.required || config_.agent.command.empty()) {
      co_return cannot_use_containers(opened.error(), config_.container.required);
    }
    no_containers_because_ = opened.error().explanation;
    log_.warn("containers are not used, agents run as processes with this user's rights",
              {{"key", "container.enabled"}, {"reason", no_containers_because_}});
  }
  ProcessOptions options = process_options(config_, demo_agent_path());
  options.redact = redact;
  backend_ = std::make_unique<ProcessBackend>(executor_, std::move(options), log_);
  co_return Result<void>();
}

// A session whose agent ended by itself has been closed, but nobody has given it up.
Task<bool> Application::is_to_be_kept(SessionId session) {
  const auto record = co_await message_log_->find(std::move(session));
  co_return record&&* record && (*record)->cause.starts_with("agent_exited");
}

Result<void> Application::listen() {
  frontend::HttpOptions http_options;
  http_options.access = access_rules(config_, Listener::kHttp, generated_token_);
  http_options.frame = frame_limits(config_);
  http_options.outbox = outbox_limits(config_);
  http_options.max_message_bytes = config_.server.max_message_bytes;
  relay_http_ = std::make_unique<frontend::RelayHttp>(*api_, metrics_, std::move(http_options));

  frontend::WebSocketFrontendOptions websocket_options;
  websocket_options.access = access_rules(config_, Listener::kWebSocket, generated_token_);
  websocket_options.frame = frame_limits(config_);
  websocket_options.outbox = outbox_limits(config_);
  relay_websocket_ = std::make_unique<frontend::RelayWebSocket>(*api_, metrics_, log_,
                                                                std::move(websocket_options));

  management::ManagementContext context{*sessions_, *message_log_, metrics_};
  context.access = access_rules(config_, Listener::kManagement, generated_token_);
  context.config_json = config::to_json(config_);
  context.isolation = to_string(backend_->isolation());
  context.logger = log_;
  context.extra_reasons = [this] { return not_ready_because(); };
  management_ = std::make_unique<management::ManagementApi>(std::move(context));

  const auto open_server = [this](Listener listener, std::unique_ptr<http::Server>& server,
                                  http::Handler handler) -> Result<void> {
    auto opened = http::Server::listen(executor_, server_options(config_, listener),
                                       std::move(handler), log_);
    if (!opened) {
      Error error = opened.error();
      if (config_.server.tls.enabled()) {
        error.suggested_actions.emplace_back("check server.tls.cert and server.tls.key");
      }
      return error;
    }
    server = std::move(*opened);
    return Result<void>();
  };
  auto opened = open_server(Listener::kHttp, http_server_, [this](http::Exchange& exchange) {
    return relay_http_->handle(exchange);
  });
  if (!opened) return opened;
  opened = open_server(Listener::kWebSocket, websocket_server_, [this](http::Exchange& exchange) {
    return relay_websocket_->handle(exchange);
  });
  if (!opened) return opened;
  return open_server(Listener::kManagement, management_server_,
                     [this](http::Exchange& exchange) { return management_->handle(exchange); });
}

Task<void> Application::run() {
  background_.spawn("idle sessions", [this] { return sessions_->sweep(); });
  background_.spawn("loop watch", [this] { return watch_loop(); });
  background_.spawn("http", [this] { return http_server_->run(); });
  background_.spawn("websocket", [this] { return websocket_server_->run(); });
  background_.spawn("management", [this] { return management_server_->run(); });
  co_await background_.join();
}

// How late a timer fires is how long something kept the loop busy.
Task<void> Application::watch_loop() {
  constexpr std::chrono::milliseconds kPause(200);
  while (true) {
    const auto due = std::chrono::steady_clock::now() + kPause;
    const bool slept = co_await sleep_for(kPause);
    if (!slept) co_return;
    const auto now = std::chrono::steady_clock::now();
    metrics_.longest_loop_turn.record(now - due, now);
  }
}

Task<void> Application::stop() {
  using namespace boost::asio::experimental::awaitable_operators;
  stopping_ = true;
  const auto limit = config_.server.shutdown_timeout;
  const auto began = std::chrono::steady_clock::now();
  const auto left = [&] {
    const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    return std::max(limit - used, std::chrono::milliseconds(0));
  };
  http_server_->stop_accepting();
  websocket_server_->stop_accepting();
  co_await sessions_->close_all();
  co_await backend_->shut_down();
  // Clients have been told; they get a moment to take their last messages.
  const auto goodbye = std::min(left() / 2, std::chrono::milliseconds(1'000));
  auto http = http_server_->stop(goodbye);
  auto websocket = websocket_server_->stop(goodbye);
  auto management = management_server_->stop(std::chrono::milliseconds(100));
  co_await (std::move(http) && std::move(websocket) && std::move(management));
  co_await message_log_->flush();
  background_.cancel();
}

void Application::abandon() {
  sessions_->abandon_all();
  message_log_.reset();  // writes what is queued
}

std::vector<std::string> Application::not_ready_because() const {
  std::vector<std::string> reasons;
  if (stopping_) reasons.emplace_back("shutting_down");
  if (const auto failure = backend_->unavailable()) {
    reasons.emplace_back(to_string(failure->type));
  }
  return reasons;
}

Running Application::running() const {
  Running running;
  running.program = program_to_type();
  running.http_port = http_server_->port();
  running.websocket_port = websocket_server_->port();
  running.management_port = management_server_->port();
  running.generated_token = generated_token_;
  running.engine = engine_;
  running.no_containers_because = no_containers_because_;
  if (!config_.agent.command.empty()) {
    running.agent = config_.agent.command;
    for (const std::string& argument : config_.agent.args) running.agent += " " + argument;
    running.agent = redactor_->redacted(running.agent);
  }
  return running;
}

}  // namespace relay::app
