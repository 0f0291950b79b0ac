// What a client of ACP's remote transport runs into at an endpoint, told from what was observed
// there: what is right, what is wrong, whose it is to mend, and how. Pure.
#pragma once

#include "base/error.hpp"
#include "cli/failure.hpp"
#include "http/client.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::cli::doctor {

enum class Verdict {
  kGood,
  kNotServed,  // one of the two transports; a server need not have both
  kBad,
};

struct Check {
  Verdict verdict = Verdict::kGood;
  std::string what;
  std::string told;
  // Of what is bad: who has to mend it, how, and what the command ends with.
  std::string whose{};
  std::string remedy{};
  ExitCode code = ExitCode::kOk;
};

// Name, connection and TLS, from how the first request failed; none: it was answered.
// `without_trust`: the same request was answered when the certificate was not checked.
std::vector<Check> reach_checks(const http::Endpoint& endpoint, const Error* failure,
                                bool without_trust);

// The preflight that a browser sends for a page of this origin.
Check origin_check(const http::Response& answer, std::string_view origin);

// The answer to `initialize` by POST.
Check http_check(const http::Response& answer);
// The answer to the GET for the connection's stream, its head.
Check stream_check(const http::Response& head);

// The answer to the upgrade, when there is no WebSocket.
Check refused_websocket_check(const Error& failure);
// The answer to `initialize` as a WebSocket message; nothing: none came in time.
Check websocket_check(std::optional<std::string_view> answer);

// A line or more, with a line feed at the end.
std::string line(const Check& check);

ExitCode exit_code(const std::vector<Check>& checks);

}  // namespace relay::cli::doctor
