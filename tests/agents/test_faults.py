"""Agents of others whose model fails, or whose relay dies, within an answer: their turn ends, and the session lives.

They try again by themselves, or say in words of their own what happened. The relay tells of it by a notice.
"""
import json

import pytest

from fake_model import ECHO
from harness.deadline import wait_until
from harness.http_client import text_of
from presets import KEY, check_no_key_is_kept, contained_relay, over_websocket

LONG = 180  # seconds; agents try again after pauses that grow


@pytest.fixture(scope="module")
def relay(tmp_path_factory, model, certificate):
    with contained_relay(tmp_path_factory.mktemp("relay"), model, certificate, more={
            # Of itself it tries ten times, and the last pauses are half a minute each.
            "claude-2": ("claude", {"env": {"CLAUDE_CODE_MAX_RETRIES": "2"}}),
            "codex-ws": ("codex", over_websocket())}) as relay:
        yield relay


@pytest.fixture
def client(relay, agent):
    client = relay.websocket()
    client.new("/workspace", agent=agent)
    yield client
    relay.http().result("session/close", sessionId=client.session)
    check_no_key_is_kept(relay)


def turn(client, text):
    """How the agent ends it, and all that its client saw meanwhile."""
    before = client.count()
    answer = client.answer(client.start_prompt(text), LONG)
    return answer, client.messages[before:]


def check_the_session_lives(client):
    answer, seen = turn(client, "and on")
    assert answer["result"]["stopReason"] == "end_turn"
    assert ECHO in text_of(seen) and "and on" in text_of(seen)


def history(relay, session):
    return relay.http().result("session/history", sessionId=session, limit=1000)["messages"]


@pytest.mark.parametrize("agent", ["claude", "codex", "codex-ws"])
def test_an_answer_that_breaks_off_is_asked_for_again(client, model, agent):
    said = f"{agent} @@CUT1"
    answer, seen = turn(client, said)
    assert answer["result"]["stopReason"] == "end_turn" and ECHO in text_of(seen)
    assert model.faults.cuts[said] == 1
    assert KEY not in json.dumps(seen)
    check_the_session_lives(client)


@pytest.mark.parametrize("agent", ["claude-2", "codex"])
def test_a_turn_of_which_every_answer_breaks_off_ends_and_its_client_is_told(client, model, agent):
    said = f"{agent} @@CUT"
    answer, seen = turn(client, said)
    assert "error" in answer or answer["result"]["stopReason"] == "end_turn"
    assert model.faults.cuts[said] > 0
    notice, *_ = [message for message in seen if message.get("method") == "_acp-relay/agent_notice"]
    assert "the connection was lost" in notice["params"]["error"]["message"]
    assert KEY not in json.dumps(seen)
    check_the_session_lives(client)


@pytest.mark.parametrize("agent", ["claude-2", "codex", "qwen"])
def test_a_key_that_the_upstream_repeats_is_kept_nowhere(client, relay, model, agent):
    """What the agent makes of the body is shown as it is to who is there: Claude and Qwen say all of it."""
    model.faults.refused = 0
    answer, seen = turn(client, f"{agent} @@REFUSE")
    assert "error" in answer and model.faults.refused
    kept = json.dumps(history(relay, client.session))
    assert KEY not in kept
    if KEY in json.dumps(seen):
        assert "no such key: " in kept and "***" in kept
    check_the_session_lives(client)


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_turn_goes_on_when_the_relay_dies_within_an_answer(client, relay, model, agent):
    model.faults.released.clear()
    model.faults.held = 0
    client.start_prompt(f"{agent} @@HOLD")
    client.wait_for(lambda message: ECHO in text_of([message]), "the answer's first words")
    wait_until(lambda: model.faults.held, "the model holds the rest back")
    last = history(relay, client.session)[-1]["id"]
    relay.process.kill()
    relay.process.wait()
    model.faults.released.set()
    assert relay.container(client.session)["State"]["Running"]
    relay.start()
    again = relay.websocket()
    again.result("session/resume", sessionId=client.session, after=last)
    end = again.incoming("_acp-relay/turn_complete", seconds=LONG)["params"]
    # The agent gives up where the relay's start takes longer than its patience.
    assert end["result"]["stopReason"] == "end_turn" if "result" in end else "the relay is not there" in json.dumps(end)
    assert ECHO in text_of(again.messages) or "error" in end
    assert again.all("_acp-relay/gap") == [] and KEY not in json.dumps(again.messages)
    check_the_session_lives(again)
