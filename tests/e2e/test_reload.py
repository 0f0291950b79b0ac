"""The configuration is read again by a relay that runs: SIGHUP, POST /api/reload, `acp-relay reload`."""
import os
import pty
import signal

import pytest

from harness.acp_client import AcpHttp
from harness.acp_endpoint import acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError, text_block
from harness.quiet_log import never_logged
from harness.relay import DEMO_AGENT, change, reload, run_cli

ROOT = {"name": "root", "role": "operator", "token": "root-token-0123456789"}
ADA = {"name": "ada", "role": "user", "token": "ada-token-0123456789"}
EVE = {"name": "eve", "role": "user", "token": "eve-token-0123456789"}
# The tests may run under nohup, and that would be inherited.
NO_TERMINAL = ("setsid", "env", "--default-signal=HUP")


def test_a_limit_and_the_level_of_the_log_are_in_force_at_once(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 1}, "log": {"level": "info"}})
    client = relay.http()
    first = client.new(relay.workspace)
    with pytest.raises(RelayError) as refused:
        client.new(relay.workspace)
    assert refused.value.type == "session_limit_reached"
    change(relay, {"agent": {"max_concurrent_sessions": 2}, "log": {"level": "debug"}})
    assert reload(relay) == "changed: agent.max_concurrent_sessions, log.level\n"
    client.new(relay.workspace)
    relay.wait_logged("debug agent started")
    assert relay.log_text().count("debug agent started") == 1, "that of the second one alone"
    assert client.prompt_text(first, "still here") == "still here"
    assert relay.management("/api/config").json()["agent"]["max_concurrent_sessions"] == 2
    assert relay.management("/api/ready").json()["sessionLimit"] == 2
    assert reload(relay) == "nothing has changed\n"


