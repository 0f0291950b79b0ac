#include "app/application.hpp"

#include "app/egress_broker.hpp"
#include "app/egress_words.hpp"
#include "app/engine_counts.hpp"
#include "app/settings.hpp"
#include "backend/process/leftovers.hpp"
#include "backend/stderr_tail.hpp"
#include "base/random_id.hpp"
#include "config/print.hpp"
#include "config/secret_names.hpp"
#include "session/end_cause.hpp"
#include "session/unfinished.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace relay::app {
namespace {

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
    asio::any_io_executor executor, const config::Config& config, ReadConfiguration read_again,
    std::string generated_token, std::shared_ptr<SecretRedactor> redactor, Logger log) {
  std::unique_ptr<Application> application(
      new Application(std::move(executor), config, std::move(read_again),
                      std::move(generated_token), std::move(redactor), std::move(log)));
  const auto opened = co_await application->open();
  if (!opened) {
    co_await application->agents_.shut_down();
    if (application->egress_watch_) co_await application->egress_watch_->shut_down();
    co_return opened.error();
  }
  co_return std::move(application);
}

Application::Application(asio::any_io_executor executor, const config::Config& config,
                         ReadConfiguration read_again, std::string generated_token,
                         std::shared_ptr<SecretRedactor> redactor, Logger log)
    : executor_(executor),
      config_(config),
      read_again_(std::move(read_again)),
      reading_(executor_, 1),
      generated_token_(std::move(generated_token)),
      redactor_(std::move(redactor)),
      log_(std::move(log)),
      stop_wanted_(executor),
      background_(std::move(executor), [this](const std::string& task, std::exception_ptr) {
        log_.error("a background task failed", {{"task", task}});
      }) {
  metrics_.recent.redact_with(
      [redactor = redactor_](std::string_view text) { return redactor->redacted(text); });
}

Task<Result<void>> Application::open() {
  if (config_.database.enabled) {
    storage::LogOptions options = log_options(config_);
    options.redact = [redactor = redactor_](std::string_view text) {
      return redactor->redact(text);
    };
    // Directories that session/close of such a session would still remove.
    options.has_more = [](std::string_view isolation, std::string_view cause) {
      return isolation != "process" && ended_by_itself(cause);
    };
    auto opened = storage::MessageLog::open(executor_, std::move(options), log_);
    if (!opened) co_return opened.error();
    message_log_ = std::move(*opened);
    request_ids_ = RequestIds(message_log_->run());
  } else {
    message_log_ = storage::make_null_log();
  }
  const auto agents = co_await open_agents();
  if (!agents) co_return agents.error();
  if (agents_.uses_engine() && message_log_->is_backup()) {
    const auto done = co_await message_log_->take_over();
    if (!done) log_.warn("the next start, too, takes this database for a backup just put here");
  }
  sessions_ = std::make_unique<SessionDirectory>(
      SessionContext{executor_, agents_.standard(), *message_log_, metrics_, request_ids_, log_,
                     session_options(config_, agents_.standard().isolation()), redactor_},
      directory_options(config_), agents_.others(config_));
  egress_watch_->sessions_are(*sessions_);
  api_ = std::make_unique<frontend::RelayApi>(*sessions_,
                                              frontend::ApiOptions{config_.sessions.shared});
  metrics_.before_text([this](Metrics& metrics) {
    sessions_->count(metrics);
    metrics.upstream_connections = agents_.connections();
    const storage::LogStatus status = message_log_->status();
    metrics.log_pending_bytes = status.pending_bytes;
    metrics.log_backlog_bytes = status.backlog;
    metrics.log_held_back_for = status.held_back_for;
    metrics.log_lost_messages = status.lost_messages;
    metrics.log_wal_bytes = status.wal_bytes;
    metrics.log_writable = status.writable;
    metrics.disk_free_bytes = status.disk_free_bytes;
    metrics.messages_deleted = status.deleted_messages;
    metrics.sessions_forgotten = status.forgotten_sessions;
    metrics.log_lines = log_.counts();
  });
  const auto bound = bind();
  if (!bound) co_return bound.error();
  co_await sessions_->recover();
  auto listening = listen();
  if (!listening) co_await sessions_->leave_all();
  co_return listening;
}

