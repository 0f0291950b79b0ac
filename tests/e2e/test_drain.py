"""`acp-relay drain`: no new sessions, the turns that run end, then the relay does."""
import os
import signal
import subprocess
import threading

import pytest

from harness.deadline import PATIENCE, wait_until
from harness.http_client import RelayError
from harness.relay import BINARY, run_cli


class Draining:
    """The command, running."""

    def __init__(self, relay, *arguments):
        self.process = subprocess.Popen(
            [str(BINARY), "drain", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "ACP_RELAY_MANAGEMENT_URL": relay.management_url})
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def said(self, words):
        return any(words in line for line in self.lines)

    def wait_for(self, words):
        wait_until(lambda: self.said(words) or not self.reader.is_alive(),
                   lambda: f"{words!r} is said: {self.lines}")
        assert self.said(words), f"{words!r} was not said: {self.lines}"

    def end(self):
        self.reader.join(2 * PATIENCE)
        return self.process.wait(PATIENCE), "".join(self.lines)


def drain_state(relay, method="GET", **options):
    answer = relay.management("/api/drain", method, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for_turn(relay):
    wait_until(lambda: drain_state(relay)["turns"] == 1, "the turn runs")


def let_go_on(client):
    """Answers what a turn of /permission waits for."""
    asked = client.incoming("session/request_permission")
    client.respond(asked, {"outcome": {"outcome": "selected", "optionId": "allow"}})


def refusal(call, *arguments, **options):
    with pytest.raises(RelayError) as refused:
        call(*arguments, **options)
    return refused.value


def test_a_draining_relay_makes_no_sessions_and_goes_on_with_those_that_are_open(relay):
    client = relay.http()
    session = client.new(relay.workspace)
    closed = client.new(relay.workspace)
    client.result("session/close", sessionId=closed)
    assert drain_state(relay)["draining"] is False
    assert drain_state(relay, "POST")["draining"] is True

    for error in (refusal(client.new, relay.workspace),
                  refusal(client.result, "session/fork", sessionId=session, cwd=str(relay.workspace))):
        assert (error.type, error.status) == ("shutting_down", 503)
        assert "draining" in str(error)
    assert client.prompt_text(session, "hello")
    not_ready = relay.management("/api/ready")
    assert not_ready.status_code == 503 and not_ready.json()["reasons"] == ["draining"]
    assert "drain --undo" in not_ready.json()["remedies"]["draining"]

    state = drain_state(relay, "POST")
    assert (state["sessions"], state["turns"], state["quiet"], state["ending"]) == (1, 0, True, [session])
    assert drain_state(relay, "DELETE")["draining"] is False
    client.new(relay.workspace)
    assert relay.management("/api/ready").status_code == 200


def test_the_command_waits_for_the_turn_and_for_prompts_behind_it_and_stops_the_relay(relay):
    client = relay.websocket()
    session = client.new(relay.workspace)
    first, second = client.start_prompt("/permission"), client.start_prompt("behind it")
    wait_for_turn(relay)
    draining = Draining(relay)
    draining.wait_for("1 turn running, 1 prompt queued")
    let_go_on(client)
    assert client.answer(first)["result"]["stopReason"] == "end_turn"
    assert client.answer(second)["result"]["stopReason"] == "end_turn"
    code, out = draining.end()
    assert code == 0, out
    assert f"1 session ends with the relay: {session}" in out and out.endswith("the relay has stopped\n")
    assert relay.wait() == 0


def test_an_interrupted_command_leaves_the_relay_draining_and_undo_ends_that(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    client.start_prompt("/sleep 600")
    wait_for_turn(relay)
    draining = Draining(relay)
    draining.wait_for("1 turn running")
    draining.process.send_signal(signal.SIGINT)
    code, out = draining.end()
    assert code == 5 and "acp-relay drain --undo" in out
    assert drain_state(relay)["draining"] is True
    assert run_cli("drain", "--undo", relay=relay) == (0, "the relay makes sessions again\n", "")
    relay.assert_serves()


def test_when_the_time_is_over_only_force_stops_the_relay(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    client.start_prompt("/sleep 600")
    wait_for_turn(relay)
    code, _, err = run_cli("drain", "--timeout", "1", relay=relay)
    assert code == 1 and "1 turn running" in err and "drain --undo" in err
    assert relay.running()
    code, out, err = run_cli("drain", "--timeout", "1", "--force", relay=relay)
    assert code == 0 and "the relay stops all the same" in out, err
    assert relay.wait() == 0


def test_a_relay_that_does_not_answer_is_given_up_when_the_time_is_over(relay):
    relay.send_signal(signal.SIGSTOP)
    try:
        code, _, err = run_cli("drain", "--timeout", "1", relay=relay)
    finally:
        relay.send_signal(signal.SIGCONT)
    assert code == 1 and "1 s are over" in err and f"{relay.management_url} does not answer" in err, err


def test_no_stop_leaves_it_running_and_sessions_can_be_waited_for(relay):
    client = relay.http()
    session = client.new(relay.workspace)
    code, _, err = run_cli("drain", "--no-stop", relay=relay)
    assert code == 0 and relay.running(), err
    draining = Draining(relay, "--until", "sessions")
    draining.wait_for("1 session open, 0 turns running")
    client.result("session/close", sessionId=session)
    code, out = draining.end()
    assert code == 0 and relay.wait() == 0, out


def test_a_stop_that_would_interrupt_is_refused_when_it_is_told_so(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/sleep 600")
    wait_for_turn(relay)
    refused = relay.management("/api/stop?ifQuiet=true", "POST")
    assert (refused.status_code, RelayError(refused.json()["error"]).type) == (409, "turn_in_progress")
    assert relay.management("/api/stop?ifQuiet=perhaps", "POST").status_code == 400
    assert relay.management("/api/stop", "GET").status_code == 405
    assert relay.management("/api/stop", "POST").status_code == 200
    assert client.answer(turn)
    assert relay.wait() == 0


def test_draining_is_the_operators(make_relay):
    tokens = [{"name": "ada", "role": "user", "token": "ada-token-0123456789"},
              {"name": "root", "role": "operator", "token": "root-token-0123456789"}]
    relay = make_relay({"auth": {"mode": "token", "tokens": tokens}})
    for method, path in (("GET", "/api/drain"), ("POST", "/api/drain"), ("DELETE", "/api/drain"),
                         ("POST", "/api/stop")):
        assert relay.management(path, method).status_code == 401
        ada = {"Authorization": "Bearer ada-token-0123456789"}
        assert relay.management(path, method, headers=ada).status_code == 403
    assert run_cli("drain", relay=relay, env={"ACP_RELAY_TOKEN": "ada-token-0123456789"})[0] == 4
    assert run_cli("drain", relay=relay, env={"ACP_RELAY_TOKEN": "root-token-0123456789"})[0] == 0
    assert relay.wait() == 0


def test_an_upgrade_in_place_goes_on_with_the_same_container(make_container_relay):
    relay = make_container_relay(config={"sessions": {"on_shutdown": "detach"}})
    client = relay.websocket()
    session = client.new("/workspace")
    turn = client.start_prompt("/permission")
    wait_for_turn(relay)
    draining = Draining(relay)
    draining.wait_for("1 turn running")
    let_go_on(client)
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"
    code, out = draining.end()
    assert code == 0 and "with the relay" not in out, out
    assert relay.wait() == 0
    container = relay.container(session)
    assert container["State"]["Running"]

    relay.start()
    again = relay.websocket()
    again.result("session/resume", sessionId=session)
    assert again.prompt("hello again", session)[1].endswith("hello again")  # behind what is shown again
    assert relay.container(session)["Id"] == container["Id"]
    again.result("session/close", sessionId=session)
    relay.wait_until_empty()
