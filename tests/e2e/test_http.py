"""The relay's HTTP dialect: one POST a request, streams, and events."""
import json
import re
import socket

import pytest

from harness import raw, schema
from harness.deadline import wait_until
from harness.http_client import RelayError, read_events, text_block, text_of
from harness.relay import change, reload


def stream_lines(response):
    return [schema.check(json.loads(line)) for line in response.iter_lines() if line.strip()]


def test_new_tells_id_directory_and_isolation(relay):
    result = relay.http().result("session/new", workingDirectory=str(relay.workspace))
    assert re.fullmatch(r"sess_[0-9a-f]{32}", result["sessionId"])
    assert result["cwd"] == str(relay.workspace)
    assert result["isolation"] == "process"


def test_cwd_is_another_name_for_working_directory(relay):
    client = relay.http()
    result = client.result("session/new", cwd=str(relay.workspace))
    assert client.prompt_text(result["sessionId"], "/cwd").count(str(relay.workspace)) == 2


def test_a_blocking_prompt_brings_result_and_updates_in_order(session):
    client, id = session
    result, updates = client.prompt(id, "one two three four")
    assert result["stopReason"] == "end_turn"
    assert text_of(updates) == "one two three four"
    assert all(update["params"]["sessionId"] == id for update in updates)


def test_prompt_is_another_name_for_content(session):
    client, id = session
    result = client.result("session/prompt", sessionId=id, prompt=[{"type": "text", "text": "hello"}])
    assert text_of(result["_meta"]["acp-relay/updates"]) == "hello"


def test_every_turn_brings_its_own_updates_only(session):
    client, id = session
    assert [client.prompt_text(id, text) for text in ("first", "second", "third")] == [
        "first", "second", "third"]


def test_a_prompt_streams_as_server_sent_events(session):
    client, id = session
    with client.stream(id, "/chunks 5 10") as response:
        events = list(read_events(response))
        request = response.request_id
    assert events[-1].data["id"] == request
    assert events[-1].data["result"]["stopReason"] == "end_turn"
    assert len(text_of(event.data for event in events[:-1])) == 50
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers)), "ids are the ascending sequence numbers"


def test_a_prompt_streams_as_lines_of_json(session):
    client, id = session
    with client.stream(id, "/chunks 5 10", "application/x-ndjson") as response:
        messages = stream_lines(response)
    assert messages[-1]["result"]["stopReason"] == "end_turn"
    assert len(text_of(messages[:-1])) == 50


def test_chunks_come_while_the_turn_goes_on(session):
    client, id = session
    with client.stream(id, "/permission") as response:
        for event in read_events(response):
            if event.data.get("method") == "session/request_permission":
                option = event.data["params"]["options"][0]["optionId"]
                client.respond(id, event.data["id"], {"outcome": {"outcome": "selected", "optionId": option}})
            last = event.data
    assert last["result"]["stopReason"] == "end_turn"


def test_a_cut_stream_is_resumed_without_a_hole_or_a_double(session):
    client, id = session
    seen = []
    with client.stream(id, "/chunks 400 1000") as response:
        for event in read_events(response):
            seen.append((event.number, event.data))
            if len(seen) == 10:
                break
    with client.events(id, after=seen[-1][0]) as response:
        for event in read_events(response):
            seen.append((event.number, event.data))
            if "result" in event.data:
                break
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert len(text_of(data for _, data in seen)) == 400_000


def test_events_replay_everything_without_a_last_event_id(session):
    client, id = session
    client.prompt_text(id, "alpha")
    client.prompt_text(id, "beta")
    texts = []
    with client.events(id) as response:
        for event in read_events(response):
            texts.append(event.data)
            if "beta" in text_of(texts):
                break
    assert text_of(texts) == "alphabeta"


def test_events_go_on_live(relay, session):
    client, id = session
    other = relay.http()
    with client.events(id) as response:
        events = read_events(response)
        next(events)
        other.prompt_text(id, "live")
        seen = []
        for event in events:
            seen.append(event.data)
            if "live" in text_of(seen):
                break


