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
  acp-relay egress check URL               would an agent without a network get there?
  acp-relay preflight                      can this machine serve with config.yaml?
  acp-relay connect                        what an editor starts as its agent
  acp-relay prompt "hello"                 talk to the agent behind a running relay
  acp-relay sessions list
  acp-relay health --watch                 how the relay is, what its agents use, what went wrong
  acp-relay drain                          stop the relay when no turn runs
  acp-relay reload                         take changes of the configuration
  acp-relay backup relay-backup.db         the message log as one file
  acp-relay replay session.jsonl           does the agent still do what was recorded?
  acp-relay doctor https://relay.example   why does my client not connect?

Environment:
  ACP_RELAY_URL              where the relay listens (http://127.0.0.1:8080)
  ACP_RELAY_MANAGEMENT_URL   its management port (http://127.0.0.1:8082); operators' commands also
                             take --config FILE, on the relay's machine
  ACP_RELAY_TOKEN            the token to send; also --token-file. 'connect', 'replay' and
                             'doctor' have --token, too: other users can read command lines
  ACP_RELAY_<SECTION>_<KEY>  overrides one key of the configuration: ACP_RELAY_SERVER_HTTP_PORT

Exit codes:
  0  done
  1  an error of the relay, the agent or a file
  2  wrong command line
  3  no relay answers at the given address
  4  the relay wants a (different) token
  5  the turn was cancelled
  78 the configuration is refused (serve, check-config, backup, alive, egress check)

'acp-relay COMMAND --help' tells more about a command.)";

inline constexpr const char* kConnectFooter = R"(
For editors: reads one JSON-RPC message a line on stdin and writes one a line on stdout, as an ACP agent
does, and is connected to the endpoint /acp of a relay by WebSocket. When the connection breaks or the
relay is started again, it reconnects and goes on with the sessions; no message is lost or repeated.
stderr gets a line when it is connected, when the connection is lost, and when it is back.
It ends when stdin ends, after a grace for open requests. docs/editors.md has settings for editors.

--url takes http, https, ws and wss; without a path, /acp is meant. --agent NAME takes /agents/NAME/acp
in its place.

Examples:
  acp-relay connect
  acp-relay connect --url wss://relay.example.org/acp --token-file ~/.config/acp-relay/token
  acp-relay connect --url http://127.0.0.1:8080 --agent claude

Environment: ACP_RELAY_URL, ACP_RELAY_TOKEN
Exit codes: 0 stdin ended, 1 error of the relay, 2 wrong command line, 3 cannot connect or gave up,
            4 unauthorized)";

inline constexpr const char* kPromptFooter = R"(
The agent's text goes to stdout; thoughts, tool calls and plans go to stderr. The session stays open,
and its id is printed on stderr with the command to go on; --close ends it. When the agent asks for
permission, the question appears on the terminal. Without a terminal the answer is "cancelled", unless
--yes or --no says otherwise. Ctrl-C cancels the turn; a second Ctrl-C ends the program at once.

Some agents start in a mode in which they act without asking; a line on stderr says so. --mode and --model
take an id or a name that the agent offers, also for a session that is open; a wrong one names those that exist.

Examples:
  acp-relay prompt "hello"
  acp-relay prompt --cwd ~/project --close "What does this project do?"
  git diff | acp-relay prompt -            the prompt is read from standard input
  acp-relay prompt --session sess_... "and now in French"
  acp-relay prompt --mode plan --no "how would you do it?"
  acp-relay prompt --json "hello" | jq .   every message as a line
  acp-relay prompt -- "--text that starts with a dash"

Environment: ACP_RELAY_URL, ACP_RELAY_TOKEN
Exit codes: 0 turn ended, 1 error of the relay or the agent, 2 wrong command line, 3 cannot connect,
            4 unauthorized, 5 cancelled)";

inline constexpr const char* kSessionsFooter = R"(
'list', 'history' and 'close ID' ask the relay's HTTP port (--url, ACP_RELAY_URL); 'show', 'audit',
'export', 'import', 'close --idle' and 'close --all' ask its management port (--management-url,
ACP_RELAY_MANAGEMENT_URL).

Examples:
  acp-relay sessions list --active
  acp-relay sessions history sess_... --after 40
  acp-relay sessions audit sess_...        who made it, used it, answered for it, ended it
  acp-relay sessions close --idle
  acp-relay sessions export sess_... --output session.jsonl
  acp-relay sessions import session.jsonl
  acp-relay sessions list --json | jq -r '.[].id'

