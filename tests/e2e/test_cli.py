"""The command line as a person uses it, against a running relay."""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess

import pytest

from harness.deadline import PATIENCE, wait_until
from harness.http_client import RelayError, text_of
from harness.relay import BINARY, ROOT, change, run_cli, scripted
from harness.terminal import read_rest

SESSION = re.compile(r"sess_[0-9a-f]{32}")


def test_version_and_help_teach():
    code, out, _ = run_cli("--version")
    assert code == 0 and re.match(r"acp-relay \d+\.\d+\.\d+", out)
    code, out, _ = run_cli("--help")
    assert code == 0
    commands = ("serve", "connect", "prompt", "sessions", "health", "alive", "replay", "doctor", "preflight", "backup",
                "check-config", "egress check")
    for word in (*commands, "Exit codes", "ACP_RELAY_TOKEN"):
        assert word in out, word
    for command in commands:
        code, out, _ = run_cli(*command.split(), "--help")
        assert code == 0 and "xit code" in out, command


@pytest.mark.parametrize("arguments", [
    ("nonsense",), ("--nonsense",), ("prompt",), ("sessions",), ("sessions", "show"),
    ("prompt", "--token", "x", "hello"), ("serve", "--config")])
def test_a_wrong_command_line_is_2(arguments):
    code, _, err = run_cli(*arguments)
    assert code == 2 and err.strip()


def test_prompt_prints_the_answer_and_the_session(relay):
    code, out, err = run_cli("prompt", "hello there", relay=relay)
    assert (code, out.strip()) == (0, "hello there")
    id = SESSION.search(err).group()
    code, out, _ = run_cli("prompt", "--session", id, "and again", relay=relay)
    assert (code, out.strip()) == (0, "and again")
    assert relay.wait_for_agents(1), "the session stays open"


def test_prompt_close_ends_the_session(relay):
    code, out, _ = run_cli("prompt", "--close", "bye", relay=relay)
    assert (code, out.strip()) == (0, "bye")
    relay.wait_for_agents(0)


def test_prompt_reads_standard_input(relay):
    code, out, _ = run_cli("prompt", "-", relay=relay, stdin="from a pipe")
    assert (code, out.strip()) == (0, "from a pipe")


def test_prompt_json_prints_messages(relay):
    code, out, _ = run_cli("prompt", "--json", "hello", relay=relay)
    messages = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert text_of(messages) == "hello"
    assert messages[-1]["result"]["stopReason"] == "end_turn"


@pytest.mark.parametrize("flag, outcome", [("--yes", "allow"), ("--no", "reject"), (None, "cancelled")])
def test_prompt_answers_permission_requests(relay, flag, outcome):
    arguments = ["prompt", "/permission"] + ([flag] if flag else [])
    code, out, err = run_cli(*arguments, relay=relay)
    assert outcome in out, err
    assert code == (5 if outcome == "cancelled" else 0)