def test_a_client_that_goes_away_does_not_end_the_turn(relay, session):
    client, id = session
    impatient = relay.http()
    with impatient.stream(id, "/sleep 0.3") as response:
        response.close()
    wait_until(lambda: any("stopReason" in item["rawMessage"]
                           for item in client.result("session/history", sessionId=id)["messages"]),
               "the turn ends by itself")


def test_cancel_ends_the_running_turn(relay, session):
    client, id = session
    with client.stream(id, "/sleep 600") as response:
        assert relay.http().result("session/cancel", sessionId=id) is not None
        last = list(read_events(response))[-1].data
    assert last["result"]["stopReason"] == "cancelled"
    history = client.result("session/history", sessionId=id)["messages"]
    assert [item["direction"] for item in history if item["method"] == "session/cancel"] == ["client_to_relay"]
    assert client.prompt_text(id, "next") == "next"


def test_a_closed_session_says_so(session):
    client, id = session
    client.result("session/close", sessionId=id)
    with pytest.raises(RelayError) as caught:
        client.prompt(id, "hello")
    assert caught.value.type == "session_closed"
    assert caught.value.code == -32000


def test_an_unknown_session_is_named(relay):
    with pytest.raises(RelayError) as caught:
        relay.http().prompt("sess_" + "0" * 32, "hello")
    assert (caught.value.type, caught.value.code) == ("session_not_found", -32000)
    assert caught.value.status == 200


@pytest.mark.parametrize("method, params", [
    ("session/new", {"workingDirectory": 42}),
    ("session/new", {"workingDirectory": "relative/path"}),
    ("session/prompt", {}),
    ("session/prompt", {"content": [{"type": "text", "text": "x"}]}),
    ("session/respond", {}),
    ("session/close", {}),
    ("session/history", {}),
    ("session/cancel", {}),
])
def test_missing_params_are_named(relay, method, params):
    with pytest.raises(RelayError) as caught:
        relay.http().result(method, **params)
    assert (caught.value.type, caught.value.code) == ("invalid_params", -32602)


@pytest.mark.parametrize("request_line, status", [
    (("GET", "/"), 404),
    (("GET", "/session/new"), 405),
    (("DELETE", "/session/prompt"), 405),
    (("POST", "/session/unknown"), 404),
    (("POST", "/elsewhere"), 404),
])
def test_wrong_paths_and_methods_get_their_status(relay, request_line, status):
    client = relay.http()
    response = client.client.request(*request_line, content=json.dumps(
        client.message("session/new", {})), headers={"Content-Type": "application/json"})
    assert response.status_code == status
    schema.check_error(response.json()["error"])


def test_other_content_types_are_refused(relay):
    response = relay.http().post("session/new", b"a=b", headers={"Content-Type": "text/plain"})
    assert response.status_code == 415
    schema.check_error(response.json()["error"])


def test_unacceptable_answers_are_refused(session):
    client, id = session
    body = client.message("session/prompt", {"sessionId": id, "content": []})
    response = client.post("session/prompt", body, headers={"Accept": "image/png"})
    assert response.status_code == 406
    schema.check_error(response.json()["error"])


def test_a_method_that_contradicts_the_path_is_refused(relay):
    client = relay.http()
    response = client.post("session/list", client.message("session/new", {"cwd": str(relay.workspace)}))
    assert response.json()["error"]["code"] in (-32600, -32601, -32602)
    assert relay.agents() == set()


def test_an_answer_over_the_limit_leaves_out_the_oldest_updates(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 65536}})
    client = relay.http()
    result, updates = client.prompt(client.new(relay.workspace), "/chunks 200 1000")
    truncated = result["_meta"]["acp-relay/truncated"]
    assert truncated["from"] <= truncated["to"]
    assert 0 < len(text_of(updates)) < 65536
    assert text_of(updates)[:4].strip() not in ("0", "1", "2"), "the newest are kept"
    assert text_of(updates).endswith("x")


