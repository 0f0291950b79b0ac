"""What comes back on /acp, message by message, whatever the transport.

After each row a session/new must work on the same connection.
"""
import json
import re

import pytest

from harness import schema
from harness.acp_endpoint import TRANSPORTS
from harness.acp_server import serving
from harness.bad_frames import REFUSED
from harness.http_client import text_block, text_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("acp"), {"agent": {"max_concurrent_sessions": 1000}}) as one:
        yield one


@pytest.fixture(params=TRANSPORTS)
def client(request, server):
    """A connection that is initialized; afterwards it must still make sessions."""
    one = server.open(request.param)
    yield one
    try:
        session = one.new(server.workspace)
        assert one.prompt("still alive", session)[1] == "still alive"
        one.result("session/close", sessionId=session)
    finally:
        server.close_clients()


@pytest.fixture
def session(client, server):
    return client.new(server.workspace)


def refused(client, text, session=None):
    """The error that a text is refused with, and the id it has: in the answer of HTTP, or as a frame."""
    before = client.count()
    answer = client.send_text(text, session)
    if answer is None:
        message = client.wait_for(lambda m: "error" in m, f"the refusal of {text[:80]}", start=before)
    else:
        assert answer.status in (400, 501), (answer.status, answer.body)
        assert answer.headers["Content-Type"].startswith("application/json")
        message = schema.check_acp(answer.json())
    return message["error"], message["id"]


@pytest.mark.parametrize("name, text, code", REFUSED, ids=[name for name, _, _ in REFUSED])
def test_what_is_no_message_is_refused(client, name, text, code):
    error, id = refused(client, text)
    assert error["code"] == code
    assert schema.check_error(error)["suggested_actions"]
    assert id in (None, 1, 5), "the id of the message, or null"


@pytest.mark.parametrize("text", ["{", '{"jsonrpc":"2.0","id":{},"method":"session/list"}', "42", "[]",
                                  '[{"jsonrpc":"2.0","id":1,"method":"session/list"}]'])
def test_where_no_id_can_be_read_it_is_null(client, text):
    assert refused(client, text)[1] is None


IDS = ["null", '"s"', "0", "-1", "9007199254740993", "9223372036854775807", '""', '"1"', '"\\u00e9"']
ASKED = {"the relay": '"session/list","params":{}',
         "the agent": '"_demo/echo","params":{"sessionId":"%(session)s","x":1}',
         "a new agent": '"session/new","params":{"cwd":"%(cwd)s","mcpServers":[]}'}


@pytest.mark.parametrize("raw", IDS)
@pytest.mark.parametrize("who", ASKED)
def test_ids_come_back_as_they_went(client, server, session, raw, who):
    before = client.count()
    text = '{"jsonrpc":"2.0","id":%s,"method":%s}' % (
        raw, ASKED[who] % {"session": session, "cwd": server.workspace})
    answer = client.send_text(text, session if who == "the agent" else None)
    assert answer is None or answer.status == 202, answer.body
    found = client.wait_for(lambda m: "result" in m, "the answer", start=before)
    assert json.dumps(found["id"]) == json.dumps(json.loads(raw))
    raws = [text for text in client.texts[-4:] if '"result"' in text]
    assert any('"id":' + raw in text.replace('"id": ', '"id":') for text in raws), raws


def test_numbers_and_texts_are_different_ids(client, session):
    texts = ['{"jsonrpc":"2.0","id":%s,"method":"_demo/echo","params":{"sessionId":"%s","n":%d}}' % (id, session, n)
             for n, id in enumerate(['71', '"71"'])]
    for text in texts:
        client.send_text(text, session)
    assert client.answer(71)["result"]["n"] == 0
    assert client.answer("71")["result"]["n"] == 1


def test_an_id_that_is_in_use_is_refused(client, session):
    first = client.start_prompt("/sleep 600", session, id="twice")
    before = client.count()
    error, id = None, None
    answer = client.send_text(json.dumps({"jsonrpc": "2.0", "id": "twice", "method": "_demo/echo",
                                          "params": {"sessionId": session}}), session)
    if answer is not None and answer.status == 400:
        error, id = answer.error(), answer.json()["id"]
    else:
        message = client.wait_for(lambda m: "error" in m, "the refusal", start=before)
        error, id = message["error"], message["id"]
    assert (error["code"], id) == (-32600, "twice")
    client.notify("session/cancel", sessionId=session)
    assert client.wait_for(lambda m: m.get("id") == first and "result" in m)["result"]["stopReason"] == "cancelled"


@pytest.mark.parametrize("method", ["nothing/like_it", "_nothing/like_it", "$/nothing", "session/nothing"])
@pytest.mark.parametrize("of_session", [False, True], ids=["of the connection", "of a session"])
def test_an_unknown_method_is_not_found(client, session, method, of_session):
    error = client.error(method, **({"sessionId": session} if of_session else {}))
    assert error.code == -32601