Exit codes: 0 done, 1 error of the relay, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kExportFooter = R"(
The first line describes the session; then comes one line a message, and one a gap (numbers that the log
did not hold). FILE is made with mode 0600 and appears under its name when it is whole; one that is there is
replaced. Secrets of the configuration are *** in the log and in exports; prompts and answers are not secret.

Examples:
  acp-relay sessions export sess_... --output session.jsonl
  acp-relay sessions export sess_... | jq -r 'select(.type == "message") | .method'

Environment: ACP_RELAY_MANAGEMENT_URL, ACP_RELAY_TOKEN
Exit codes: 0 done, 1 error of the relay or the file, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kImportFooter = R"(
The session comes in closed, with its id, numbers, times and gaps, and the cause "imported: ...". The file is
checked from its first line to its last before anything is written. An id that the log has already is
refused; --new-id gives the session another, also inside its messages. The new id is printed on stdout.
A file may have 256 MiB.

Examples:
  acp-relay sessions import session.jsonl
  acp-relay sessions export sess_... | ACP_RELAY_MANAGEMENT_URL=http://other:8082 acp-relay sessions import -

Environment: ACP_RELAY_MANAGEMENT_URL, ACP_RELAY_TOKEN
Exit codes: 0 done, 1 error of the relay or the file, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kHealthFooter = R"(
Asks the management port for: whether sessions can be made, and why not; sessions by state; every agent with its
age, CPU (100% is one core), memory, network and disk use; the last agents that ended by themselves or were killed;
the last errors that clients were given. What an agent or the Docker Engine does not tell in time is "unknown".
The first look at agents takes up to two seconds, in which CPU use is measured.

With --watch a terminal is drawn anew, and a pipe gets one block after another, with --- between them.
A relay that goes away meanwhile is waited for.

Examples:
  acp-relay health
  acp-relay health --watch
  acp-relay health --json | jq '.agents[] | {session, cpuPercent, memoryBytes}'

Environment: ACP_RELAY_MANAGEMENT_URL, ACP_RELAY_TOKEN
Exit codes: 0 ready (or --watch was interrupted), 1 not ready or an error, 2 wrong command line,
            3 cannot connect, 4 unauthorized)";

inline constexpr const char* kDrainFooter = R"(
Tells the relay over its management port to make no more sessions: session/new, forks, and session/load and
session/resume of closed sessions are refused as 'shutting_down', which says that trying again will help. Sessions
that are open go on, with their prompts, also those that are queued. When no turn runs, the relay is stopped as by
SIGTERM, and the command ends when it is gone. Sessions in containers are left to the next run of the relay
(sessions.on_shutdown: detach); those that end with the relay are named.

Ctrl-C, and the end of --timeout without --force, leave the relay running and draining; --undo ends that.

Examples:
  acp-relay drain                          then install, then start: an upgrade in place
  acp-relay drain --timeout 600 --force    what still runs after ten minutes does not hold it up
  acp-relay drain --until sessions         for agents that end with the relay
  acp-relay drain --no-stop                behind a load balancer: /api/ready says draining
  acp-relay drain --undo

Environment: ACP_RELAY_MANAGEMENT_URL, ACP_RELAY_TOKEN
Exit codes: 0 done, 1 --timeout was over, or an error of the relay, 2 wrong command line, 3 cannot connect,
            4 unauthorized, 5 interrupted)";

inline constexpr const char* kReloadFooter = R"(
The relay reads the file that it was started with. Tokens, limits, retention, the log's level and other keys that
docs/configuration.md names are in force at once; removed tokens are refused from the next request on. Images, limits
of containers, commands and environments are those of agents that are started later. What differs otherwise is printed
as "needs a restart". A configuration that is not valid, or whose image or program is not there, changes nothing; its
problems are printed as 'check-config' prints them. An image may have to be pulled: that takes its time.
A relay without a terminal does the same on SIGHUP, and says so in its log.

Environment: ACP_RELAY_MANAGEMENT_URL, ACP_RELAY_TOKEN
Exit codes: 0 done, 1 not valid, or an error of the relay, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kReplayFooter = R"(
Makes a session and does in it what the client of the recorded one did: prompts one after another,
modes and options, cancellations after as many messages of the agent, answers to what it asks (a
permission goes by the kind of the option). Each turn's end is printed beside the recorded one.
--check compares everything that the agent said, but for ids, times, directories and the way text is cut into
chunks, prints the first difference of each turn, and ends with 1 when there is one.

The agent is the one behind the relay (--url as for 'connect': http, https, ws, wss). Behind -- stands
the command of one to start here instead; it has this program's environment. The session is closed at the end.

Examples:
  acp-relay sessions export sess_... --output session.jsonl
  acp-relay replay session.jsonl --check
  acp-relay replay session.jsonl --check --cwd /tmp/copy -- my-agent --verbose

