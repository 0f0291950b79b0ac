#include "cli/connect_target.hpp"

#include "cli/error_view.hpp"
#include "cli/relay_answer.hpp"
#include "cli/relay_client.hpp"
#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"

#include <algorithm>
#include <cerrno>

namespace relay::cli {
namespace {

constexpr std::string_view kEndpoint = "/acp";
constexpr std::string_view kAgents = "/agents/";

bool is_agent_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return std::ranges::all_of(name, is_plain) && name != "." && name != "..";
}

// What the relay itself says about its refusal; empty: nothing that can be understood.
std::string relays_words(const Error& error) {
  const auto message = parse_object(error.details);
  if (!message || !message->contains("error")) return {};
  const Outcome<boost::json::object> result = result_of(*message);
  return result ? std::string() : result.error().text;
}

std::string what_to_do(std::int64_t status, std::int64_t number) {
  switch (status) {
    case 401:
      return "Give the right token: --token-file FILE or ACP_RELAY_TOKEN.";
    case 403:
      return "Use a token that is allowed to do this. Of a relay that listens on this machine "
             "only, "
             "use the address 127.0.0.1 or localhost.";
    case 404:
      return "Check --agent, and the path of --url: a relay serves /acp and /agents/NAME/acp.";
    case 0:
      break;
    default:
      return "Check that --url is the address of an acp-relay, and the right one of its ports.";
  }
  if (number == EPROTO) return "Check the certificate of the relay; --ca-file names its authority.";
  return "Start the relay with 'acp-relay serve', or say where it is with --url or ACP_RELAY_URL.";
}

}  // namespace

Outcome<http::WebSocketUrl> acp_url(const std::string& url, const std::string& agent) {
  Result<http::WebSocketUrl> parsed = http::WebSocketUrl::parse(url);
  if (!parsed) return Failure{ExitCode::kUsage, visible(url) + ": " + explain(parsed.error())};
  std::string& path = parsed->target;
  if (path == "/") path = kEndpoint;
  if (agent.empty()) return *parsed;
  if (!is_agent_name(agent)) {
    return Failure{ExitCode::kUsage, "--agent: a name has letters, digits, '-', '_' and '.' only"};
  }
  if (!path.ends_with(kEndpoint)) {
    return Failure{ExitCode::kUsage,
                   "--agent needs a --url without a path, or one that ends with "
                   "/acp: " +
                       visible(url)};
  }
  path.resize(path.size() - kEndpoint.size());
  // The address may name an agent already.
  if (const std::size_t at = path.rfind(kAgents);
      at != std::string::npos && path.find('/', at + kAgents.size()) == std::string::npos) {
    path.resize(at);
  }
  path.append(kAgents).append(agent).append(kEndpoint);
  return *parsed;
}

Outcome<ConnectTarget> connect_target(const ConnectCommand& command,
                                      const Environment& environment) {
  Outcome<http::WebSocketUrl> url = acp_url(command.relay.url, command.agent);
  if (!url) return url.error();
  ConnectTarget target{std::move(*url), {{"User-Agent", "acp-relay/" RELAY_VERSION}}};
  target.url.endpoint.ca_file = command.relay.ca_file;
  const Outcome<std::string> token = command.token.empty() ? read_token(command.relay, environment)
                                                           : clean_token(command.token, "--token");
  if (!token) return token.error();
  if (!token->empty()) target.headers.push_back({"Authorization", "Bearer " + *token});
  return target;
}

ConnectFailure connect_failure(const std::string& url, const Error& error, bool was_connected) {
  const std::int64_t status = number_of(error, "status");
  const std::int64_t number = number_of(error, "errno");
  ConnectFailure failure;
  failure.error = error;
  failure.error.details.clear();
  const bool is_unauthorized = status == 401 || status == 403;
  if (is_unauthorized) {
    failure.code = ExitCode::kUnauthorized;
  } else if (status >= 400 && status < 500) {
    failure.code = ExitCode::kError;
  }
  const bool is_wrong = (status != 0 && !error.recoverable) || number == EPROTO ||
                        number == EBADMSG || error.type == ErrorType::kInvalidParams;
  failure.is_final = is_unauthorized || (is_wrong && !was_connected);
  const std::string words = relays_words(error);
  failure.error.explanation = words.empty()
                                  ? "no connection to the relay at " + url + ": " +
                                        error.explanation + ". " + what_to_do(status, number)
                                  : "the relay at " + url + " refuses the connection: " + words;
  failure.error.suggested_actions = {what_to_do(status, number)};
  return failure;
}

ConnectFailure no_answer(const std::string& url) {
  ConnectFailure failure;
  const std::string remedy =
      "Check that --url is the address of an acp-relay, and that it works: acp-relay health.";
  failure.error =
      make_error(ErrorType::kInternalError, "the relay at " + url + " did not answer. " + remedy)
          .because("something else listens there, or the relay is busy");
  failure.error.suggested_actions = {remedy};
  failure.error.recoverable = true;
  return failure;
}

}  // namespace relay::cli
