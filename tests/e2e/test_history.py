"""The log as clients see it: lists, histories, exports, and what a restart leaves of it."""
import json
import re
import signal

import pytest

from harness.deadline import wait_until
from harness.http_client import RelayError, text_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def history(client, id, **params):
    return client.result("session/history", sessionId=id, **params)["messages"]


def test_the_list_has_the_fields_of_earlier_servers(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    [item] = client.result("session/list")["sessions"]
    assert item["id"] == id
    assert item["workingDirectory"] == str(relay.workspace)
    assert item["agentSessionId"] and item["agentSessionId"] != id
    assert TIME.match(item["createdAt"])
    assert item["closedAt"] is None
    assert item["isActive"] is True
    client.result("session/close", sessionId=id)
    [item] = client.result("session/list")["sessions"]
    assert TIME.match(item["closedAt"])
    assert item["isActive"] is False


def test_the_history_has_the_fields_of_earlier_servers(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.prompt("hello")
    messages = history(client, id)
    for item in messages:
        assert item["direction"] in ("client_to_relay", "relay_to_agent", "agent_to_relay",
                                     "relay_to_client")
        assert item["messageType"] in ("request", "response", "notification")
        assert TIME.match(item["timestamp"])
        assert isinstance(json.loads(item["rawMessage"]), dict)
        assert (item["messageType"] == "response") == (not item["method"])
        assert {"id", "jsonrpcId"} <= set(item)
    asked = [item for item in messages if item["method"] == "session/prompt"]
    assert [item["direction"] for item in asked] == ["client_to_relay"]
    assert any(item["direction"] == "agent_to_relay" and item["method"] == "session/update"
               for item in messages)


def test_sequence_numbers_have_no_hole_and_every_message_is_there_once(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.prompt("/chunks 100 10")
    messages = history(client, id, limit=1000)
    assert [item["sequence"] for item in messages] == list(range(1, len(messages) + 1))
    assert len(text_of(json.loads(item["rawMessage"]) for item in messages)) == 1000


def test_messages_of_several_clients_are_stored_once(relay):
    clients = [relay.websocket() for _ in range(5)]
    id = clients[0].new(relay.workspace)
    for client in clients[1:]:
        client.result("session/resume", sessionId=id)
    clients[0].prompt("only once")
    count = "SELECT count(*) FROM messages WHERE body LIKE '%agent_message_chunk%once%'"
    wait_until(lambda: relay.query(count)[0][0] > 0, "the message is in the database")
    assert relay.query(count) == [(1,)]


def test_the_history_is_paged(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.prompt("/chunks 50 10")
    whole = history(client, id, limit=1000)
    pages, after = [], 0
    while True:
        page = history(client, id, after=after, limit=7)
        if not page:
            break
        assert len(page) <= 7
        pages += page
        after = page[-1]["sequence"]
    assert pages == whole


def test_the_list_is_paged_newest_first(relay):
    client = relay.http()
    ids = [client.new(relay.workspace) for _ in range(5)]
    for id in ids:
        client.result("session/close", sessionId=id)
    seen, params = [], {"limit": 2}
    while True:
        page = client.result("session/list", **params)
        seen += [item["id"] for item in page["sessions"]]
        if not page.get("nextCursor"):
            break
        params["cursor"] = page["nextCursor"]
    assert seen == ids[::-1]


@pytest.mark.parametrize("params", [
    {"limit": -1}, {"limit": "many"}, {"after": "x"}, {"after": -5}])
def test_odd_pages_are_refused(session, params):
    client, id = session
    with pytest.raises(RelayError) as caught:
        history(client, id, **params)
    assert caught.value.code == -32602


def test_an_odd_cursor_is_refused(relay):
    with pytest.raises(RelayError) as caught:
        relay.http().result("session/list", cursor="nonsense")
    assert caught.value.code == -32602


def test_a_closed_session_keeps_its_history(session):
    client, id = session
    client.prompt_text(id, "for the record")
    client.result("session/close", sessionId=id)
    assert "for the record" in json.dumps(history(client, id))


def test_an_export_is_the_whole_log_as_lines(relay, session):
    client, id = session
    client.prompt_text(id, "exported")
    response = relay.management(f"/api/sessions/{id}/export")
    assert response.status_code == 200
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert "exported" in response.text
    assert len(lines) >= len(history(client, id, limit=1000))


def test_the_management_shows_and_ends_sessions(relay, session):
    client, id = session
    shown = relay.management("/api/sessions").json()
    assert id in json.dumps(shown)
    assert relay.management(f"/api/sessions/{id}").json()["id"] == id
    assert relay.management(f"/api/sessions/{id}", "DELETE").status_code in (200, 202, 204)
    relay.wait_for_agents(0)
    assert relay.management("/api/sessions/sess_" + "0" * 32).status_code == 404
    with pytest.raises(RelayError) as caught:
        client.prompt(id, "hello")
    assert caught.value.type == "session_closed"


def test_health_readiness_and_metrics_answer(relay, session):
    assert relay.management("/api/health").status_code == 200
    assert relay.management("/api/ready").status_code == 200
    text = relay.management("/metrics").text
    assert "# TYPE" in text and "acp_relay" in text
    assert relay.management("/api/unknown").status_code == 404
    assert relay.management("/api/health", "POST").status_code == 405


def test_the_configuration_is_shown(relay):
    shown = relay.management("/api/config").json()
    assert shown["server"]["http_port"] == relay.config["server"]["http_port"]


def test_an_orderly_restart_keeps_the_log(make_relay):
    relay = make_relay()
    client = relay.http()
    id = client.new(relay.workspace)
    client.prompt_text(id, "before the restart")
    relay.stop()
    relay.start()
    client = relay.http()
    [item] = client.result("session/list")["sessions"]
    assert (item["id"], item["isActive"]) == (id, False)
    assert "before the restart" in json.dumps(history(client, id))
    with pytest.raises(RelayError) as caught:
        client.prompt(id, "hello")
    assert caught.value.type in ("session_closed", "relay_restarted")


def test_a_killed_relay_leaves_its_log_and_no_open_row(make_relay):
    relay = make_relay()
    client = relay.http()
    id = client.new(relay.workspace)
    client.prompt_text(id, "before the crash")
    relay.send_signal(signal.SIGKILL)
    relay.wait()
    relay.start()
    client = relay.http()
    [item] = client.result("session/list")["sessions"]
    assert not item["isActive"] and item["cause"].startswith("relay_restarted")
    assert "before the crash" in json.dumps(history(client, id))
    relay.assert_serves()