QUIET = [
    ("an unknown notification", "nothing/like_it", {}),
    ("an unknown notification of a session", "session/nothing", {"sessionId": "SESSION"}),
    ("an extension's notification", "_nothing/like_it", {"sessionId": "SESSION"}),
    ("an optional notification", "$/nothing", {}),
    ("cancel of no turn", "session/cancel", {"sessionId": "SESSION"}),
    ("cancel of an unknown request", "$/cancel_request", {"requestId": "never-sent"}),
    ("cancel of a request without its id", "$/cancel_request", {}),
    ("a request's method without an id", "session/list", {}),
]
ODD_CANCELS = [{"sessionId": 42}, {"sessionId": None}, {}, [], ["SESSION"], {"sessionId": "unknown"}]


@pytest.mark.parametrize("name, method, params", QUIET, ids=[name for name, _, _ in QUIET])
def test_notifications_are_never_answered(client, session, name, method, params):
    before = client.count()
    own = {key: session if value == "SESSION" else value for key, value in params.items()}
    answer = client.send_text(json.dumps({"jsonrpc": "2.0", "method": method, "params": own}),
                              own.get("sessionId"))
    assert answer is None or (answer.status, answer.body) == (202, b"")
    assert_quiet(client, session, before)


@pytest.mark.parametrize("params", ODD_CANCELS, ids=json.dumps)
def test_a_cancel_with_wrong_params_is_not_answered(client, session, params):
    before = client.count()
    text = json.dumps({"jsonrpc": "2.0", "method": "session/cancel", "params": params}).replace("SESSION", session)
    answer = client.send_text(text, session)
    assert answer is None or answer.status in (202, 400)
    assert_quiet(client, session, before)


def assert_quiet(client, session, before):
    """Nothing but the answers to two more requests comes, one on each stream of HTTP."""
    client.result("session/list")
    client.result("_demo/echo", sessionId=session)
    came = [message for message in client.messages[before:] if "method" not in message]
    assert len(came) == 2, came


RESPONSES = [
    '{"jsonrpc":"2.0","id":987654,"result":{}}',
    '{"jsonrpc":"2.0","id":"never-asked","error":{"code":-32603,"message":"what?"}}',
    '{"jsonrpc":"2.0","id":null,"result":{"outcome":{"outcome":"selected","optionId":"allow"}}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"what?"}}',
]


@pytest.mark.parametrize("text", RESPONSES)
@pytest.mark.parametrize("header", [False, True], ids=["", "with the session's id"])
def test_responses_to_nothing_are_ignored(client, session, text, header):
    before = client.count()
    answer = client.send_text(text, session if header else None)
    assert answer is None or (answer.status, answer.body) == (202, b"")
    assert_quiet(client, session, before)


# method, params; SESSION and CWD stand for those of the test.
WRONG_PARAMS = [
    ("session/new", None), ("session/new", []), ("session/new", {}),
    ("session/new", {"cwd": "CWD"}), ("session/new", {"cwd": 42, "mcpServers": []}),
    ("session/new", {"cwd": "not/absolute", "mcpServers": []}), ("session/new", {"cwd": "CWD", "mcpServers": "none"}),
    ("session/prompt", {"sessionId": "SESSION"}), ("session/prompt", {"sessionId": "SESSION", "prompt": "hello"}),
    ("session/prompt", {"sessionId": "SESSION", "prompt": [{"text": "hello"}]}),
    ("session/set_mode", {"sessionId": "SESSION"}), ("session/set_mode", {"sessionId": "SESSION", "modeId": 5}),
    ("session/set_config_option", {"sessionId": "SESSION", "configId": "style"}),
    ("session/load", {"cwd": "CWD", "mcpServers": []}), ("session/load", {"sessionId": 42, "cwd": "CWD"}),
    ("session/resume", {}), ("session/delete", {}), ("session/delete", {"sessionId": 42}),
    ("session/list", []), ("session/list", {"cursor": "not one of ours"}),
]


@pytest.mark.parametrize("method, params", WRONG_PARAMS, ids=lambda value: json.dumps(value))
def test_wrong_params_are_invalid(client, server, session, method, params):
    message = {"jsonrpc": "2.0", "id": "wrong", "method": method}
    if params is not None:
        message["params"] = params
    text = json.dumps(message).replace('"SESSION"', json.dumps(session)).replace('"CWD"', json.dumps(str(server.workspace)))
    of_session = isinstance(params, dict) and params.get("sessionId") == "SESSION"
    answer = client.send_text(text, session if of_session else None)
    assert answer is None or answer.status == 202, answer.body
    assert client.answer("wrong")["error"]["code"] == -32602


@pytest.mark.parametrize("method", ["session/prompt", "session/set_mode", "session/close", "session/cancel_all"])
def test_params_that_are_no_object_name_no_session(client, session, method):
    text = json.dumps({"jsonrpc": "2.0", "id": "array", "method": method, "params": [session]})
    answer = client.send_text(text, session)
    if answer is not None and answer.status == 400:
        assert answer.error()["code"] in (-32600, -32602)
    else:
        assert client.answer("array")["error"]["code"] in (-32602, -32601, -32600)


