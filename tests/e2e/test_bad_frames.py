"""Frames that clients should not send: each gets its error, and the connection and the relay live on."""
import json

import pytest

from harness import schema
from harness.bad_frames import REFUSED
from harness.http_client import text_block, text_of
from harness.relay import Relay, scripted

NAMES = [name for name, _, _ in REFUSED]


@pytest.fixture(scope="module")
def lasting_relay(tmp_path_factory):
    relay = Relay(tmp_path_factory.mktemp("frames")).start()
    try:
        yield relay
        relay.stop()
    finally:
        relay.kill()


@pytest.fixture
def shared(lasting_relay):
    """One relay for all cases that only send a frame; none finds what another has left."""
    yield lasting_relay
    lasting_relay.close_clients()
    client = lasting_relay.http()
    for session in client.result("session/list", activeOnly=True)["sessions"]:
        client.result("session/close", sessionId=session["id"])
    lasting_relay.close_clients()


@pytest.mark.parametrize("name, text, code", REFUSED, ids=NAMES)
def test_websocket_refuses_and_stays_open(shared, name, text, code):
    client = shared.websocket()
    client.send_raw(text)
    answer = client.wait_for(lambda m: "error" in m, f"the error for {name}")
    assert answer["error"]["code"] == code
    assert schema.check_error(answer["error"])["suggested_actions"]
    assert "result" in client.request("session/list", id="next")


@pytest.mark.parametrize("name, text, code", REFUSED, ids=NAMES)
def test_http_refuses_with_400(shared, name, text, code):
    client = shared.http()
    response = client.post("session/list", text)
    assert response.status_code == 400
    answer = schema.check(response.json())
    assert answer["error"]["code"] == code
    assert "sessions" in client.result("session/list")


def test_an_unreadable_id_is_answered_with_null(shared):
    client = shared.websocket()
    for text in ("{", '{"jsonrpc":"2.0","id":{},"method":"x"}', "42"):
        before = client.count()
        client.send_raw(text)
        assert client.wait_for(lambda m: "error" in m, start=before)["id"] is None


def test_a_readable_id_comes_back_with_the_error(shared):
    client = shared.websocket()
    client.send_raw('{"jsonrpc":"1.0","id":"mine","method":"session/list"}')
    assert client.answer("mine")["error"]["code"] == -32600


IDS = ["null", '"s"', "0", "-1", "9007199254740993", "9223372036854775807", '""', '"1"', '"\\u00e9"']


@pytest.mark.parametrize("raw", IDS)
def test_ids_come_back_as_they_came_over_websocket(shared, raw):
    client = shared.websocket()
    client.send_raw('{"jsonrpc":"2.0","id":%s,"method":"session/list"}' % raw)
    answer = client.wait_for(lambda m: "result" in m)
    assert answer["id"] == json.loads(raw) and type(answer["id"]) is type(json.loads(raw))


@pytest.mark.parametrize("raw", IDS)
def test_ids_come_back_as_they_came_over_http(shared, raw):
    response = shared.http().post("session/list", '{"jsonrpc":"2.0","id":%s,"method":"session/list"}' % raw)
    assert '"id":' + raw in response.text.replace('"id": ', '"id":')


@pytest.mark.parametrize("raw", IDS)
def test_ids_survive_the_way_to_the_agent_and_back(shared, raw):
    client = shared.websocket()
    id = client.new(shared.workspace)
    client.send_raw('{"jsonrpc":"2.0","id":%s,"method":"session/prompt","params":{"sessionId":"%s","content":'
                    '[{"type":"text","text":"hello"}]}}' % (raw, id))
    answer = client.wait_for(lambda m: "stopReason" in m.get("result", {}))
    assert answer["id"] == json.loads(raw) and type(answer["id"]) is type(json.loads(raw))
    client.result("session/close", sessionId=id)


@pytest.mark.parametrize("method, code", [
    ("session/nothing", -32602), ("", -32600), ("session/New", -32602)])
def test_unknown_methods_without_a_session(shared, method, code):
    """An agent might know them; what lacks is a session whose agent to ask."""
    client = shared.websocket()
    answer = client.request(method)
    assert answer["error"]["code"] == code


@pytest.mark.parametrize("params", ["[]", "42", '"x"', "[1,2]", "true"])
def test_params_that_are_no_object(shared, params):
    client = shared.websocket()
    client.send_raw('{"jsonrpc":"2.0","id":1,"method":"session/new","params":%s}' % params)
    assert client.answer(1)["error"]["code"] == -32602


