// The prose of --help.
#pragma once

namespace relay::cli {

inline constexpr const char* kAbout =
    "acp-relay: talk to agents of the Agent Client Protocol (ACP) over HTTP and WebSocket.\n"
    "Without a command it serves.";

inline constexpr const char* kMainFooter = R"(
Examples:
  acp-relay                                serve with config.yaml of this directory
  acp-relay serve --config /etc/acp-relay/config.yaml
  acp-relay check-config config.yaml       what is wrong, or what is in force
  acp-relay prompt "hello"                 talk to the agent behind a running relay
  acp-relay sessions list

Environment:
  ACP_RELAY_URL              where the relay listens (http://127.0.0.1:8080)
  ACP_RELAY_MANAGEMENT_URL   its management port (http://127.0.0.1:8082)
  ACP_RELAY_TOKEN            the token to send; also --token-file. There is no --token option,
                             because other users can read command lines
  ACP_RELAY_<SECTION>_<KEY>  overrides one key of the configuration: ACP_RELAY_SERVER_HTTP_PORT

Exit codes:
  0  done
  1  an error of the relay, the agent or the configuration
  2  wrong command line
  3  no relay answers at the given address
  4  the relay wants a (different) token
  5  the turn was cancelled

'acp-relay COMMAND --help' tells more about a command.)";

inline constexpr const char* kPromptFooter = R"(
The agent's text goes to stdout; thoughts, tool calls and plans go to stderr. The session stays open,
and its id is printed on stderr with the command to go on; --close ends it. When the agent asks for
permission, the question appears on the terminal. Without a terminal the answer is "cancelled", unless
--yes or --no says otherwise. Ctrl-C cancels the turn; a second Ctrl-C ends the program at once.

Examples:
  acp-relay prompt "hello"
  acp-relay prompt --cwd ~/project --close "What does this project do?"
  git diff | acp-relay prompt -            the prompt is read from standard input
  acp-relay prompt --session sess_... "and now in French"
  acp-relay prompt --json "hello" | jq .   every message as a line
  acp-relay prompt -- "--text that starts with a dash"

Environment: ACP_RELAY_URL, ACP_RELAY_TOKEN
Exit codes: 0 turn ended, 1 error of the relay or the agent, 2 wrong command line, 3 cannot connect,
            4 unauthorized, 5 cancelled)";

inline constexpr const char* kSessionsFooter = R"(
'list', 'history' and 'close' ask the relay's HTTP port (--url, ACP_RELAY_URL); 'show' and 'export' ask
its management port (--management-url, ACP_RELAY_MANAGEMENT_URL).

Examples:
  acp-relay sessions list --active
  acp-relay sessions history sess_... --after 40
  acp-relay sessions export sess_... --output session.jsonl
  acp-relay sessions list --json | jq -r '.[].id'

Exit codes: 0 done, 1 error of the relay, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kServeFooter = R"(
Without --config, config.yaml of this directory is used when it exists, else the defaults.
SIGTERM or Ctrl-C ends in order within server.shutdown_timeout; a second one ends at once.

Exit codes: 0 ended in order, 1 could not start or run, 2 wrong command line)";

inline constexpr const char* kCheckConfigFooter = R"(
All problems are listed at once on stderr, each with file, line, column, key and remedy. A valid
configuration is printed as it is in force, defaults and environment included, secrets as ***.

Exit codes: 0 valid (there may be warnings), 1 not valid, 2 wrong command line)";

}  // namespace relay::cli