UNKNOWN = "sess_0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("id", [UNKNOWN, "elsewhere", "x" * 900], ids=["unknown", "of another kind", "long"])
@pytest.mark.parametrize("method, params", [
    ("session/prompt", {"prompt": text_block("hello")}), ("session/set_mode", {"modeId": "code"}),
    ("session/set_config_option", {"configId": "style", "value": "loud"}), ("_demo/echo", {}),
    ("session/load", {"cwd": "/tmp", "mcpServers": []}), ("session/resume", {"cwd": "/tmp", "mcpServers": []})])
def test_an_unknown_session_is_not_found(client, method, params, id):
    error = client.error(method, sessionId=id, **params)
    assert error.code == -32002
    assert error.type == "session_not_found"


def test_deleting_an_unknown_session_succeeds(client):
    assert client.result("session/delete", sessionId=UNKNOWN) == {}


def test_closing_an_unknown_session_succeeds_or_does_not_find_it(client):
    answer = client.request("session/close", sessionId=UNKNOWN)
    assert answer.get("result") == {} or answer["error"]["code"] == -32002


@pytest.mark.parametrize("answer", [
    '"error":{"code":-32603}', '"error":{}', '"error":null', '"error":"no"', '"result":null', '"result":{}',
    '"result":42', '"result":{"outcome":{}}', '"result":{"outcome":{"outcome":"selected"}}',
    '"result":{"outcome":{"outcome":"cancelled"}}', '"error":{"code":-32603,"message":"no"}'])
def test_whatever_a_permission_is_answered_with_the_turn_ends(client, session, answer):
    turn = client.start_prompt("/permission", session)
    asked = client.incoming("session/request_permission")
    client.send_text('{"jsonrpc":"2.0","id":%s,%s}' % (json.dumps(asked["id"]), answer), session)
    done = client.answer(turn)
    assert "result" in done or "error" in done


def test_a_result_of_null_reaches_the_agent(client, session):
    turn = client.start_prompt('/call _demo/ask {"sessionId":"$SESSION"}', session)
    asked = client.incoming("_demo/ask")
    client.send_text('{"jsonrpc":"2.0","id":%s,"result":null}' % json.dumps(asked["id"]), session)
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"
    assert text_of(client.messages) == "Result: null"


def test_a_second_prompt_waits_its_turn(client, session):
    first = client.start_prompt("/sleep 0.3", session)
    second = client.start_prompt("afterwards", session)
    assert client.answer(second)["result"]["stopReason"] == "end_turn"
    assert client.answer(first)["result"]["stopReason"] == "end_turn"
    order = [message["id"] for message in client.messages if message.get("id") in (first, second)]
    assert order == [first, second]
    assert text_of(client.messages).endswith("afterwards")


def test_json_may_be_spread_over_lines(client, session):
    text = json.dumps({"jsonrpc": "2.0", "id": "pretty", "method": "_demo/echo",
                       "params": {"sessionId": session, "a": ["\n", "\u2028", {"b": "\r\n"}]}}, indent=3)
    client.send_text(text.replace("\n", "\r\n"), session)
    assert client.answer("pretty")["result"]["a"] == ["\n", "\u2028", {"b": "\r\n"}]


@pytest.mark.parametrize("version, answered", [(1, 1), (2, 1), (65535, 1)])
def test_a_later_version_of_the_protocol_is_answered_with_this_one(client, server, version, answered):
    other = server.open(client.transport, initialize=False)
    assert other.initialize(protocolVersion=version)["protocolVersion"] == answered


def test_initialize_says_what_the_relay_adds(client):
    capabilities = client.initialized["agentCapabilities"]
    assert capabilities["loadSession"] is True
    assert {"list", "resume", "close", "delete"} <= capabilities["sessionCapabilities"].keys()
    assert client.initialized["_meta"]["acp-relay"]["isolation"] == "process"


def test_a_request_can_be_cancelled_by_its_id(client, session):
    turn = client.start_prompt("/sleep 600", session, id="sleeping")
    client.notify("$/cancel_request", requestId="sleeping")
    assert client.answer(turn)["error"]["code"] == -32800


def test_a_cancelled_turn_has_its_updates_before_its_answer(client, session):
    turn = client.start_prompt("/chunks 5000 100", session)
    client.incoming("session/update")
    client.notify("session/cancel", sessionId=session)
    answer = client.answer(turn)
    assert answer["result"]["stopReason"] in ("cancelled", "end_turn")
    position = client.messages.index(answer)
    client.result("_demo/echo", sessionId=session)
    later = [m for m in client.messages[position:] if m.get("method") == "session/update"]
    assert later == []


def test_session_ids_are_the_relays_own_and_random(client, server, session):
    other = client.new(server.workspace)
    assert re.fullmatch(r"sess_[0-9a-f]{32}", session) and re.fullmatch(r"sess_[0-9a-f]{32}", other)
    assert session != other
