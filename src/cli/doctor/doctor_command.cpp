#include "cli/commands.hpp"
#include "cli/connect_target.hpp"
#include "cli/doctor/checks.hpp"
#include "cli/error_view.hpp"
#include "cli/output.hpp"
#include "cli/run_task.hpp"
#include "http/websocket_client.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <cerrno>
#include <unistd.h>

namespace relay::cli {
namespace {

using namespace asio::experimental::awaitable_operators;
using doctor::Check;
using doctor::Verdict;

constexpr std::string_view kInitialize =
    R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1,)"
    R"("clientCapabilities":{},"clientInfo":{"name":"acp-relay doctor","version":")" RELAY_VERSION
    R"("}}})";

// One examination: each step is printed when it is known.
class Examination {
 public:
  Examination(asio::any_io_executor executor, ConnectTarget target, const DoctorCommand& command)
      : executor_(executor),
        target_(std::move(target)),
        origin_(command.origin),
        patience_(std::chrono::seconds(command.timeout_seconds)),
        out_(STDOUT_FILENO) {}

  Task<ExitCode> run() {
    out_.write("ACP at " + target_.url.endpoint.authority() + target_.url.target + "\n");
    const bool reached = co_await reach();
    if (reached) {
      if (!origin_.empty()) {
        const bool allowed = co_await preflight();
        if (allowed) target_.headers.push_back({"Origin", origin_});  // or all would be refused
      }
      co_await try_http();
      co_await try_websocket();
    }
    co_return doctor::exit_code(checks_);
  }

 private:
  void tell(Check check) {
    out_.write(doctor::line(check));
    checks_.push_back(std::move(check));
  }

  http::Request request(std::string method) const {
    http::Request made;
    made.method = std::move(method);
    made.target = target_.url.target;
    made.headers = target_.headers;
    return made;
  }

  http::ClientOptions options(std::chrono::milliseconds patience) const {
    http::ClientOptions made;
    made.answer_timeout = patience;
    return made;
  }

  // Any answer will do.
  Task<bool> reach() {
    http::Client client(executor_, target_.url.endpoint, options(std::chrono::seconds(10)));
    http::Request probe = request("GET");
    const auto answer = co_await client.request(std::move(probe));
    bool without_trust = false;
    if (!answer && number_of(answer.error(), "errno") == EPROTO) {
      http::Endpoint endpoint = target_.url.endpoint;
      endpoint.verify_peer = false;
      http::Client trusting(executor_, std::move(endpoint), options(std::chrono::seconds(10)));
      http::Request again;  // without the token: nobody knows who listens
      again.target = target_.url.target;
      const auto second = co_await trusting.request(std::move(again));
      without_trust = second.has_value();
    }
    const Error* const failure = answer ? nullptr : &answer.error();
    for (Check& check : doctor::reach_checks(target_.url.endpoint, failure, without_trust)) {
      tell(std::move(check));
    }
    co_return answer.has_value();
  }

  Task<bool> preflight() {
    http::Client client(executor_, target_.url.endpoint, options(std::chrono::seconds(10)));
    http::Request asks;
    asks.method = "OPTIONS";
    asks.target = target_.url.target;
    asks.headers = {{"Origin", origin_},
                    {"Access-Control-Request-Method", "POST"},
                    {"Access-Control-Request-Headers", "content-type,authorization"}};
    const auto answer = co_await client.request(std::move(asks));
    Check check = doctor::origin_check(answer ? *answer : http::Response{0, {}, {}}, origin_);
    const bool allowed = check.verdict == Verdict::kGood;
    tell(std::move(check));
    co_return allowed;
  }

  Task<void> try_http() {
    http::Client client(executor_, target_.url.endpoint, options(patience_));
    http::Request initialize = request("POST");
    initialize.headers.push_back({"Content-Type", "application/json"});
    initialize.headers.push_back({"Accept", "application/json, text/event-stream"});
    initialize.body = kInitialize;
    const auto answer = co_await client.request(std::move(initialize));
    if (!answer) {
      tell({Verdict::kBad, "HTTP", "no answer to initialize: " + answer.error().explanation,
            "the agent's, or the server's that starts it",
            "see the log of the server; --timeout waits longer", ExitCode::kError});
      co_return;
    }
    Check check = doctor::http_check(*answer);
    const bool goes_on = check.verdict == Verdict::kGood;
    tell(std::move(check));
    if (goes_on) co_await try_stream(std::string(answer->header("Acp-Connection-Id")));
  }

  Task<void> try_stream(std::string connection) {
    http::ClientOptions settings = options(patience_);
    settings.head_timeout = patience_;
    http::Client client(executor_, target_.url.endpoint, settings);
    http::Request get = request("GET");
    get.headers.push_back({"Accept", "text/event-stream"});
    get.headers.push_back({"Acp-Connection-Id", connection});
    const auto stream = co_await client.open(std::move(get));
    tell(stream ? doctor::stream_check((*stream)->head())
                : Check{Verdict::kBad, "stream", stream.error().explanation, "the server's",
                        "see its log, or that of the proxy before it", ExitCode::kError});
    if (stream) (*stream)->close();
    http::Request end = request("DELETE");
    end.headers.push_back({"Acp-Connection-Id", std::move(connection)});
    const auto ended = co_await client.request(std::move(end));
    if (!ended || ended->status != 202) {
      tell({Verdict::kBad, "stream", "DELETE does not end the connection", "the server's",
            "it has to answer 202", ExitCode::kError});
    }
  }

  Task<void> try_websocket() {
    http::WebSocketClientOptions settings;
    auto socket =
        co_await http::WebSocketClient::connect(executor_, target_.url, target_.headers, settings);
    if (!socket) {
      tell(doctor::refused_websocket_check(socket.error()));
      co_return;
    }
    const std::string_view messages[] = {kInitialize};
    const auto sent = co_await (*socket)->send(messages);
    std::optional<std::string> answer;
    if (sent) {
      auto receiving = (*socket)->receive();
      auto clock = sleep_for(patience_);
      const auto first = co_await (std::move(receiving) || std::move(clock));
      if (first.index() == 0 && !std::get<0>(first).empty()) answer = std::get<0>(first).front();
    }
    (*socket)->abandon();
    tell(doctor::websocket_check(answer));
  }

  asio::any_io_executor executor_;
  ConnectTarget target_;
  std::string origin_;
  std::chrono::milliseconds patience_;
  Output out_;
  std::vector<Check> checks_;
};

}  // namespace

ExitCode run_doctor(const DoctorCommand& command, const Environment& environment) {
  ConnectCommand address;
  address.relay = command.relay;
  address.token = command.token;
  address.agent = command.agent;
  Outcome<ConnectTarget> target = connect_target(address, environment);
  if (!target) return report(target.error());
  return run_task([&](asio::any_io_executor executor) -> Task<ExitCode> {
    Examination examination(executor, std::move(*target), command);
    co_return co_await examination.run();
  });
}

}  // namespace relay::cli
