#include "cli/doctor/checks.hpp"

#include "cli/error_view.hpp"
#include "cli/introduction.hpp"
#include "cli/json_access.hpp"
#include "cli/relay_answer.hpp"
#include "cli/rpc.hpp"
#include "cli/terminal_text.hpp"
#include "http/media_type.hpp"

#include <boost/json/serialize.hpp>

#include <cerrno>

namespace relay::cli::doctor {
namespace {

namespace json = boost::json;

constexpr std::size_t kShown = 200;
constexpr const char* kYours = "yours";
constexpr const char* kServers = "the server's";
constexpr const char* kAgents = "the agent's, or the server's that starts it";

Check good(std::string what, std::string told) {
  return {Verdict::kGood, std::move(what), std::move(told)};
}

Check bad(std::string what, std::string told, std::string whose, std::string remedy,
          ExitCode code = ExitCode::kError) {
  return {Verdict::kBad,    std::move(what),   std::move(told),
          std::move(whose), std::move(remedy), code};
}

// The words of a JSON-RPC error in a body, when it holds one.
std::string words_of(std::string_view body) {
  const auto message = parse_object(body);
  const json::object* const error = message ? object_at(*message, "error") : nullptr;
  return error == nullptr ? std::string() : ": " + one_line(string_at(*error, "message"), kShown);
}

// A status that keeps clients out of this transport.
Check refused_check(const std::string& what, const http::Response& answer) {
  const std::string told = std::to_string(answer.status) + " " +
                           std::string(http::reason_phrase(answer.status)) + words_of(answer.body);
  switch (answer.status) {
    case 401:
      return bad(what, told, kYours, "give the token: --token-file FILE, or ACP_RELAY_TOKEN",
                 ExitCode::kUnauthorized);
    case 403:
      return bad(what, told, "the server's, which does not let this token, Origin or Host in",
                 "allow the page's origin (server.allowed_origins), take another token, or "
                 "127.0.0.1 as the address of a relay that listens on this machine only",
                 ExitCode::kUnauthorized);
    case 404:
      return bad(what, told, kYours, "check the path: /acp, or /agents/NAME/acp");
    case 400:
    case 405:
    case 406:
    case 426:
    case 501:
      return {Verdict::kNotServed, what, told + ": not served here"};
    case 429:
    case 503:
      return bad(what, told, kServers, "try again later; it is busy or shutting down");
    default:
      break;
  }
  if (answer.status >= 300 && answer.status < 400) {
    return bad(what, told + " to " + one_line(answer.header("Location"), kShown), kYours,
               "use the address that it leads to: clients do not follow");
  }
  return bad(what, told, kServers, "see the log of the server, or of the proxy before it");
}

Check initialize_check(const std::string& what, std::string_view answer) {
  const auto message = parse_object(answer);
  if (!message || (!message->contains("result") && !message->contains("error"))) {
    return bad(what,
               "the answer to initialize is no JSON-RPC response: " + one_line(answer, kShown),
               kServers, "check the path and the port: this is no ACP endpoint");
  }
  const Outcome<json::object> result = result_of(*message);
  if (!result) return bad(what, "initialize failed: " + result.error().text, kAgents, "see above");
  return good(what, "initialize: " + introduction(*result, kShown));
}

}  // namespace

std::vector<Check> reach_checks(const http::Endpoint& endpoint, const Error* failure,
                                bool without_trust) {
  const bool has_tls = endpoint.transport == http::Endpoint::Transport::kTls;
  const std::int64_t number = failure == nullptr ? 0 : number_of(*failure, "errno");
  const std::string port = "port " + std::to_string(endpoint.port);
  std::vector<Check> checks;
  if (number == ENXIO) {
    checks.push_back(bad("name", endpoint.host + " is known to nobody", kYours,
                         "check the spelling, and that this machine's DNS works",
                         ExitCode::kCannotConnect));
    return checks;
  }
  checks.push_back(good("name", endpoint.host));
  const bool is_connected = failure == nullptr || number == EPROTO || number == EBADMSG ||
                            number == ECONNRESET || number == EMSGSIZE || number == 0;
  if (!is_connected) {
    const bool refused = number == ECONNREFUSED;
    checks.push_back(bad("connection", one_line(failure->explanation, kShown),
                         refused ? kServers : "the network's, or the server's",
                         refused ? "start it there, and check the port and the address it listens "
                                   "on"
                                 : "check firewalls, and that the server runs",
                         ExitCode::kCannotConnect));
    return checks;
  }
  checks.push_back(good("connection", port));
  if (failure == nullptr) {
    if (has_tls) checks.push_back(good("TLS", "the certificate is trusted here"));
    return checks;
  }
  const std::string told = one_line(failure->explanation, kShown);
  if (number == EPROTO && without_trust) {
    checks.push_back(bad("TLS", told, "yours, or of who made the certificate",
                         "name its authority with --ca-file; the certificate has to name " +
                             endpoint.host + " and be in date"));
  } else if (number == EPROTO) {
    checks.push_back(bad("TLS", told, kYours, "the port may speak no TLS: try http or ws"));
  } else {
    checks.push_back(bad("answer", told, has_tls ? kServers : kYours,
                         has_tls ? "see the log of the server, or of the proxy before it"
                                 : "the port may speak TLS: try https or wss"));
  }
  return checks;
}

Check origin_check(const http::Response& answer, std::string_view origin) {
  const std::string_view allowed = answer.header("Access-Control-Allow-Origin");
  // A refusal may have the header, too, so that the page can read it.
  if (answer.status / 100 == 2 && (allowed == origin || allowed == "*")) {
    return good("origin", "pages of " + std::string(origin) + " may connect");
  }
  return bad("origin",
             "pages of " + one_line(origin, kShown) + " may not connect (OPTIONS: " +
                 std::to_string(answer.status) + words_of(answer.body) + ")",
             kServers, "put the origin into server.allowed_origins");
}

Check http_check(const http::Response& answer) {
  if (answer.status != 200) return refused_check("HTTP", answer);
  Check check = initialize_check("HTTP", answer.body);
  if (check.verdict == Verdict::kGood && answer.header("Acp-Connection-Id").empty()) {
    return bad("HTTP", "the answer to initialize has no Acp-Connection-Id", kServers,
               "a proxy may drop the header; clients can't go on without it");
  }
  return check;
}

Check stream_check(const http::Response& head) {
  if (head.status != 200) {
    Check check = refused_check("stream", head);
    check.verdict = Verdict::kBad;
    if (check.whose.empty()) check.whose = kServers;
    return check;
  }
  if (!http::is_media_type(head.header("Content-Type"), "text/event-stream")) {
    return bad("stream", "the answer to GET is " + one_line(head.header("Content-Type"), kShown),
               kServers, "it has to be text/event-stream, unbuffered");
  }
  return good("stream", "GET gives text/event-stream");
}

Check refused_websocket_check(const Error& failure) {
  http::Response answer;
  answer.status = static_cast<int>(number_of(failure, "status"));
  answer.body = failure.details;
  if (answer.status != 0 && answer.status != 200) return refused_check("WebSocket", answer);
  if (answer.status == 200) {
    return {Verdict::kNotServed, "WebSocket", "the upgrade is answered with 200: not served here"};
  }
  return bad("WebSocket", one_line(failure.explanation, kShown), kServers,
             "a proxy before it has to pass Upgrade and Connection on");
}

Check websocket_check(std::optional<std::string_view> answer) {
  if (answer) return initialize_check("WebSocket", *answer);
  return bad("WebSocket", "no answer to initialize", kAgents,
             "see the log of the server; --timeout waits longer");
}

std::string line(const Check& check) {
  const char* const mark = check.verdict == Verdict::kGood  ? "\u2713 "
                           : check.verdict == Verdict::kBad ? "\u2717 "
                                                            : "- ";
  std::string text = mark + check.what;
  text.append(check.what.size() < 12 ? 12 - check.what.size() : 1, ' ');
  text += check.told + "\n";
  if (check.verdict == Verdict::kBad) {
    text += "    whose to mend: " + check.whose + "\n    what to do: " + check.remedy + "\n";
  }
  return text;
}

ExitCode exit_code(const std::vector<Check>& checks) {
  bool serves = false;
  for (const Check& one : checks) {
    if (one.verdict == Verdict::kBad) return one.code;
    const bool is_transport = one.what == "HTTP" || one.what == "WebSocket";
    serves = serves || (is_transport && one.verdict == Verdict::kGood);
  }
  return serves ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace relay::cli::doctor