Environment: ACP_RELAY_URL, ACP_RELAY_TOKEN
Exit codes: 0 played to the end (and, with --check, equal), 1 not so, or a bad file, 2 wrong command line,
            3 cannot connect, 4 unauthorized, 5 interrupted)";

inline constexpr const char* kDoctorFooter = R"(
Goes the way of a client, one step after another: name, connection, certificate, initialize and its stream over
HTTP, initialize over WebSocket. With --origin also what a browser asks for a page of that origin. Each step is a
line; what is wrong is followed by whose it is to mend and by what to do. The endpoint may be any server of ACP's
remote transport. A transport that a server does not offer is marked "-". No session is made.

Examples:
  acp-relay doctor
  acp-relay doctor wss://relay.example.org/acp --token-file ~/.config/acp-relay/token
  acp-relay doctor https://relay.example.org --origin https://app.example

Environment: ACP_RELAY_URL, ACP_RELAY_TOKEN
Exit codes: 0 a client gets in, 1 something is wrong, 2 wrong command line, 3 cannot connect, 4 unauthorized)";

inline constexpr const char* kPreflightFooter = R"(
Looks at what serving needs, before anything serves: configuration, clock, open files, ports, database, Engine,
memory, disks, workspaces, limits and images, and starts every configured agent once, as a session would, until
it answers initialize. Run it as the user that the relay will run as. Each check is a line: ✓ good, ✗ does not
work, ! works but is worth a look, - was not looked at; what to do stands below. It ends within a known time,
pulls no image, makes no database, and leaves no container and no file behind.

Examples:
  acp-relay preflight
  sudo -u acp-relay acp-relay preflight --config /etc/acp-relay/config.yaml
  acp-relay preflight --json | jq -r '.[] | select(.status == "failed") | .name'

Exit codes: 0 nothing failed (there may be warnings), 1 something failed, 2 wrong command line, 5 interrupted)";

inline constexpr const char* kServeFooter = R"(
Without --config, config.yaml of this directory is used when it exists, else the defaults.
SIGTERM, Ctrl-C or the loss of its terminal (SIGHUP) ends in order within server.shutdown_timeout; a second
one ends at once. Without a terminal (a service, a container) SIGHUP reads the configuration again.

Exit codes: 0 ended in order, 1 could not start or run, 2 wrong command line, 78 the configuration is refused)";

inline constexpr const char* kBackupFooter = R"(
The database of the configuration (database.path) with the messages of its journal, as they are at one
moment; the relay may be running. After a crash, start the relay first: it brings in what is only in the
journal. To restore, stop the relay, move database.path and the files that begin with its name away, put
the backup there, and start the relay. The containers of sessions that are newer than the backup are removed
then; their directories are left to you, and the log names them. Started while the relay runs, to look into
it, the backup is a relay of its own, which leaves the other's agents alone; give it ports of its own.

Examples:
  acp-relay backup relay-backup.db
  acp-relay backup --database /var/lib/acp-relay/relay-messages.db /srv/backup/relay-$(date +%F).db

Exit codes: 0 done, 1 error, or a backup with a gap, 2 wrong command line, 78 the configuration is refused)";

inline constexpr const char* kAliveFooter = R"(
Asks the management port of the configuration (server.management_host, server.management_port), as a health
check beside the relay does: in its container, on its machine. "All addresses" is asked by the loopback, the
certificate of server.tls is not checked, no token is sent: a relay that wants one lives. It says nothing of
the Engine or the disk: GET /api/ready does.

Examples:
  acp-relay alive --config /etc/acp-relay/config.yaml

Exit codes: 0 it answers, 1 error, 2 wrong command line, 3 it does not answer, 78 the configuration is refused)";

inline constexpr const char* kCheckConfigFooter = R"(
All problems are listed at once on stderr, each with file, line, column, key and remedy. A valid
configuration is printed as it is in force, defaults and environment included, secrets as ***.

Exit codes: 0 valid (there may be warnings), 1 it can't be read, 2 wrong command line, 78 not valid)";

inline constexpr const char* kEgressCheckFooter = R"(
Reads the configuration and decides as the relay would for an agent that asks it; nothing is sent. Says which
rule lets the request through, or which key would change the answer. Budgets are a session's: a request that
is allowed may still be one too many.

Examples:
  acp-relay egress check http://127.0.0.1:9180/anthropic/v1/messages
  acp-relay egress check --agent codex --method GET https://api.openai.com/v1/models
  acp-relay egress check --method CONNECT github.com:443

Exit codes: 0 allowed, 1 denied or an error, 2 wrong command line, 78 the configuration is refused)";

}  // namespace relay::cli