Task<Result<void>> Application::open_agents() {
  AgentsContext context{executor_, message_log_->instance_id(), {}, {},
                        log_,      count_engine_calls(metrics_)};
  context.keep_secret = [redactor = redactor_](const std::string& place,
                                               const std::string& secret) {
    // A shorter one is found in any text.
    if (secret.size() >= config::kShortestSecret) redactor->learn_next(place, secret);
  };
  if (context.instance.empty()) {
    context.instance = random_hex(16);
  } else {
    end_leftovers(context.instance, log_);
  }
  context.keep = [this](SessionId id) { return is_to_be_kept(std::move(id)); };
  context.redact = [redactor = redactor_](std::string line) {
    // What is longer was cut, perhaps within a secret.
    if (line.size() >= StderrLines::kMaxLineBytes) return redactor->redacted_piece(line);
    return redactor->redacted(line);
  };
  egress_watch_ = std::make_unique<EgressWatch>(
      executor_, reached_names(config_), metrics_, *message_log_,
      [redactor = redactor_](std::string_view text) { return redactor->redacted(text); }, log_);
  context.observe_requests = egress_watch_->observer();
  context.spent_before = [this](SessionId id) { return spent_before(std::move(id)); };
  const auto opened = co_await agents_.open(config_, std::move(context));
  co_return opened;
}

Task<Result<egress::SpentByUpstream>> Application::spent_before(SessionId session) {
  std::optional<egress::SpentByUpstream> unsaved = egress_watch_->unsaved(session);
  if (unsaved) co_return std::move(*unsaved);
  const auto record = co_await message_log_->find(std::move(session));
  if (!record) co_return record.error();
  if (!*record) co_return egress::SpentByUpstream();
  co_return spent_in((*record)->upstream_use);
}

// A session whose agent ended by itself, or could not be gone on with, has been closed, but nobody
// has given it up.
Task<Keep> Application::is_to_be_kept(SessionId session) {
  const auto record = co_await message_log_->find(std::move(session));
  if (!record) co_return Keep::kAgent;  // nothing is removed that may be somebody's
  if (!*record) co_return message_log_->is_backup() ? Keep::kUnknown : Keep::kNothing;
  if ((*record)->cause == kUnfinishedFork) co_return Keep::kNothing;  // nobody was told of it
  // A container of one that runs as a process is of a life before.
  const bool is_process = (*record)->isolation == to_string(Isolation::kProcess);
  if (!(*record)->closed_at) co_return is_process ? Keep::kDirectories : Keep::kAgent;
  co_return ended_by_itself((*record)->cause) ? Keep::kDirectories : Keep::kNothing;
}

// Makes what answers, and takes its addresses: before the agents of an earlier run that still have
// their sessions are touched.
Result<void> Application::bind() {
  change_settings();
  frontend::HttpOptions http_options;
  http_options.access = http_access_;
  http_options.frame = frame_limits(config_);
  http_options.outbox = outbox_limits(config_);
  http_options.max_message_bytes = config_.server.max_message_bytes;
  relay_http_ = std::make_unique<frontend::RelayHttp>(*api_, metrics_, std::move(http_options));

  frontend::WebSocketFrontendOptions websocket_options;
  websocket_options.access = websocket_access_;
  websocket_options.frame = frame_limits(config_);
  websocket_options.outbox = outbox_limits(config_);
  relay_websocket_ = std::make_unique<frontend::RelayWebSocket>(*api_, metrics_, log_,
                                                                std::move(websocket_options));

  acp_ = std::make_unique<frontend::AcpEndpoint>(*api_, metrics_, acp_options(config_));

  management::ManagementContext context{*sessions_, *message_log_, metrics_};
  context.access = management_access_;
  context.config_json = config_json_;
  context.reload = [this] { return reload(); };
  context.max_message_bytes = config_.server.max_message_bytes;
  context.isolation = to_string(agents_.standard().isolation());
  context.agent_command = agent_command_;
  context.logger = log_;
  context.extra_reasons = [this] { return not_ready_because(); };
  context.stop = [this] { stop_wanted_.happen(); };
  context.leaves_sessions = leaves_sessions_;
  context.shutdown_timeout = config_.server.shutdown_timeout;
  context.readiness = readiness_limits_;
  context.upstream_use = [this](const SessionId& id) {
    auto spent = agents_.spent(id);
    const auto* const lately = egress_watch_->lately(id);
    if (spent.empty() && lately != nullptr) spent = *lately;  // its door is closed
    return use_text(spent);
  };
  management_ = std::make_unique<management::ManagementApi>(std::move(context));

  body_budget_ = std::make_shared<http::BodyBudget>(config_.server.max_bodies_bytes);
  auto bound = bind_server(
      Listener::kHttp, http_server_,
      [this](const http::Request& head) {
        return acp_->serves(head.path) ? acp_->judge(head, *http_access_)
                                       : relay_http_->judge(head);
      },
      [this](http::Exchange& exchange) {
        return acp_->serves(exchange.request().path) ? acp_->handle(exchange, *http_access_)
                                                     : relay_http_->handle(exchange);
      });
  if (!bound) return bound;
  bound = bind_server(
      Listener::kWebSocket, websocket_server_,
      [this](const http::Request& head) {
        return acp_->serves(head.path) ? acp_->judge(head, *websocket_access_)
                                       : relay_websocket_->judge(head);
      },
      [this](http::Exchange& exchange) {
        return acp_->serves(exchange.request().path) ? acp_->handle(exchange, *websocket_access_)
                                                     : relay_websocket_->handle(exchange);
      });
  if (!bound) return bound;
  return bind_server(
      Listener::kManagement, management_server_,
      [this](const http::Request& head) { return management_->judge(head); },
      [this](http::Exchange& exchange) { return management_->handle(exchange); });
}

