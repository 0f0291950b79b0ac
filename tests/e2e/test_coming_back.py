"""Clients that come back at odd points, watch only or read too slowly, and agents whose directories are gone."""
import json
import re
import shutil

import pytest

from harness import raw, schema
from harness.acp_client import open_client
from harness.acp_endpoint import acp_url
from harness.chaos import said
from harness.deadline import wait_until
from harness.http_client import RelayError, read_events, text_block, text_of

EVENTS, LINES, JSON = "text/event-stream", "application/x-ndjson", "application/json"


def rows(client, session):
    return client.result("session/history", sessionId=session, limit=1000)["messages"]


# Where a client goes on.

@pytest.mark.parametrize("accept", [JSON, EVENTS, LINES])
def test_a_prompt_is_not_resumed_and_starts_no_turn(session, accept):
    client, id = session
    client.prompt_text(id, "once")
    before = rows(client, id)
    response = client.post("session/prompt", client.message("session/prompt", {
        "sessionId": id, "content": text_block("twice")}), headers={"Accept": accept, "Last-Event-ID": "3"})
    assert response.status_code == 400
    data = schema.check_error(response.json()["error"])
    assert data["error_type"] == "invalid_request"
    assert any("GET /session/{id}/events" in action for action in data["suggested_actions"])
    assert rows(client, id) == before
    assert client.prompt_text(id, "/recall").split() == ["once", "/recall"]


def gaps_of(response):
    return [(event.data["params"]["from"], event.data["params"]["to"]) for event in read_events(response)
            if event.data.get("method") == "_acp-relay/gap"]


def test_a_number_above_the_last_one_of_a_closed_session_is_a_gap(session):
    client, id = session
    client.prompt_text(id, "hello")
    client.result("session/close", sessionId=id)
    last = rows(client, id)[-1]["sequence"]
    with client.events(id, after=last + 40) as response:
        assert gaps_of(response) == [(last + 1, last + 40)]
    done = client.client.get(f"/session/{id}/events", headers={"Accept": EVENTS, "Last-Event-ID": str(last)})
    assert (done.status_code, done.content) == (204, b""), "who has exactly everything is told so"


# Clients that only watch.

def test_who_resumes_as_an_observer_sees_all_and_decides_nothing(relay):
    user, observer = relay.websocket(), relay.websocket()
    id = user.new(relay.workspace)
    observer.result("session/resume", sessionId=id, role="observer")
    for method, params in [("session/prompt", {"content": text_block("mine")}), ("session/cancel", {}),
                           ("session/set_mode", {"modeId": "code"})]:
        refused = observer.error(method, sessionId=id, **params)
        assert refused.type == "forbidden" and "the session was resumed as one" in str(refused.data), method
    turn = user.start_prompt("/permission")
    question = user.incoming("session/request_permission")
    observer.respond(question, {"outcome": {"outcome": "selected", "optionId": "allow"}})
    observer.result("session/list")  # its answer has come
    user.respond(question, {"outcome": {"outcome": "selected", "optionId": "reject"}})
    assert user.answer(turn)["result"]["stopReason"] == "end_turn"
    observer.incoming("_acp-relay/turn_complete")
    assert text_of(observer.messages) == text_of(user.messages) == "Permission: reject"
    assert observer.all("session/request_permission") == []
    assert user.prompt("/recall")[1].split() == ["/permission", "/recall"], "no prompt of the observer"


def test_a_hundred_observers_see_one_stream_that_is_recorded_once(relay):
    user = relay.websocket()
    id = user.new(relay.workspace)
    watchers = [relay.websocket() for _ in range(100)]
    for one in watchers:
        one.result("session/resume", sessionId=id, role="observer")
    result, text = user.prompt("/chunks 300 100")
    assert result["stopReason"] == "end_turn" and text == "".join(said(300, 100))
    for one in watchers:
        one.incoming("_acp-relay/turn_complete")
        assert text_of(one.messages) == text
    found = rows(relay.http(), id)
    assert [row["sequence"] for row in found] == list(range(1, len(found) + 1))
    assert sum("agent_message_chunk" in row["rawMessage"] for row in found) == 300
    assert relay.metric("acp_relay_slow_clients_total") == 0


# Clients that do not read.

def fill_until_slow(relay, client):
    """Turns until the client that does not read is dropped: how many."""
    for turns in range(50):
        if relay.metric("acp_relay_slow_clients_total") > 0:
            return turns
        assert client.prompt("/chunks 300 10000")[0]["stopReason"] == "end_turn"
    raise AssertionError("150 MB wait for a client that does not read")


