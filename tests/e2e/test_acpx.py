"""acpx, a command-line client that starts agents on stdio, through `acp-relay connect`."""
import subprocess

import pytest

from harness import sdk
from harness.acpx import Acpx, sessions_of, words
from harness.deadline import PATIENCE, wait_until

TOKENS = {"mode": "token", "tokens": [{"name": "ada", "token": "token-of-ada-1"}]}


@pytest.fixture
def acpx(make_relay, tmp_path):
    made = []

    def make(config=None, connect=()):
        made.append(Acpx(make_relay(config), tmp_path / f"acpx{len(made)}", *connect))
        return made[-1]

    yield make
    try:
        for one in made:
            one.wait_gone()
    finally:
        for one in made:
            one.kill()


def test_a_prompt_is_answered(acpx):
    output = acpx().run("exec", "hello from acpx")
    assert "hello from acpx" in output and "[done] end_turn" in output


def test_with_a_token(acpx):
    client = acpx({"auth": TOKENS}, ["--token", "token-of-ada-1"])
    assert "hello" in client.run("exec", "hello")


def test_the_relay_shows_itself_in_initialize(acpx):
    messages = acpx().messages("exec", "hello")
    initialized = next(message["result"] for message in messages if "protocolVersion" in message.get("result", {}))
    assert initialized["agentCapabilities"]["loadSession"] is True
    assert initialized["_meta"]["acp-relay"]["isolation"] == "process"


@pytest.mark.parametrize("policy, outcome, code", [("--approve-all", "allow", 0), ("--deny-all", "reject", 5)])
def test_permissions_are_asked_for(acpx, policy, outcome, code):
    messages = acpx().messages(policy, "exec", "/permission", code=code)
    assert any(message.get("method") == "session/request_permission" for message in messages)
    assert words(messages) == f"Permission: {outcome}"


def test_a_large_answer_comes_whole(acpx):
    assert len(words(acpx().messages("exec", "/huge 8000000"))) > 7_900_000


def test_an_error_of_the_agent_is_shown(acpx):
    assert "the agent ended during a turn: exit code 7" in acpx().run("exec", "/exit 7", code=1)


def test_a_session_lives_on_between_runs(acpx):
    client = acpx()
    session = client.run("sessions", "new").split()[-1]
    first = client.messages("prompt", "one")
    client.wait_gone()  # the owner, and with it the bridge
    second = client.messages("prompt", "two")
    assert words(second).endswith("two")
    for messages in (first, second):
        assert sessions_of(messages, "session/prompt") == {session}
    client.run("sessions", "close")


def test_modes_and_options(acpx):
    client = acpx()
    client.run("sessions", "new")
    assert "code" in client.run("set-mode", "code")
    client.run("set", "style", "loud")
    assert words(client.messages("prompt", "quietly")).endswith("QUIETLY")


def test_cancel_in_mid_turn(acpx):
    client = acpx()
    client.run("sessions", "new")
    turn = subprocess.Popen(client.command("--format", "json", "prompt", "/sleep 600"), text=True,
                            env=sdk.environment(HOME=str(client.directory)), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(entry["turnRunning"] for entry in client.relay.management("/api/sessions").json()),
               "the turn runs")
    assert "cancel" in client.run("cancel")
    output, _ = turn.communicate(timeout=2 * PATIENCE)
    assert '"stopReason":"cancelled"' in output
    assert words(client.messages("prompt", "and on")).endswith("and on")
