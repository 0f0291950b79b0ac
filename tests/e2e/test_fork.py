"""session/fork: a session of its own that begins as another, in every dialect."""
import contextlib
import os
import signal

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.editor import Editor
from harness.http_client import RelayError, text_of
from harness.quiet_log import never_logged
from harness.relay import DEMO_AGENT

FORKED = {"cwd": "/tmp", "mcpServers": []}


@pytest.fixture
def config(tmp_path):
    return {"agent": {"command": str(DEMO_AGENT), "args": ["--state", str(tmp_path / "state")]}}


@pytest.fixture
def relay(make_relay, config):
    return make_relay(config)


@pytest.fixture
def connect(relay):
    with contextlib.ExitStack() as stack:
        def open_one(transport, of=relay, **options):
            return stack.enter_context(contextlib.closing(open_client(transport, acp_url(of, transport), **options)))
        yield open_one


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fork_knows_what_was_said_and_goes_its_own_way(relay, connect, transport):
    client = connect(transport)
    assert client.initialized["agentCapabilities"]["sessionCapabilities"]["fork"] == {}
    parent = client.new(relay.workspace)
    client.prompt("one")
    forked = client.result("session/fork", sessionId=parent, **FORKED)
    child = forked["sessionId"]
    assert child.startswith("sess_") and child != parent
    assert forked["modes"]["currentModeId"] == "ask" and forked["_meta"]["acp-relay/cwd"] == "/tmp"
    client.prompt("two", child)
    assert client.prompt("/recall", child)[1] == "one\ntwo\n/recall\n"
    assert client.prompt("/recall", parent)[1] == "one\n/recall\n"
    listed = {one["sessionId"]: one for one in client.result("session/list")["sessions"]}
    assert listed[child]["title"] == listed[parent]["title"] == "one" and listed[child]["cwd"] == "/tmp"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_whoever_forks_is_not_told_the_past_again_and_others_are(relay, connect, transport):
    client = connect(transport)
    parent = client.new(relay.workspace)
    client.prompt("the past")
    before = client.count()
    child = client.result("session/fork", sessionId=parent, **FORKED)["sessionId"]
    client.prompt("the future", child)
    assert text_of(client.messages[before:]) == "the future"
    other = connect(transport)
    start = other.count()
    other.result("session/load", sessionId=child, **FORKED)
    replayed = [one for one in other.messages[start:] if one.get("method") == "session/update"]
    assert text_of(replayed) == "the pastthe future"
    assert {one["params"]["sessionId"] for one in replayed} == {child}


def test_in_the_relays_own_dialects(relay):
    client, socket = relay.http(), relay.websocket()
    parent = client.new(relay.workspace)
    client.prompt(parent, "one")
    for one in (client, socket):
        made = one.result("session/fork", sessionId=parent)
        assert made["cwd"] == str(relay.workspace), "where nothing is said it is as it was"
        assert made["sessionId"] != parent
        assert client.prompt_text(made["sessionId"], "/recall") == "one\n/recall\n"
    page = client.result("session/history", sessionId=made["sessionId"], limit=1000)
    assert [one["sequence"] for one in page["messages"]] == list(range(1, len(page["messages"]) + 1))
    assert parent not in "".join(one["rawMessage"] for one in page["messages"] if one["method"] != "session/fork")


def test_through_the_bridge(relay):
    with Editor(acp_url(relay, "ws")) as editor:
        editor.initialize()
        parent = editor.new(relay.workspace)
        editor.prompt_text(parent, "one")
        child = editor.result(editor.start("session/fork", sessionId=parent, **FORKED))["sessionId"]
        assert editor.prompt_text(child, "/recall") == "one\n/recall\n"
        os.kill(relay.process.pid, signal.SIGKILL)
        relay.process.wait()
        start = len(editor.messages)
        relay.start()
        assert editor.prompt_text(child, "/recall") == "one\n/recall\n/recall\n"
        assert text_of(editor.messages[start:]) == "one\n/recall\n/recall\n", "the past is not told again"


def test_of_a_closed_session(relay):
    client = relay.http()
    parent = client.new(relay.workspace)
    client.prompt(parent, "one")
    client.result("session/close", sessionId=parent)
    child = client.result("session/fork", sessionId=parent)["sessionId"]
    assert client.prompt_text(child, "/recall") == "one\n/recall\n"