def test_a_notification_is_never_answered(shared):
    client = shared.websocket()
    client.send_raw('{"jsonrpc":"2.0","method":"session/new","params":{"cwd":"/"}}')
    client.send_raw('{"jsonrpc":"2.0","method":"_unknown/thing"}')
    client.send_raw('{"jsonrpc":"2.0","method":"session/cancel","params":[]}')
    client.send_raw('{"jsonrpc":"2.0","id":4711,"result":{}}')
    client.send_raw('{"jsonrpc":"2.0","id":null,"result":{}}')
    client.send_raw('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}')
    client.request("session/list", id="last")
    assert len(client.messages) == 1
    assert shared.agents() == set(), "a notification makes no session"


def test_http_without_an_id_does_not_hang(shared):
    client = shared.http()
    response = client.post("session/new", '{"jsonrpc":"2.0","method":"session/new","params":{"cwd":"/"}}')
    assert response.status_code == 400
    assert shared.agents() == set()


def test_a_live_id_may_not_be_used_twice(shared):
    client = shared.websocket()
    client.new(shared.workspace)
    turn = client.start_prompt("/sleep 600", id=9)
    second = client.count()
    client.start_prompt("again", id=9)
    refused = client.wait_for(lambda m: "error" in m, "the second is refused", start=second)
    assert (refused["id"], refused["error"]["code"]) == (9, -32600)
    client.notify("session/cancel", sessionId=client.session)
    client.wait_for(lambda m: m.get("id") == turn and "result" in m, "the first is answered")
    assert client.answer(client.start_prompt("free again", id=10))["result"]
    client.result("session/close", sessionId=client.session)


def test_invalid_utf8_over_http(shared):
    client = shared.http()
    response = client.post("session/list", b'{"jsonrpc":"2.0","id":1,"method":"session/list","params":'
                                           b'{"a":"\xff\xfe"}}')
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32700


@pytest.mark.parametrize("text", ["\ud7ff", "\U0001f600", "\u2028", "\u0000", "e\u0301", "\\"])
def test_odd_characters_survive(shared, text):
    client = shared.websocket()
    client.new(shared.workspace)
    assert client.prompt(f"a{text}b")[1] == f"a{text}b"
    client.result("session/close", sessionId=client.session)


def test_pretty_printed_json_reaches_the_agent_as_one_line(make_relay, tmp_path):
    record = tmp_path / "lines"
    relay = make_relay({"agent": scripted("record", record)})
    client = relay.websocket()
    id = client.new(relay.workspace)
    message = {"jsonrpc": "2.0", "id": 3, "method": "session/prompt", "params": {
        "sessionId": id, "prompt": text_block("line one\nline two"), "_meta": {"kept": [1, 2]}}}
    client.send_raw(json.dumps(message, indent=2).replace("\n", "\r\n"))
    assert client.answer(3)["result"]["stopReason"] == "end_turn"
    assert text_of(client.all("session/update")) == "line one\nline two"
    lines = record.read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert json.loads(lines[-1])["params"]["_meta"] == {"kept": [1, 2]}


def test_unknown_fields_and_number_spellings_reach_the_agent(make_relay, tmp_path):
    record = tmp_path / "lines"
    relay = make_relay({"agent": scripted("record", record)})
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.send_raw('{"jsonrpc":"2.0","extra":1.50e+01,"id":3,"method":"session/prompt","params":{"sessionId":'
                    '"%s","prompt":[{"type":"text","text":"\\u0068i"}],"big":12345678901234567890}}' % id)
    client.answer(3)
    last = record.read_text().splitlines()[-1]
    assert '"extra":1.50e+01' in last and "12345678901234567890" in last and "\\u0068i" in last
    assert id not in last, "the agent knows its own session id only"


def test_512_levels_are_carried(shared):
    client = shared.websocket()
    client.new(shared.workspace)
    # The message and its params are two levels.
    deep = "[" * 510 + "]" * 510
    client.send_raw('{"jsonrpc":"2.0","id":"deep","method":"_deep/thing","params":{"sessionId":"%s","a":%s}}'
                    % (client.session, deep))
    assert client.answer("deep")["error"]["code"] == -32601, "the agent's answer, not the relay's"
    client.result("session/close", sessionId=client.session)