def test_a_prompt_timeout_cancels_the_turn_and_says_so(make_relay):
    relay = make_relay({"sessions": {"prompt_timeout": "200ms"}})
    client = relay.http()
    id = client.new(relay.workspace)
    answer, _ = client.call("session/prompt", sessionId=id, content=[{"type": "text", "text": "/sleep 600"}])
    said = json.dumps(answer)
    assert "prompt_timeout" in said, said
    assert answer.get("result", {}).get("stopReason") == "cancelled" or "error" in answer
    change(relay, {"sessions": {"prompt_timeout": "0s"}})
    assert reload(relay) == "changed: sessions.prompt_timeout\n"
    assert client.prompt_text(id, "next") == "next"


def test_list_history_and_resume_answer_over_http(session):
    client, id = session
    client.prompt_text(id, "hello")
    assert [item["id"] for item in client.result("session/list")["sessions"]] == [id]
    assert len(client.result("session/history", sessionId=id)["messages"]) > 3
    assert client.result("session/resume", sessionId=id)["sessionId"] == id


JSON, EVENTS, LINES = "application/json", "text/event-stream", "application/x-ndjson"


@pytest.mark.parametrize("accept, form", [
    ("application/json, text/event-stream;q=0", JSON),
    ("application/json, text/event-stream;q=0.1", JSON),
    ("text/event-stream, application/json;q=0.5", EVENTS),
    ("application/x-ndjson;q=0.9, */*;q=0.1", LINES),
    ("Application/JSON", JSON),
    ("Text/Event-Stream", EVENTS),
])
def test_accept_is_read_with_its_weights_and_in_any_case(session, accept, form):
    client, id = session
    body = client.message("session/prompt", {"sessionId": id, "content": text_block("a")})
    response = client.post("session/prompt", body, headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, form)


@pytest.mark.parametrize("content_type, status", [
    ("Application/JSON", 200), ("application/json;charset=UTF-8", 200), ("application/json-patch+json", 415)])
def test_content_types_are_compared_whole_and_in_any_case(relay, content_type, status):
    client = relay.http()
    body = client.message("session/list", {})
    assert client.post("session/list", body, headers={"Content-Type": content_type}).status_code == status


def test_a_byte_order_mark_before_a_body_is_skipped(relay):
    body = b"\xef\xbb\xbf" + json.dumps(relay.http().message("session/list", {})).encode()
    response = relay.http().post("session/list", body, headers={"Content-Type": JSON})
    assert response.status_code == 200 and "result" in response.json()


def send_alone(relay, method, params, accept=JSON):
    """A request on a connection of its own."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    connection = raw.connect(relay.config["server"]["http_port"])
    connection.sendall(b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: %s\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (method.encode(), accept.encode(), len(body), body))
    return connection


@pytest.mark.parametrize("accept", [JSON, EVENTS, LINES])
def test_a_client_that_ends_its_side_gets_its_answer(session, relay, accept):
    _, id = session
    params = {"sessionId": id, "content": text_block("/sleep 0.5")}
    with send_alone(relay, "session/prompt", params, accept) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = raw.read_until_closed(connection)
    assert b" 200 OK" in answer and b"end_turn" in answer, answer
    assert b"slow_client" not in answer
    assert relay.metric("acp_relay_slow_clients_total") == 0


def test_a_session_whose_asker_left_is_undone(make_relay):
    relay = make_relay({"agent": {"args": ["--hang-on", "initialize"], "startup_timeout": "60s"}})
    askers = [send_alone(relay, "session/new", {}) for _ in range(3)]
    relay.wait_for_agents(3)
    for asker in askers:
        asker.close()
    relay.wait_for_agents(0)
    wait_until(lambda: relay.management("/api/health").json()["sessions"] == 0, "the sessions are undone")


def test_an_event_source_that_has_everything_of_a_closed_session_is_told_so(session, relay):
    client, id = session
    client.prompt_text(id, "hello")
    client.result("session/close", sessionId=id)
    path = f"/session/{id}/events"
    with client.client.stream("GET", path, headers={"Accept": EVENTS}) as response:
        assert response.status_code == 200
        last = [event.number for event in read_events(response) if event.number][-1]
    done = client.client.get(path, headers={"Accept": EVENTS, "Last-Event-ID": str(last)})
    assert (done.status_code, done.content) == (204, b"")
    assert client.client.get(path, headers={"Last-Event-ID": str(last - 1)}).status_code == 200