def test_prompt_asks_a_person_on_a_terminal(relay):
    master, slave = pty.openpty()
    process = subprocess.Popen([str(BINARY), "prompt", "/permission"], stdin=slave, stdout=slave, stderr=slave,
                               env={"PATH": os.environ["PATH"], "ACP_RELAY_URL": relay.http_url}, cwd=relay.directory)
    os.close(slave)
    shown = b""
    try:
        while b"Allow" not in shown or b"Reject" not in shown:
            shown += os.read(master, 4096)
        os.write(master, b"1\n")
        shown += read_rest(master)
        assert process.wait(PATIENCE) == 0, shown
        assert b"Permission: allow" in shown
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_an_interrupt_cancels_the_turn(relay):
    process = subprocess.Popen([str(BINARY), "prompt", "/sleep 600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"PATH": os.environ["PATH"], "ACP_RELAY_URL": relay.http_url}, cwd=relay.directory,
                               text=True)
    try:
        client = relay.http()
        relay.wait_for_prompts()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 5, err
        [item] = client.result("session/list")["sessions"]
        assert client.prompt_text(item["id"], "next") == "next"
    finally:
        process.kill()
        process.wait()


def test_without_a_relay_prompt_says_what_to_do():
    code, _, err = run_cli("prompt", "hello", env={"ACP_RELAY_URL": "http://127.0.0.1:9"})
    assert code == 3
    assert "127.0.0.1:9" in err and "serve" in err


def test_errors_of_the_agent_are_explained(relay):
    code, _, err = run_cli("prompt", "/exit 4", relay=relay)
    assert code == 1
    assert "exit code 4" in err
    code, _, err = run_cli("prompt", "--session", "sess_" + "0" * 32, "x", relay=relay)
    assert code == 1 and "sess_0000" in err


def test_tokens_come_from_the_environment_or_a_file(make_relay, tmp_path):
    relay = make_relay({"auth": {"mode": "token", "tokens": [{"name": "ada", "token": "secret-token-1"}]}})
    assert run_cli("prompt", "hello", relay=relay)[0] == 4
    assert run_cli("prompt", "hello", relay=relay, env={"ACP_RELAY_TOKEN": "wrong"})[0] == 4
    assert run_cli("prompt", "hello", relay=relay, env={"ACP_RELAY_TOKEN": "secret-token-1"})[0] == 0
    file = tmp_path / "token"
    file.write_text("secret-token-1\n")
    assert run_cli("prompt", "--token-file", str(file), "hello", relay=relay)[0] == 0


def test_idle_sessions_are_closed_at_once_and_used_ones_with_all(relay):
    assert run_cli("sessions", "close", "--all", relay=relay)[:2] == (0, "there is no such session\n")
    client = relay.websocket()
    used = client.new(relay.workspace)
    idle = [relay.http().new(relay.workspace) for _ in range(3)]
    code, out, err = run_cli("sessions", "close", "--idle", relay=relay)
    assert code == 0, err
    assert sorted(out.splitlines()) == sorted(f"session {id} is closed" for id in idle)
    relay.wait_for_agents(1)
    assert run_cli("sessions", "close", "--all", relay=relay)[:2] == (0, f"session {used} is closed\n")
    relay.wait_for_agents(0)
    wait_until(lambda: relay.query("SELECT DISTINCT cause FROM sessions") == [("operator",)], "all are closed in the log")


def test_sessions_are_listed_shown_read_exported_and_closed(relay, tmp_path):
    _, _, err = run_cli("prompt", "to be found", relay=relay)
    id = SESSION.search(err).group()
    code, out, _ = run_cli("sessions", "list", relay=relay)
    assert code == 0 and id in out
    code, out, _ = run_cli("sessions", "list", "--json", relay=relay)
    assert code == 0 and id in out
    code, out, _ = run_cli("sessions", "show", id, relay=relay)
    assert code == 0 and id in out
    code, out, _ = run_cli("sessions", "history", id, relay=relay)
    assert code == 0 and "session/prompt" in out
    file = tmp_path / "session.jsonl"
    assert run_cli("sessions", "export", id, "--output", str(file), relay=relay)[0] == 0
    assert all(json.loads(line) for line in file.read_text().splitlines())
    assert run_cli("sessions", "close", id, relay=relay)[0] == 0
    relay.wait_for_agents(0)
    code, _, err = run_cli("sessions", "show", "sess_" + "0" * 32, relay=relay)
    assert code == 1 and err


def test_check_config_prints_what_is_in_force(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("agent: {env: {KEY: '${SECRET}'}}\nserver: {http_port: 9999}\n")
    code, out, err = run_cli("check-config", str(file), env={"SECRET": "canary-value"})
    assert code == 0, err
    assert "9999" in out and "canary-value" not in out + err
    assert run_cli("check-config", "--config", str(file), env={"SECRET": "canary-value"}) == (code, out, err)
    code, out, err = run_cli("check-config", str(file))
    assert code == 0 and "SECRET" in err and "agent.env" in err


def test_check_config_lists_every_problem(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("server: {http_prt: 1}\nlog: {level: loud}\nsessions: {idle_timeout: soon}\n")
    code, _, err = run_cli("check-config", str(file))
    assert code == 78
    for part in ("c.yaml:1:", "http_port", "c.yaml:2:", "c.yaml:3:"):
        assert part in err, part
    for command in ("check-config", "serve", "backup", "alive"):
        what = ("new.db",) if command == "backup" else ()
        assert run_cli(command, *what, "--config", str(file), cwd=tmp_path)[0] == 78, command
        # It may come yet.
        assert run_cli(command, *what, "--config", str(tmp_path / "missing.yaml"), cwd=tmp_path)[0] == 1, command


def test_egress_check_says_what_would_become_of_a_request(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("""
egress:
  upstreams:
    anthropic: {credential: {value: "${KEY}"}}
    ollama:
agent: {upstreams: [anthropic], connect: [github.com]}
container: {enabled: true}
agents:
  local: {image: "agent:1", upstreams: [ollama]}
  bare: {image: "agent:1"}
""")

    def check(*words):
        code, out, err = run_cli("egress", "check", "--config", str(file), *words, env={"KEY": "canary-value"})
        assert "canary-value" not in out + err
        return code, out + err
    code, out = check("https://api.anthropic.com/v1/messages")
    assert code == 0 and "egress.upstreams.anthropic.allow[0]: POST /v1/messages" in out
    assert "header x-api-key" in out
    code, out = check("--method", "GET", "http://127.0.0.1:9180/ollama/api/tags", "--agent", "local", "--json")
    assert code == 0 and json.loads(out)["target"] == "http://127.0.0.1:11434/api/tags"
    for words in (["https://github.com/a/b.git"], ["--method", "CONNECT", "github.com:443"]):
        code, out = check(*words)
        assert code == 0 and "github.com:443, by CONNECT" in out, out
    for words, said in ((["/anthropic/v1/files"], "egress.upstreams.anthropic.allow"),
                        (["/ollama/api/chat"], "has no upstream \"ollama\"; it has anthropic"),
                        (["https://example.com/"], "no upstream of the default agent goes there; it has anthropic"),
                        (["/x", "--agent", "bare"], "agents.bare.upstreams"),
                        (["/x", "--agent", "none"], "take one of: local bare"),
                        (["--method", "CONNECT", "a.example:443", "--agent", "bare"], "agents.bare.connect"),
                        (["/anthropic/v1/../x"], "bad_request")):
        code, out = check(*words)
        assert code == 1 and said in out, out
    file.write_text("agent: {command: agent, connect: [github.com]}\n")
    code, out = check("--method", "CONNECT", "github.com:443")
    assert code == 1 and "agent.connect: has no effect" in out, out


@pytest.mark.parametrize("name", ["config.yaml", "config.development.yaml", "config.production.yaml",
                                  "config.debug.yaml", "config/relay.example.yaml"])
def test_the_shipped_configurations_are_valid(name):
    code, _, err = run_cli("check-config", str(ROOT / name), env={
        "ANTHROPIC_API_KEY": "x", "RELAY_TOKEN_SHA256": "a" * 64, "RELAY_OPERATOR_TOKEN_SHA256": "b" * 64})
    assert code == 0, err


def test_an_agent_that_wants_to_be_logged_in_in_a_turn_is_explained(make_relay):
    relay = make_relay({"agent": scripted("error_in_turn")})
    code, out, err = run_cli("prompt", "hello", relay=relay)
    assert (code, out) == (1, "")
    for words in ("Authentication required", "the agent wants to be logged in", "agent.env", "ANTHROPIC_API_KEY",
                  "login: agent login"):
        assert words in err, err
    # Programs get the agent's own error, as it spelled it.
    client = relay.http()
    with pytest.raises(RelayError) as caught:
        client.prompt_text(client.new(relay.workspace), "hello")
    assert caught.value.error == {"code": -32000, "message": "Authentication required",
                                  "data": {"login": "agent login"}}


@pytest.mark.parametrize("server", [{}, {"management_host": "0.0.0.0"}, {"tls": True}])
def test_alive_asks_the_relay_of_a_configuration(make_relay, certificate, server):
    if "tls" in server:
        server = {"tls": certificate}
    relay = make_relay({"server": server, "auth": {"mode": "token", "tokens": [{"name": "a", "token": "t" * 32}]}})
    scheme = "https" if "tls" in server else "http"
    where = f"{scheme}://127.0.0.1:{relay.config['server']['management_port']}/api/health"
    assert run_cli("alive", "--config", str(relay.config_file)) == (0, f"{where}: the relay answers\n", "")
    change(relay, {"sessions": {"max_clients": "many"}})  # which a relay does not go by
    assert run_cli("alive", "--config", str(relay.config_file))[0] == 0
    relay.stop()
    code, out, err = run_cli("alive", "--config", str(relay.config_file))
    assert (code, out) == (3, "") and where in err


def test_an_operators_commands_go_by_the_configuration(make_relay, certificate_for, tmp_path):
    """The certificate has the name by which clients know the relay, as public authorities give it."""
    tls = certificate_for("DNS:relay.example.org")
    token = "root-token-0123456789"
    relay = make_relay({"server": {"tls": tls}, "auth": {"mode": "token", "tokens": [
        {"name": "root", "role": "operator", "token": token}]}})
    given = ("--config", str(relay.config_file))
    env = {"ACP_RELAY_TOKEN": token}
    id = relay.http(token=token).new(relay.workspace)
    code, out, err = run_cli("health", "--json", *given, env=env)
    assert code == 0 and json.loads(out)["agents"][0]["session"] == id, err
    for command in (("list",), ("show", id), ("history", id), ("export", id), ("audit",), ("close", id)):
        assert run_cli("sessions", *command, *given, env=env)[0] == 0, command
    # By its address it is not the one that the certificate names.
    code, _, err = run_cli("health", "--management-url", relay.management_url, "--ca-file", tls["cert"], env=env)
    assert code == 3 and "mismatch" in err
    code, _, err = run_cli("health", "--management-url", relay.management_url.replace("https", "http"), env=env)
    assert code == 3 and "--config" in err and "https://" in err
    assert run_cli("drain", *given, env=env)[0] == 0
    assert relay.wait() == 0
    # Another certificate than the one of the file.
    relay.start()
    relays = tmp_path / "relays.pem"
    relays.write_bytes(pathlib.Path(tls["cert"]).read_bytes())
    certificate_for("DNS:relay.example.org")
    code, _, err = run_cli("health", *given, env=env)
    assert code == 3 and "self-signed certificate" in err and "--ca-file" in err
    assert run_cli("health", *given, "--ca-file", relays, env=env)[0] == 0
    # Who only asks whether it lives needs none.
    pathlib.Path(tls["cert"]).unlink()
    assert run_cli("alive", *given)[0] == 0


def test_alive_without_a_configuration_or_a_port(make_relay, tmp_path):
    code, _, err = run_cli("alive", "--config", str(tmp_path / "none.yaml"))
    assert code == 1 and "none.yaml" in err
    relay = make_relay({"server": {"management_port": 0}}, start=False)
    code, _, err = run_cli("alive", "--config", str(relay.config_file))
    assert code == 1 and "server.management_port" in err
