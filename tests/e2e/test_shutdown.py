"""How the relay ends, and starts that must not succeed."""
import json
import os
import signal
import stat

import httpx
import pytest

from harness import processes
from harness.deadline import wait_until
from harness.http_client import RelayError, read_events, text_of
from harness.relay import scripted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_order(make_relay, number):
    relay = make_relay()
    client = relay.websocket()
    id = client.new(relay.workspace)
    turn = client.start_prompt("/sleep 600")
    relay.wait_for_prompts()
    relay.send_signal(number)
    answer = client.answer(turn)
    assert answer.get("result", {}).get("stopReason") == "cancelled" or (
        RelayError(answer["error"]).type == "shutting_down")
    assert client.wait_closed() == 1001
    assert relay.wait() == 0
    assert relay.query("SELECT closed_at IS NOT NULL, cause FROM sessions WHERE id = ?", id)[0][0] == 1
    assert relay.query("SELECT count(*) FROM messages WHERE body LIKE '%/sleep 600%'")[0][0] >= 1


def test_a_hangup_does_not_end_what_was_started_to_outlive_its_terminal(make_relay):
    relay = make_relay(start=False).start(prefix=("nohup",))
    relay.send_signal(signal.SIGHUP)
    relay.assert_serves()


def test_streams_end_and_new_sessions_are_refused_while_it_ends(make_relay):
    relay = make_relay({"agent": {**scripted("stubborn"), "stop_grace": "500ms"}})
    client = relay.http()
    id = client.new(relay.workspace)
    with client.events(id) as response:
        events = read_events(response)
        next(events)
        relay.send_signal(signal.SIGTERM)
        relay.wait_logged("shutting down")
        try:
            answer, http = relay.http().call("session/new", workingDirectory=str(relay.workspace))
            assert RelayError(answer["error"]).type == "shutting_down"
            assert http.status_code == 503
        except httpx.TransportError:
            pass  # it listens no more
        for _ in events:
            pass
    assert relay.wait() == 0


def test_an_agent_ends_with_a_relay_that_is_killed(make_relay):
    """Also one that heeds neither the end of its input nor SIGTERM."""
    relay = make_relay({"agent": scripted("deaf_after_new")})
    relay.http().new(relay.workspace)
    relay.wait_for_agents(1)
    relay.may_leave_open_rows = True
    relay.send_signal(signal.SIGKILL)
    relay.wait()
    relay.check_nothing_left()


def test_what_agents_of_a_killed_relay_have_started_ends_with_the_next_start(make_relay, tmp_path):
    """And nothing of another relay."""
    relays, helpers = [], []
    for name in ("one", "another"):
        path = tmp_path / name
        relay = make_relay({"agent": scripted("grandchild", str(path))})
        relay.http().new(relay.workspace)
        wait_until(lambda path=path: path.exists() and path.read_text(), "the helper runs")
        relay.remember_children()
        pid = int(path.read_text())
        helpers.append(next(one for one in relay.seen if one[0] == pid))
        relays.append(relay)
    relays[0].send_signal(signal.SIGKILL)
    relays[0].wait()
    assert processes.alive(helpers[0]), "the kernel ends the agent only"
    relays[0].start()
    # Its new parent may take a moment to reap it.
    wait_until(lambda: not processes.alive(helpers[0]), "the helper is gone")
    relays[0].wait_logged("an earlier run left behind")
    assert processes.alive(helpers[1])


def test_a_stubborn_agent_cannot_hold_the_relay(make_relay):
    relay = make_relay({"server": {"shutdown_timeout": "1s"},
                        "agent": {**scripted("deaf_after_new"), "stop_grace": "1h"}})
    relay.http().new(relay.workspace)
    relay.send_signal(signal.SIGTERM)
    assert relay.wait() == 1


