"""Child sessions of an agent: their ids, their messages and questions, in every dialect."""
import json

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError, text_of
from harness.relay import DEMO_AGENT

KNOWS_THEM = {"subagents": {}}
ALLOW = {"outcome": {"outcome": "selected", "optionId": "allow"}}


@pytest.fixture
def opened():
    clients = []

    def make(relay, transport):
        client = open_client(transport, acp_url(relay, transport), initialize=False)
        client.initialize(KNOWS_THEM)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def update(kind):
    return lambda m: m.get("params", {}).get("update", {}).get("sessionUpdate") == kind


def is_question(message):
    return message.get("method") == "session/request_permission"


def ask_by_a_helper(client, session):
    """Starts a turn in which a sub-agent asks for permission; its request."""
    start = client.count()
    turn = client.start_prompt("/subagent", session)
    return turn, client.wait_for(is_question, "the sub-agent's question", start=start)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_child_belongs_to_the_session(make_relay, opened, transport):
    relay = make_relay()
    client = opened(relay, transport)
    session = client.new(relay.workspace)
    turn, question = ask_by_a_helper(client, session)
    child = question["params"]["sessionId"]
    assert child.startswith(session + ".")
    announced = client.wait_for(update("subagent_update"))["params"]
    assert (announced["sessionId"], announced["update"]["sessionId"]) == (session, child)
    told = client.wait_for(update("session_message"))["params"]["update"]
    assert (told["senderSessionId"], told["recipientSessionId"]) == (child, session)
    said = client.wait_for(lambda m: m.get("params", {}).get("sessionId") == child and "update" in m["params"])
    assert text_of([said]) == "The helper asks. "
    client.respond(question, ALLOW)
    assert client.answer(turn)["result"] == {"stopReason": "end_turn"}
    assert text_of(client.messages).endswith("Permission: allow")
    # It is none of the relay's sessions.
    assert [one["sessionId"] for one in client.result("session/list")["sessions"]] == [session]
    with pytest.raises(RelayError) as caught:
        client.result("session/load", sessionId=child, cwd=str(relay.workspace), mcpServers=[])
    assert caught.value.code == -32002


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_child_is_cancelled_and_not_prompted(make_relay, opened, transport):
    relay = make_relay()
    client = opened(relay, transport)
    session = client.new(relay.workspace)
    turn, question = ask_by_a_helper(client, session)
    child = question["params"]["sessionId"]
    refused = client.answer(client.start_prompt("hello", child))["error"]
    assert (refused["code"], refused["data"]["relevant_state"]["session_id"]) == (-32602, child)
    client.notify("session/cancel", sessionId=child)
    # The demo agent ends its turn when the question is cancelled; the turn itself was not.
    assert client.answer(turn)["result"] == {"stopReason": "cancelled"}
    assert text_of(client.messages).endswith("Permission: cancelled")
    history = relay.http().result("session/history", sessionId=session, limit=1000)["messages"]
    to_agent = [json.loads(m["rawMessage"]) for m in history if m["method"] == "session/cancel"]
    assert [m["params"]["sessionId"] for m in to_agent] == [child]


def test_who_comes_later_is_told_of_children(make_relay, opened):
    relay = make_relay()
    client = opened(relay, "ws")
    session = client.new(relay.workspace)
    turn, question = ask_by_a_helper(client, session)
    client.respond(question, ALLOW)
    client.answer(turn)
    other = opened(relay, "ws")
    result = other.result("session/resume", sessionId=session, cwd=str(relay.workspace))
    kept = {one["sessionUpdate"]: one for one in result["_meta"]["acp-relay/state"]}
    assert kept["subagent_update"]["sessionId"] == question["params"]["sessionId"]
    assert kept["subagent_update"]["title"] == "Helper"
    assert "available_commands_update" in kept
    # And as updates, for those that do not know the relay's _meta.
    assert other.wait_for(update("subagent_update"))["params"]["update"] == kept["subagent_update"]
    assert other.wait_for(update("available_commands_update"))["params"]["sessionId"] == session


def test_the_relays_own_dialects_reach_a_child(make_relay, opened):
    relay = make_relay()
    client = opened(relay, "ws")
    session = client.new(relay.workspace)
    watcher = relay.websocket()
    watcher.result("session/resume", sessionId=session)
    turn, question = ask_by_a_helper(client, session)
    child = question["params"]["sessionId"]
    asked = watcher.wait_for(is_question)
    assert asked["params"]["sessionId"] == child
    assert relay.http().result("session/cancel", sessionId=child) == {}
    assert client.answer(turn)["result"] == {"stopReason": "cancelled"}
    turn, question = ask_by_a_helper(client, session)
    watcher.notify("session/cancel", sessionId=child)
    assert client.answer(turn)["result"] == {"stopReason": "cancelled"}
    turn, question = ask_by_a_helper(client, session)
    assert relay.http().respond(child, question["id"], ALLOW) == {}  # as the question names its session
    assert client.answer(turn)["result"] == {"stopReason": "end_turn"}
    assert relay.http().result("session/close", sessionId=session) == {}


def test_an_id_that_is_no_childs_brings_the_agent_one_line(make_relay, tmp_path):
    given = tmp_path / "given"
    relay = make_relay({"agent": {"command": "/bin/bash", "args": [
        "-c", 'exec "$1" < <(exec tee -a "$0")', str(given), str(DEMO_AGENT)]}})
    session = relay.http().new(relay.workspace)
    forged = '{"jsonrpc":"2.0","method":"forged"}'
    child = f'{session}.x"}}}}\n{forged}\n\\'
    assert relay.http().result("session/cancel", sessionId=child) == {}
    relay.http().prompt(session, "and on")
    wait_until(lambda: "session/prompt" in given.read_text("utf-8"), "the copy has all")
    lines = [json.loads(line) for line in given.read_text("utf-8").splitlines()]
    assert "forged" not in [line.get("method") for line in lines]
    cancelled, = [line["params"]["sessionId"] for line in lines if line.get("method") == "session/cancel"]
    assert cancelled == child.removeprefix(f"{session}.")