def test_tokens_come_and_go_and_secrets_stay_secret(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": [ROOT, ADA]}})
    operator = {"ACP_RELAY_TOKEN": ROOT["token"]}
    ada = relay.http(token=ADA["token"])
    session = ada.new(relay.workspace)
    change(relay, {"auth": {"tokens": [ROOT, EVE]}})
    assert run_cli("reload", relay=relay, env=operator) == (0, "changed: auth.tokens\n", "")
    eve = relay.http(token=EVE["token"])
    mine = eve.new(relay.workspace)
    with pytest.raises(RelayError) as refused:
        ada.prompt(session, "hello")
    assert (refused.value.type, refused.value.status) == ("unauthorized", 401)
    for token in (EVE["token"], ADA["token"]):
        eve.prompt(mine, f"say {token}")
    wait_until(lambda: relay.query("SELECT count(*) FROM messages WHERE body LIKE '%say ***%'")[0][0] > 0,
               "the log has the prompt")
    for token in (EVE["token"], ADA["token"]):
        assert relay.query("SELECT count(*) FROM messages WHERE body LIKE ?", f"%{token}%") == [(0,)]
    code, _, _ = run_cli("reload", relay=relay, env={"ACP_RELAY_TOKEN": EVE["token"]})
    assert code == 4
    never_logged(relay, EVE["token"], ADA["token"])


def test_a_connection_of_a_role_that_its_token_has_no_more_is_over(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": [ROOT, ADA]}})
    client = AcpHttp(acp_url(relay, "http"), token=ADA["token"])
    session = client.new(relay.workspace)
    change(relay, {"auth": {"tokens": [ROOT, {**ADA, "role": "observer"}]}})
    assert run_cli("reload", relay=relay, env={"ACP_RELAY_TOKEN": ROOT["token"]})[0] == 0
    asked = {"jsonrpc": "2.0", "id": "late", "method": "session/prompt",
             "params": {"sessionId": session, "prompt": text_block("hello")}}
    answer = client.post(asked, session)
    assert (answer.status, answer.json()["error"]["message"]) == (404, "Unknown Acp-Connection-Id")
    client.abort()
    again = AcpHttp(acp_url(relay, "http"), token=ADA["token"])
    assert again.error("session/new", cwd="/tmp", mcpServers=[]).type == "forbidden"
    again.close()


def test_tokens_are_asked_for_from_when_the_mode_says_so(make_relay):
    relay = make_relay({"auth": {"mode": "auto"}})
    relay.assert_serves()
    change(relay, {"auth": {"mode": "token"}})
    code, _, err = run_cli("reload", relay=relay)
    assert code == 1 and "auth.tokens" in err, "none is generated later"
    change(relay, {"auth": {"tokens": [ROOT]}})
    assert reload(relay) == "changed: auth.mode, auth.tokens\n"
    assert relay.http().post("/session/list", {}).status_code == 401
    relay.assert_serves(token=ROOT["token"])


def test_the_last_token_cannot_go_while_one_is_needed(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": [ROOT]}})
    change(relay, {"auth": {"tokens": []}})
    code, _, err = run_cli("reload", relay=relay, env={"ACP_RELAY_TOKEN": ROOT["token"]})
    assert code == 1 and "auth.tokens" in err
    relay.assert_serves(token=ROOT["token"])


def test_what_needs_a_restart_is_named_and_stays_as_it_was(make_relay):
    relay = make_relay()
    port = relay.config["server"]["http_port"]
    change(relay, {"server": {"max_json_depth": 99}, "sessions": {"max_clients": 7}, "database": {"max_pending_bytes": 1 << 20, "retention_days": 3},
                   "agents": {"other": {"command": ["/bin/cat"]}}})
    assert reload(relay) == ("changed: sessions.max_clients, database.retention_days\n"
                             "needs a restart: server.max_json_depth, database.max_pending_bytes, agents.other\n")
    relay.wait_logged("needs a restart: server.max_json_depth, database.max_pending_bytes, agents.other")
    shown = relay.management("/api/config").json()
    assert (shown["server"]["http_port"], shown["sessions"]["max_clients"]) == (port, 7)
    assert shown["server"]["max_json_depth"] != 99


def test_agents_that_are_started_later_are_started_as_it_says_then(make_relay):
    relay = make_relay({"agent": {"env": {"MODE": "first"}},
                        "agents": {"other": {"command": [str(DEMO_AGENT)], "env": {"MODE": "other"}}}})
    client = relay.http()
    started = client.new(relay.workspace)
    change(relay, {"agent": {"env": {"MODE": "second"}}, "agents": {"other": {"env": {"MODE": "another"}}}})
    assert reload(relay) == "changed: agent.env, agents.other.env\n"
    later = [client.new(relay.workspace), client.new(relay.workspace, agent="other")]
    for session, mode in [(started, "first"), (later[0], "second"), (later[1], "another")]:
        assert f"MODE={mode}" in client.prompt_text(session, "/env").split("\n")
    change(relay, {"agent": {"command": "/no/such/agent", "max_concurrent_sessions": 3}})
    code, out, err = run_cli("reload", relay=relay)
    assert (code, out) == (1, "") and "/no/such/agent" in err
    assert relay.management("/api/config").json()["agent"]["max_concurrent_sessions"] != 3, "all of it, or nothing"
    client.new(relay.workspace)


def test_canary_sessions_begin_and_end(make_relay):
    relay = make_relay()
    change(relay, {"readiness": {"canary_interval": "20ms"}})
    assert reload(relay) == "changed: readiness.canary_interval\n"
    created = "acp_relay_sessions_created_total"
    wait_until(lambda: relay.metric(created) >= 2, "the relay makes sessions for itself")
    change(relay, {"readiness": {"canary_interval": "0"}})
    assert reload(relay) == "changed: readiness.canary_interval\n"
    relay.wait_for_agents(0)
    relay.assert_serves()


def test_a_configuration_that_is_not_valid_changes_nothing_and_is_explained_as_check_config_does(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 1}})
    change(relay, {"agent": {"max_concurrent_sessions": 2, "comand": "x"}, "sessions": {"max_clients": "many"}})
    code, out, err = run_cli("reload", relay=relay)
    checked = run_cli("check-config", str(relay.config_file))
    assert (code, out) == (1, "")
    lines = [line for line in checked[2].splitlines() if line.startswith("error: ")]
    assert len(lines) == 2
    assert [line for line in err.splitlines() if line.startswith("error: ")] == lines
    assert "nothing was changed: 2 problems" in err
    relay.wait_logged("the configuration is not valid, nothing was changed")
    assert relay.management("/api/config").json()["agent"]["max_concurrent_sessions"] == 1
    relay.config_file.unlink()
    assert run_cli("reload", relay=relay)[0] == 1
    relay.assert_serves()


def test_a_file_that_has_gone_is_no_wish_for_the_defaults(make_relay):
    # As who starts it in a directory with a config.yaml.
    relay = make_relay({"auth": {"mode": "token", "tokens": [ROOT]}}, start=False)
    relay.start(prefix=("/bin/sh", "-c", 'exec "$0"'))
    relay.config_file.unlink()
    code, _, err = run_cli("reload", relay=relay, env={"ACP_RELAY_TOKEN": ROOT["token"]})
    assert code == 1 and "config.yaml: no such file" in err
    assert relay.management("/api/config").status_code == 401


def test_sighup_reloads_a_relay_without_a_terminal(make_relay):
    relay = make_relay(start=False).start(prefix=NO_TERMINAL)
    client = relay.websocket()
    session = client.new(relay.workspace)
    for level in ("info", "debug"):
        change(relay, {"log": {"level": level}})
        before = relay.log_text().count("configuration read again")
        relay.send_signal(signal.SIGHUP)
        wait_until(lambda: relay.log_text().count("configuration read again") == before + 1, "it is read")
    relay.wait_logged('outcome="changed: log.level"')
    relay.config_file.write_text("server: [", "utf-8")
    relay.send_signal(signal.SIGHUP)
    relay.wait_logged("the configuration is not valid, nothing was changed")
    assert client.prompt("hello", session)[1] == "hello"


def test_the_loss_of_a_terminal_ends_a_relay_that_had_one(make_relay):
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    take = ("/usr/bin/python3", "-c", "import os, signal, sys; os.setsid(); os.open(sys.argv[1], os.O_RDWR); "
            "signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execvp(sys.argv[2], sys.argv[2:])", name)
    relay = make_relay(start=False).start(prefix=take)
    relay.http().new(relay.workspace)
    os.close(master)
    assert relay.wait() == 0
    assert "shutting down" in relay.log_text() and relay.open_rows() == []


def test_reloading_is_the_operators(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": [ROOT, ADA]}})
    assert relay.management("/api/reload", "POST").status_code == 401
    ada = {"Authorization": f"Bearer {ADA['token']}"}
    assert relay.management("/api/reload", "POST", headers=ada).status_code == 403
    root = {"Authorization": f"Bearer {ROOT['token']}"}
    assert relay.management("/api/reload", headers=root).status_code == 405
    assert relay.management("/api/reload", "POST", headers=root).json() == {
        "reloaded": True, "changed": [], "needsRestart": [], "warnings": [], "problems": []}