def flood(relay, client, session, count):
    """A turn of so many updates, which no client has to take in."""
    with client.stream(session, f"/flood {count}"):
        pass  # the turn goes on

    def is_over():
        said = client.result("session/resume", sessionId=session)["lastSequence"] > count
        return said and not relay.management(f"/api/sessions/{session}").json()["turnRunning"]
    wait_until(is_over, "the turn is over", 600, every=0.1)


def test_a_long_past_is_there_as_a_whole(relay):
    client = relay.http()
    parent = client.new(relay.workspace)
    flood(relay, client, parent, 20_000)
    child = client.result("session/fork", sessionId=parent)["sessionId"]
    assert client.result("session/resume", sessionId=child)["lastSequence"] > 20_000
    page = client.result("session/history", sessionId=child, after=19_990, limit=5)
    assert [one["sequence"] for one in page["messages"]] == list(range(19_991, 19_996)) and page["gaps"] == []


def test_what_a_killed_relay_had_begun_is_gone(relay):
    client = relay.http()
    parent = client.new(relay.workspace)
    flood(relay, client, parent, 200_000)
    with contextlib.closing(relay.websocket()) as socket:
        socket.start("session/fork", {"sessionId": parent})
        wait_until(lambda: len(client.result("session/list")["sessions"]) == 2, "the fork in the list")
        os.kill(relay.process.pid, signal.SIGKILL)
    relay.process.wait()
    relay.start()
    left = relay.http().result("session/list")["sessions"]
    complete = [one for one in left if one["lastSequence"] > 200_000]
    assert parent in [one["id"] for one in left]
    assert left == complete, "a fork is there as a whole or not at all"


@pytest.mark.parametrize("params, code", [
    ({"sessionId": "sess_00000000000000000000000000000000"}, -32002), ({}, -32602),
    ({"sessionId": "PARENT", "cursorId": "c"}, -32602), ({"sessionId": "PARENT", "cwd": "relative"}, -32602)])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_is_refused(relay, connect, transport, params, code):
    client = connect(transport)
    parent = client.new(relay.workspace)
    wanted = {**FORKED, **{key: parent if value == "PARENT" else value for key, value in params.items()}}
    assert client.error("session/fork", **wanted).code == code
    assert len(client.result("session/list")["sessions"]) == 1


def test_nobody_forks_the_session_of_another(make_relay, config):
    tokens = [{"name": name, "token": f"token-of-{name}-1", "role": role}
              for name, role in (("ada", "user"), ("bob", "user"), ("eve", "observer"))]
    relay = make_relay({**config, "auth": {"mode": "token", "tokens": tokens}, "sessions": {"shared": False}})
    ada, bob, eve = (relay.http(token=f"token-of-{name}-1") for name in ("ada", "bob", "eve"))
    parent = ada.new(relay.workspace)
    with pytest.raises(RelayError) as hidden:
        bob.result("session/fork", sessionId=parent)
    assert hidden.value.type == "session_not_found"
    with pytest.raises(RelayError) as refused:
        eve.result("session/fork", sessionId=parent)
    assert refused.value.type == "forbidden"
    assert len(ada.result("session/list")["sessions"]) == 1


def test_an_agent_that_can_not_is_not_offered_as_one_that_can(make_relay):
    relay = make_relay()
    client = relay.http()
    parent = client.new(relay.workspace)
    with contextlib.closing(open_client("ws", acp_url(relay, "ws"))) as acp:
        assert "fork" not in acp.initialized["agentCapabilities"]["sessionCapabilities"]
        refused = acp.error("session/fork", sessionId=parent, **FORKED)
        assert refused.code == -32601 and "can't fork" in str(refused)
    with pytest.raises(RelayError) as refused:
        client.result("session/fork", sessionId=parent)
    assert refused.value.code == -32601
    assert len(relay.agents()) == 1 and len(client.result("session/list")["sessions"]) == 1


def test_what_is_secret_of_a_request_is_not_kept(make_relay, config):
    relay = make_relay({**config, "agent": {**config["agent"], "client_env": ["API_KEY"]}})
    client = relay.http()
    parent = client.new(relay.workspace)
    server = {"name": "m", "command": "/m", "args": [], "env": [{"name": "K", "value": "canary-of-server"}]}
    child = client.result("session/fork", sessionId=parent, env={"API_KEY": "canary-of-env"},
                          mcpServers=[server])["sessionId"]
    assert "API_KEY=canary-of-env" in client.prompt_text(child, "/env"), "the agent has it"
    asked = [one for one in client.result("session/history", sessionId=child)["messages"]
             if one["method"] == "session/fork"]
    assert len(asked) == 1 and "canary" not in asked[0]["rawMessage"]
    never_logged(relay, "canary")