Result<void> Application::bind_server(
    Listener listener, std::unique_ptr<http::Server>& server,
    std::function<http::HeadVerdict(const http::Request&)> judge_head, http::Handler handler) {
  http::ServerOptions options = server_options(config_, listener);
  options.judge_head = std::move(judge_head);
  options.body_budget = body_budget_;
  auto bound = http::Server::bind(executor_, std::move(options), std::move(handler), log_);
  if (!bound) return cannot_listen(config_, bound.error());
  server = std::move(*bound);
  return {};
}

Result<void> Application::listen() {
  for (const auto* const server : {&http_server_, &websocket_server_, &management_server_}) {
    const auto listens = (*server)->listen();
    if (!listens) return cannot_listen(config_, listens.error());
  }
  return {};
}

Task<void> Application::run() {
  background_.spawn("idle sessions", [this] { return sessions_->sweep(); });
  background_.spawn("idle ACP connections", [this] { return acp_->sweep(); });
  background_.spawn("loop watch", [this] { return watch_loop(); });
  canary_.emplace(executor_, *sessions_, config_.readiness.canary_interval, log_);
  background_.spawn("canary", [this] { return canary_->run(); });
  background_.spawn("http", [this] { return http_server_->run(); });
  background_.spawn("websocket", [this] { return websocket_server_->run(); });
  background_.spawn("management", [this] { return management_server_->run(); });
  co_await background_.join();
}

// How late a timer fires is how long something kept the loop busy behind the moment that it was due
// at: of a turn that began before, up to kPause is not seen.
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
  if (*leaves_sessions_) {
    co_await sessions_->leave_all();
  } else {
    co_await sessions_->close_all();
  }
  co_await acp_->stop();
  co_await agents_.shut_down();
  co_await egress_watch_->shut_down();
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
  egress_watch_->write_all();
  sessions_->abandon_all();
  message_log_.reset();  // writes what is queued
}

// However often it is asked, the Engine is asked now and then.
Task<std::vector<std::string>> Application::not_ready_because() {
  constexpr std::chrono::seconds kGoodFor(2);
  const auto now = std::chrono::steady_clock::now();
  if (now - examined_at_ >= kGoodFor) {
    examined_at_ = now;
    unavailable_ = agents_.unavailable();
    examined_ = co_await agents_.examine();
  }
  std::vector<std::string> reasons;
  if (stopping_) reasons.emplace_back("shutting_down");
  if (!stopping_ && sessions_->draining()) reasons.emplace_back("draining");
  if (canary_ && canary_->failed()) reasons.emplace_back("canary_failed");
  for (const ErrorType type : unavailable_) reasons.emplace_back(to_string(type));
  if (examined_) reasons.emplace_back(to_string(*examined_));
  co_return reasons;
}

Running Application::running() const {
  Running running;
  running.program = program_to_type();
  running.http_port = http_server_->port();
  running.websocket_port = websocket_server_->port();
  running.management_port = management_server_->port();
  running.generated_token = generated_token_;
  running.engine = agents_.engine();
  running.carrier = agents_.carrier();
  running.no_containers_because = agents_.no_containers_because();
  running.agent = redactor_->redacted(command_line(config_.agent));
  for (const config::NamedAgentConfig& agent : config_.agents) {
    running.agents.push_back({agent.name, redactor_->redacted(command_line(agent.agent))});
  }
  return running;
}

}  // namespace relay::app
