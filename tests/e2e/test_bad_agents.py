"""Agents that die, hang, babble or do not exist: each session gets its error, the relay goes on."""
import json
import os
import re
import shlex
import signal

import pytest

from harness import processes
from harness.deadline import key_of, wait_until
from harness.http_client import RelayError, text_of
from harness.relay import DEMO_AGENT, scripted


def refused(relay, **params):
    """The error of a session/new, which leaves nothing behind."""
    with pytest.raises(RelayError) as caught:
        relay.http().result("session/new", **{"workingDirectory": str(relay.workspace), **params})
    relay.wait_for_agents(0)
    wait_until(lambda: relay.open_rows() == [], "no row claims to be open")
    return caught.value


def test_a_missing_command(make_relay):
    relay = make_relay({"agent": {"command": "/no/such/agent"}})
    error = refused(relay)
    assert error.type == "agent_start_failed"
    assert "/no/such/agent" in error.data["explanation"]
    assert "agent.command" in json.dumps(error.data["suggested_actions"])


def test_a_command_that_is_not_in_path(make_relay):
    error = refused(make_relay({"agent": {"command": "no-such-agent-anywhere"}}))
    assert error.type == "agent_start_failed"
    assert "no-such-agent-anywhere" in error.data["explanation"]


def test_a_command_that_is_not_executable(make_relay, tmp_path):
    plain = tmp_path / "agent"
    plain.write_text("no program")
    assert refused(make_relay({"agent": {"command": str(plain)}})).type == "agent_start_failed"


def test_a_missing_working_directory(relay):
    error = refused(relay, workingDirectory="/no/such/directory")
    assert error.type == "workspace_unavailable"
    assert "/no/such/directory" in json.dumps(error.data)
    relay.assert_serves()


def test_a_working_directory_that_is_a_file(relay):
    assert refused(relay, workingDirectory="/etc/passwd").type == "workspace_unavailable"


def test_exit_in_initialize_tells_code_and_stderr(make_relay):
    error = refused(make_relay({"agent": scripted("exit_in_initialize")}))
    assert error.type in ("agent_exited", "agent_start_failed")
    state = json.dumps(error.data["relevant_state"])
    assert "cannot read /etc/agent.key" in state
    assert error.data["relevant_state"]["exit_code"] == 7


def test_exit_before_reading_anything(make_relay):
    error = refused(make_relay({"agent": scripted("exit_at_once")}))
    assert error.data["relevant_state"]["exit_code"] == 3
    assert "no such model" in json.dumps(error.data["relevant_state"])


def test_an_agent_that_refuses_sessions(make_relay):
    error = refused(make_relay({"agent": scripted("error_in_new")}))
    assert "Authentication required" in json.dumps(error.error)


@pytest.mark.parametrize("mode, phase, limit", [
    ("never_initialize", "initialize", "500ms"), ("never_new", "session/new", key_of(15)),
    ("deaf", "initialize", "500ms")])
def test_an_agent_that_never_answers_runs_into_the_limit(make_relay, mode, phase, limit):
    relay = make_relay({"agent": {**scripted(mode), "startup_timeout": limit, "stop_grace": "100ms"}})
    error = refused(relay)
    assert (error.type, error.data["relevant_state"]["phase"]) == ("agent_connection_timeout", phase)
    assert "agent.startup_timeout" in json.dumps(error.data["suggested_actions"])


@pytest.mark.parametrize("command, code", [("/exit 0", 0), ("/exit 5", 5)])
def test_exit_in_the_middle_of_a_turn(relay, command, code):
    client = relay.websocket()
    client.new(relay.workspace)
    error = RelayError(client.answer(client.start_prompt(command))["error"])
    assert error.type == "agent_exited"
    assert error.data["relevant_state"]["exit_code"] == code
    relay.wait_for_agents(0)
    session = client.session
    assert client.prompt("another agent")[1] == "another agent", "the next prompt starts one"
    assert client.session == session
    client.new(relay.workspace)
    assert client.prompt("the next one")[1] == "the next one"