def test_a_client_that_falls_behind_is_warned_of_in_the_log_and_told_where_to_go_on(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 1 << 20, "max_outbox_bytes": 8 << 20}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    lazy, _ = raw.upgrade(relay.config["server"]["websocket_port"])
    with lazy:
        lazy.sendall(raw.frame(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/resume",
                                           "params": {"sessionId": id}}).encode()))
        client.prompt("hello")
        # It follows the session live, and then stops reading.
        received = raw.read_until(lazy, b"hello")
        turns = fill_until_slow(relay, client)
        received += raw.read_until_closed(lazy)
    *frames, (opcode, reason) = raw.frames(received)
    assert (opcode, reason[:2]) == (8, b"\x03\xf0"), "1008"
    resumed = re.fullmatch(r"slow_client: resume after (\d+)", reason[2:].decode())
    again = relay.websocket()
    again.result("session/resume", sessionId=id, after=int(resumed[1]))
    again.prompt("over", id)
    seen = text_of(json.loads(payload) for _, payload in frames) + text_of(again.messages)
    assert seen == "hello" + turns * "".join(said(300, 10000)) + "over"
    relay.wait_logged("client does not take its messages, closed")
    log = relay.log_text()
    assert log.count("client falls behind: it will be closed when server.max_outbox_bytes are waiting") == 1
    assert log.index("client falls behind") < log.index("client does not take its messages, closed")


def test_an_event_stream_that_is_not_read_ends_with_the_reason(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 1 << 20, "max_outbox_bytes": 8 << 20}})
    client, reader = relay.websocket(), relay.http()
    id = client.new(relay.workspace)
    client.prompt("hello")
    seen, last = [], 0

    def take(line):
        nonlocal last
        if line.startswith("id:"):
            last = int(line[3:])
        elif line.startswith("data:"):
            seen.append(json.loads(line[5:]))

    with reader.events(id) as response:
        lines = response.iter_lines()
        for line in lines:
            take(line)
            if "stopReason" in line:
                break
        turns = fill_until_slow(relay, client)
        rest = list(lines)
    for line in rest:
        take(line)
    assert [line for line in rest if line.strip()][-1].startswith(": slow_client")
    client.result("session/close", sessionId=id)
    with reader.events(id, after=last) as response:
        seen += [event.data for event in read_events(response)]
    assert text_of(seen) == "hello" + turns * "".join(said(300, 10000))


# Agents whose directories are gone.

def end_agent(relay, session):
    """By itself, so that its directories stay."""
    with pytest.raises(RelayError):
        relay.http().prompt(session, "/exit 3")
    wait_until(lambda: relay.container(session) is None, "its container is removed")
    assert relay.host_workspace(session).is_dir()


def test_an_agent_is_not_started_again_without_its_directories(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    session = client.new("/workspace")
    client.prompt_text(session, "/write kept.txt x")
    end_agent(relay, session)
    assert client.prompt_text(session, "/read kept.txt") == "x", "another agent goes on there"
    end_agent(relay, session)
    shutil.rmtree(relay.base / session)
    with pytest.raises(RelayError) as refused:
        client.prompt(session, "anybody there?")
    assert refused.value.type == "session_closed"
    assert "the session's directories are not there any more" in str(refused.value)
    assert relay.containers() == [] and relay.directories() == []
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()
    relay.assert_serves()


@pytest.mark.parametrize("ended", ["by itself", "by a client"])
def test_a_closed_session_that_is_loaded_without_its_directories_begins_in_empty_ones(make_container_relay, ended):
    relay = make_container_relay()
    client = relay.http()
    session = client.new("/workspace")
    client.prompt_text(session, "/write kept.txt x")
    if ended == "by itself":
        end_agent(relay, session)
        shutil.rmtree(relay.base / session)
    else:
        client.result("session/close", sessionId=session)
        relay.wait_until_empty()
    editor = open_client("ws", acp_url(relay, "ws"))
    try:
        editor.result("session/load", sessionId=session, cwd="/workspace", mcpServers=[])
        assert "kept.txt" in text_of(editor.all("session/update")), "what was said is there"
        assert list(relay.host_workspace(session).iterdir()) == []
        assert editor.prompt("on", session)[1] == "on"
    finally:
        editor.close()
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()
