// Where `acp-relay connect` goes, what it sends to be let in, and which failures are worth another
// attempt. Pure but for the token file.
#pragma once

#include "base/error.hpp"
#include "cli/command.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "http/message.hpp"
#include "http/websocket_url.hpp"

#include <string>

namespace relay::cli {

// Holds the token: never print the headers.
struct ConnectTarget {
  http::WebSocketUrl url;
  http::Headers headers;
};

Outcome<ConnectTarget> connect_target(const ConnectCommand& command,
                                      const Environment& environment);

// The address with /acp where it has no path, and with the agent's path in place of /acp.
Outcome<http::WebSocketUrl> acp_url(const std::string& url, const std::string& agent);

struct ConnectFailure {
  ExitCode code = ExitCode::kCannotConnect;
  bool is_final = false;  // another attempt would fail in the same way
  // For the editor and for the person: why, and what to do, in `explanation`.
  Error error;
};

// `was_connected`: what worked before may work again, also where a first attempt would be in vain.
ConnectFailure connect_failure(const std::string& url, const Error& error, bool was_connected);
// Nothing failed, and nothing came while there was time.
ConnectFailure no_answer(const std::string& url);

}  // namespace relay::cli