def test_a_second_signal_ends_at_once(make_relay):
    relay = make_relay({"server": {"shutdown_timeout": "1h"},
                        "agent": {**scripted("deaf_after_new"), "stop_grace": "1h"}})
    relay.http().new(relay.workspace)
    relay.send_signal(signal.SIGTERM)
    relay.wait_logged("shutting down")
    relay.may_leave_open_rows = True
    relay.send_signal(signal.SIGTERM)
    assert relay.wait() == 130


def test_many_sessions_end_together(make_relay):
    relay = make_relay()
    client = relay.websocket()
    for _ in range(20):
        client.new(relay.workspace)
    relay.wait_for_agents(20)
    relay.send_signal(signal.SIGTERM)
    assert relay.wait() == 0


def test_a_used_port_stops_the_start_with_the_key_to_change(make_relay):
    first = make_relay()
    port = first.config["server"]["http_port"]
    second = make_relay({"server": {"http_port": port}}, start=False).launch()
    assert second.wait() == 1
    assert "server.http_port" in second.log_text() and str(port) in second.log_text()
    first.assert_serves()


@pytest.mark.parametrize("path", ["/no/such/directory/relay.db", "/proc/relay.db", "/dev/null/relay.db"])
def test_an_unwritable_database_stops_the_start_with_a_remedy(make_relay, path):
    relay = make_relay({"database": {"path": path}}, start=False).launch()
    assert relay.wait() == 1
    assert path in relay.log_text() and "database.path" in relay.log_text()


def test_a_file_that_is_no_database_is_left_alone(make_relay):
    relay = make_relay(start=False)
    relay.database.write_text("my diary\n" * 1000)
    relay.launch()
    assert relay.wait() == 1
    relay.wait_logged("database.path")
    assert relay.database.read_text() == "my diary\n" * 1000
    relay.database.unlink()


def test_a_database_in_use_stops_the_second_relay(make_relay):
    first = make_relay()
    second = make_relay({"database": {"path": str(first.database)}}, start=False).launch()
    assert second.wait() == 1
    assert str(first.pid) in second.log_text(), "it names who holds the database"
    first.assert_serves()


def test_the_database_is_for_its_owner_only(relay):
    relay.assert_serves()
    for path in relay.directory.glob("relay.db*"):
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path


def test_a_wrong_configuration_stops_the_start_with_all_problems(make_relay):
    text = "server:\n  http_prt: 80\nagent:\n  max_concurrent_sessions: many\nlog: {level: loud}\n"
    relay = make_relay(start=False, config_text=text).launch()
    assert relay.wait() == 78
    for part in ("config.yaml:2:3", "http_prt", "config.yaml:4:", "max_concurrent_sessions", "log.level"):
        assert part in relay.log_text(), part


def test_no_agent_command_means_the_demo_agent_and_is_said(make_relay):
    relay = make_relay(start=False)
    del relay.config["agent"]
    relay.config_file.write_text(json.dumps(relay.config))
    relay.start()
    client = relay.http()
    assert client.prompt_text(client.new(relay.workspace), "hello") == "hello"
    relay.wait_logged("the built-in demo agent, no model")


def test_the_start_says_what_listens_where_and_how_to_try_it(relay):
    websocket = str(relay.config["server"]["websocket_port"])
    for words in (relay.http_url, relay.management_url, websocket, "process", "curl", "acp-relay prompt"):
        relay.wait_logged(words)


def test_what_was_said_before_the_end_is_in_the_log(make_relay):
    relay = make_relay()
    client = relay.websocket()
    id = client.new(relay.workspace)
    _, text = client.prompt("/chunks 2000 20")
    relay.send_signal(signal.SIGTERM)
    assert relay.wait() == 0
    relay.start()
    updates, after = [], 0
    http = relay.http()
    while True:
        page = http.result("session/history", sessionId=id, after=after, limit=500)["messages"]
        if not page:
            break
        updates += [json.loads(item["rawMessage"]) for item in page]
        after = page[-1]["sequence"]
    assert text_of(updates) == text