@pytest.mark.parametrize("port", ["websocket", "http"])
def test_a_prompt_that_comes_while_an_agent_ends_is_answered_by_the_next(make_relay, port):
    """Nothing more comes of it, but it takes its time to go."""
    script = f"trap '' TERM; {shlex.quote(str(DEMO_AGENT))}; exec >&-; sleep 1"
    relay = make_relay({"agent": {"command": "/bin/sh", "args": ["-c", script]}})
    client = getattr(relay, port)()
    session = client.new(str(relay.workspace))
    names = {processes.name(pid): pid for pid, _ in relay.agents()}
    os.kill(names["acp-demo-agent"], signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{names['sh']}/fd/1"), "its output is over")
    if port == "http":
        assert client.prompt_text(session, "another agent") == "another agent"
    else:
        assert client.prompt("another agent", session)[1] == "another agent"
    assert client.result("session/list")["sessions"][0]["isActive"]


def test_death_by_a_signal_tells_signal_and_last_words(make_relay):
    relay = make_relay({"agent": scripted("dies_in_turn")})
    client = relay.websocket()
    client.new(relay.workspace)
    error = RelayError(client.answer(client.start_prompt("go"))["error"])
    assert error.type == "agent_exited"
    assert error.data["relevant_state"]["signal"] == 9
    assert "Segmentation fault (not really)" in json.dumps(error.data)
    assert "I feel faint." in text_of(client.all("session/update")), "what it said before is not lost"


def test_queued_prompts_of_a_dead_agent_are_answered(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    first = client.start_prompt("/sleep 600")
    queued = [client.start_prompt("a"), client.start_prompt("b")]
    relay.wait_for_prompts(3)
    [(pid, _)] = relay.agents()
    os.kill(pid, 9)
    for id in [first, *queued]:
        assert RelayError(client.answer(id)["error"]).type == "agent_exited"


@pytest.mark.parametrize("agent", [scripted("garbage"), scripted("unknown_ids"), scripted("twice")],
                         ids=["garbage", "unknown ids", "two answers"])
def test_noise_is_skipped(make_relay, agent):
    relay = make_relay({"agent": agent})
    client = relay.websocket()
    client.new(relay.workspace)
    for text in ("one", "two", "three"):
        result, words = client.prompt(text)
        assert (result["stopReason"], words) == ("end_turn", text)
    relay.assert_serves()


@pytest.mark.parametrize("command", ["/garbage", "/dup", "/stderr hello"])
def test_noise_of_the_demo_agent_is_skipped(relay, command):
    client = relay.websocket()
    client.new(relay.workspace)
    assert client.prompt(command)[0]["stopReason"] == "end_turn"
    assert client.prompt("hello")[1] == "hello"


def test_duplicate_keys_of_an_agent_are_skipped_and_counted(make_relay):
    relay = make_relay({"agent": scripted("duplicate_keys")})
    client = relay.websocket()
    client.new(relay.workspace)
    result, words = client.prompt("good")
    assert (result["stopReason"], words) == ("end_turn", "good")
    assert "EVIL" not in json.dumps(client.messages)
    assert relay.metric("acp_relay_agent_lines_skipped_total", reason="duplicate_keys") == 3


def test_a_line_of_30_mib_passes(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    result, words = client.prompt(f"/huge {30 << 20}")
    assert result["stopReason"] == "end_turn"
    assert len(words) > (30 << 20) - 500


def test_a_line_over_the_limit_is_skipped(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 65536}})
    client = relay.websocket()
    client.new(relay.workspace)
    result, words = client.prompt("/huge 70000")
    assert (result["stopReason"], words) == ("end_turn", "")
    assert client.prompt("hello")[1] == "hello"


def test_an_agent_that_does_not_end_is_killed(make_relay):
    relay = make_relay({"agent": {**scripted("stubborn"), "stop_grace": "100ms"}})
    client = relay.http()
    id = client.new(relay.workspace)
    assert client.prompt_text(id, "hello") == "hello"
    relay.wait_for_agents(1)
    client.result("session/close", sessionId=id)
    relay.wait_for_agents(0)


def test_an_agent_that_hangs_in_a_turn_can_be_closed(make_relay):
    relay = make_relay({"agent": {"command": str(DEMO_AGENT), "stop_grace": "100ms"}})
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/hang")
    relay.wait_for_agents(1)
    client.result("session/close", sessionId=client.session)
    assert "error" in client.answer(turn) or client.answer(turn)["result"]["stopReason"] == "cancelled"
    relay.wait_for_agents(0)


def test_helpers_of_an_agent_end_with_it(make_relay, tmp_path):
    note = tmp_path / "pid"
    relay = make_relay({"agent": {**scripted("grandchild", note), "stop_grace": "100ms"}})
    client = relay.http()
    id = client.new(relay.workspace)
    helper = int(note.read_text())
    [identity] = [found for found in relay.agents() if found[0] == helper]
    client.result("session/close", sessionId=id)
    wait_until(lambda: not processes.alive(identity), "the helper ends with its agent")


def test_the_environment_is_what_the_configuration_says(make_relay):
    relay = make_relay({"agent": {"command": str(DEMO_AGENT), "env": {"GREETING": "hi"},
                                  "client_env": ["EDITOR"]}}, env={"SECRET_OF_THE_RELAY": "x", "LC_TIME": "C"})
    client = relay.http()
    id = client.new(relay.workspace, env={"EDITOR": "vi"})
    lines = client.prompt_text(id, "/env").split("\n")
    names = {line.split("=")[0] for line in lines if line}
    assert {"PATH", "HOME", "GREETING", "LC_TIME"} <= names
    assert "EDITOR=vi" in lines and "GREETING=hi" in lines
    assert names <= {"PATH", "HOME", "TERM", "LANG", "GREETING", "EDITOR", "ACP_AGENT_OF_RELAY"} | {
        name for name in names if name.startswith("LC_")}


def test_a_client_may_set_only_the_variables_that_are_allowed(make_relay):
    relay = make_relay({"agent": {"command": str(DEMO_AGENT), "client_env": ["EDITOR"]}})
    error = refused(relay, env={"LD_PRELOAD": "/tmp/x.so"})
    assert error.code == -32602
    assert "agent.client_env" in json.dumps(error.data)


def test_the_agent_inherits_no_descriptors(relay):
    client = relay.http()
    client.new(relay.workspace)
    [(pid, _)] = relay.wait_for_agents(1) and relay.agents()
    assert set(os.listdir(f"/proc/{pid}/fd")) <= {"0", "1", "2"}


def test_stderr_reaches_the_log(relay):
    client = relay.http()
    client.prompt(client.new(relay.workspace), "/stderr a line of stderr")
    relay.wait_logged("a line of stderr")


def test_stderr_is_limited(make_relay):
    script = 'seq 10000 | sed "s/.*/a line of stderr/" >&2; exec "$0"'
    relay = make_relay({"agent": {"command": "/bin/sh", "args": ["-c", script, str(DEMO_AGENT)]}})
    relay.assert_serves()
    relay.wait_logged("agent stderr: lines left out")  # at the latest with the end of the agent
    relay.stop()
    counts = re.findall(r"lines left out.* count=(\d+)", relay.log_text())
    shown = relay.log_text().count('line="a line of stderr"')
    assert 0 < shown < 5000 and shown + sum(map(int, counts)) == 10000


@pytest.mark.parametrize("how", ["float ids", "text ids", "error null", "no version", "byte order mark"])
def test_answers_as_some_libraries_write_them(make_relay, how):
    relay = make_relay({"agent": scripted("spelled", how)})
    client = relay.websocket()
    client.new(relay.workspace)
    result, text = client.prompt("understood")
    assert (result["stopReason"], text) == ("end_turn", "understood")


def test_an_error_that_names_no_request_ends_the_turn_that_waits(make_relay):
    relay = make_relay({"agent": scripted("error_without_id")})
    client = relay.websocket()
    client.new(relay.workspace)
    error = RelayError(client.answer(client.start_prompt("hello"))["error"])
    assert error.code == -32700 and str(error) == "cannot read that"


def test_text_that_was_cut_inside_an_emoji_reaches_the_agent(relay):
    client = relay.websocket()
    session = client.new(relay.workspace)
    assert client.answer(client.start_prompt("cut \ud83d", session))["result"]["stopReason"] == "end_turn"
    assert text_of(client.all("session/update")).endswith("cut \ufffd")


def test_an_agent_that_closed_its_input_is_ended_and_its_clients_are_told(make_relay):
    relay = make_relay({"agent": {**scripted("closes_stdin"), "stop_grace": "200ms"}})
    client = relay.websocket()
    client.new(relay.workspace)
    error = RelayError(client.answer(client.start_prompt("hello"))["error"])
    assert error.type == "agent_exited" and "input" in error.data["explanation"]
    relay.wait_for_agents(0)


def test_an_agent_that_asks_and_never_reads_is_ended_at_its_bound(make_relay):
    relay = make_relay({"server": {"max_message_bytes": "64K"}, "log": {"level": "info"},
                        "agent": {**scripted("asks_and_never_reads"), "max_inbox_bytes": "256K", "stop_grace": "200ms"}})
    client = relay.websocket()
    client.new(relay.workspace)
    closed = client.incoming("_acp-relay/session_closed")["params"]["error"]["data"]
    assert closed["error_type"] == "agent_protocol_error"
    assert "agent.max_inbox_bytes" in json.dumps(closed["suggested_actions"])
    assert 512 * 1024 < closed["relevant_state"]["waiting_bytes"] < 1024 * 1024
    relay.wait_for_agents(0)


def test_an_agent_that_says_something_else_is_quoted(make_relay):
    agent = {**scripted("says_other_things"), "startup_timeout": key_of(15), "stop_grace": "200ms"}
    error = refused(make_relay({"agent": agent}))
    assert error.type == "agent_connection_timeout"
    assert "listening on port 4711" in json.dumps(error.data["possible_causes"])


def test_what_a_client_puts_into_session_new_reaches_the_agent(make_relay):
    relay = make_relay({"agent": scripted("tells_of_new")})
    wanted = {"_meta": {"systemPrompt": "be brief"}, "additionalDirectories": ["/tmp"], "later": [1.50]}
    for client in (relay.websocket(), relay.http()):
        result = client.result("session/new", workingDirectory=str(relay.workspace), **wanted)
        if client.__class__.__name__ == "HttpClient":
            got = json.loads(client.prompt_text(result["sessionId"], "?"))
        else:
            got = json.loads(client.prompt("?")[1])
        assert got == {**wanted, "cwd": str(relay.workspace), "mcpServers": []}


def test_a_cancel_after_the_turn_is_not_for_the_next_one(relay):
    client = relay.websocket()
    session = client.new(relay.workspace)
    assert client.prompt("one")[1] == "one"
    client.notify("session/cancel", sessionId=session)
    result, text = client.prompt("two")
    assert (result["stopReason"], text) == ("end_turn", "two")


def test_an_agent_that_goes_on_with_a_turn_over_its_time_is_ended(make_relay):
    relay = make_relay({"agent": {**scripted("never_prompt"), "stop_grace": "50ms"},
                        "sessions": {"prompt_timeout": "200ms"}})
    client = relay.websocket()
    client.new(relay.workspace)
    for id in [client.start_prompt("for ever"), client.start_prompt("behind it")]:
        error = RelayError(client.answer(id)["error"])
        assert error.type == "agent_protocol_error" and "prompt_timeout" in str(error.data)
    relay.wait_for_agents(0)
