"""Streamable HTTP on /acp: statuses, headers, and which stream carries what.

After each row a session/new must work on the same connection.
"""
import json
import re

import pytest

from harness import raw, schema
from harness.acp_client import CONNECTION, SESSION, wait_for_text
from harness.acp_server import serving
from harness.deadline import wait_until
from harness.http_client import text_block

ASK = '{"jsonrpc":"2.0","id":"list","method":"session/list","params":{}}'
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": 1}}
UNKNOWN = "sess_0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("acp"), {"agent": {"max_concurrent_sessions": 1000}}) as one:
        yield one


@pytest.fixture
def client(server):
    """A connection that is initialized; afterwards it must still make sessions, unless it was deleted."""
    one = server.open("http")
    one.deleted = False
    yield one
    try:
        if not one.deleted:
            session = one.new(server.workspace)
            assert one.prompt("still alive", session)[1] == "still alive"
            one.result("session/close", sessionId=session)
    finally:
        server.close_clients()


@pytest.fixture
def session(client, server):
    return client.new(server.workspace)


def stream_of(client, session=None):
    return client.streams[session][-1]


def texts(stream):
    return [json.loads(text) for _, text in stream.events]


def carried(client, session, id):
    """The name of the stream that carries the answer with an id."""
    client.answer(id)
    found = [name for name in (None, session) for message in texts(stream_of(client, name))
             if message.get("id") == id and "method" not in message]
    assert len(found) == 1, found
    return "connection" if found == [None] else "session"


# Initialize.
def test_initialize_answers_in_its_own_response(server):
    client = server.open("http", initialize=False)
    answer = client.post({**INITIALIZE, "id": "mine"}, connection=False)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert re.fullmatch(r"[0-9A-Za-z_-]{22,64}", answer.headers[CONNECTION])  # 128 random bits at least
    message = schema.check_acp(answer.json(), "initialize")
    assert message["id"] == "mine" and message["result"]["protocolVersion"] == 1


def test_each_initialize_is_a_connection_of_its_own(server):
    ids = {server.open("http").connection_id for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("name, message", [
    ("with a null id", {**INITIALIZE, "id": None}),
    ("as a notification", {key: value for key, value in INITIALIZE.items() if key != "id"})])
def test_initialize_without_an_id_is_refused(client, name, message):
    answer = client.post(message, connection=False)
    assert answer.status == 400
    assert answer.error()["code"] == -32600


def test_initialize_on_a_connection_is_refused(client):
    answer = client.post(INITIALIZE)
    assert answer.status == 400
    assert answer.error()["code"] == -32600


@pytest.mark.parametrize("params", [None, [], {}, {"protocolVersion": "one"}, {"protocolVersion": None}])
def test_initialize_with_wrong_params_is_an_error_with_a_connection(client, params):
    message = {key: value for key, value in {**INITIALIZE, "params": params}.items() if value is not None}
    answer = client.post(message, connection=False)
    assert answer.status == 200
    assert answer.error()["code"] == -32602
    assert answer.headers[CONNECTION]


@pytest.mark.parametrize("version", ["1", "2", "nonsense"])
def test_a_header_with_the_version_of_the_protocol_is_ignored(client, version):
    assert client.post(ASK, headers={"Acp-Protocol-Version": version}).status == 202


# Which connection, which session.
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("id, status", [(None, 400), ("", 400), ("unknown", 404), ("0" * 36, 404), ("x" * 5000, 404)],
                         ids=["none", "empty", "unknown", "zeros", "long"])
def test_a_request_names_a_connection_that_exists(client, method, id, status):
    headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
    if id is not None:
        headers[CONNECTION] = id
    answer = client.exchange(method, headers, ASK if method == "POST" else None)
    assert answer.status in ((status,) if id != "" else (400, 404))
    assert answer.error()["message"]


STRICT = {"session/prompt": {"prompt": text_block("hello")}, "session/set_mode": {"modeId": "code"},
          "session/set_config_option": {"configId": "style", "value": "loud"}, "session/close": {},
          "session/cancel": None}
LENIENT = {"session/load": {"cwd": "/tmp", "mcpServers": []}, "session/resume": {"cwd": "/tmp", "mcpServers": []},
           "session/fork": {"cwd": "/tmp", "mcpServers": []}, "session/delete": {}, "_demo/echo": {}}


def message_of(method, session, params):
    message = {"jsonrpc": "2.0", "id": "asked", "method": method, "params": {"sessionId": session, **(params or {})}}
    if params is None:
        del message["id"]
    return message


@pytest.mark.parametrize("method", STRICT)
def test_what_belongs_to_a_turn_needs_the_header(client, session, method):
    answer = client.post(message_of(method, session, STRICT[method]))
    assert answer.status == 400
    assert answer.error()["code"] == -32600
    assert SESSION in answer.error()["message"]


@pytest.mark.parametrize("method", LENIENT)
def test_elsewhere_the_params_are_enough(client, session, method):
    if method not in ("session/load", "session/resume"):  # their answers come where a stream must be
        client.open(session)
    answer = client.post(message_of(method, session, LENIENT[method]))
    assert (answer.status, answer.body) == (202, b"")
    client.answer("asked")


@pytest.mark.parametrize("method", {**STRICT, **LENIENT})
def test_a_header_and_params_that_disagree_are_refused(client, session, method):
    answer = client.post(message_of(method, session, {**STRICT, **LENIENT}[method]), session=UNKNOWN)
    assert answer.status == 400
    assert answer.error()["code"] == -32600


def test_a_header_where_none_is_needed_does_no_harm(client, session):
    assert client.post(ASK, session=session).status == 202
    assert "sessions" in client.answer("list")["result"]


@pytest.mark.parametrize("header", [True, False])
def test_answers_find_their_request_with_and_without_the_header(client, session, header):
    turn = client.start_prompt("/permission", session)
    asked = client.incoming("session/request_permission")
    result = {"outcome": {"outcome": "selected", "optionId": "allow"}}
    answer = client.post({"jsonrpc": "2.0", "id": asked["id"], "result": result}, session if header else None)
    assert (answer.status, answer.body) == (202, b"")
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"


def test_a_session_that_nobody_knows_is_an_error_by_stream(client):
    assert client.open(UNKNOWN).status == 200
    answer = client.post(message_of("session/prompt", UNKNOWN, {"prompt": text_block("hello")}), UNKNOWN)
    assert answer.status == 202
    assert client.answer("asked")["error"]["code"] == -32002


# GET.
def test_an_event_stream_says_what_it_is(client, session):
    for stream, name in ((stream_of(client), None), (client.open(session), session)):
        assert stream.status == 200
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert "no-cache" in stream.headers["Cache-Control"]
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers[CONNECTION] == client.connection_id
        assert stream.headers.get(SESSION) == name
        wait_until(lambda: stream.comments >= 1, "a comment opens the stream")


@pytest.mark.parametrize("id", [UNKNOWN, "of-another-kind", "x" * 1000], ids=["unknown", "of another kind", "long"])
def test_a_stream_may_be_opened_for_a_session_that_is_not_there(client, id):
    assert client.open(id).status == 200


@pytest.mark.parametrize("accept, status", [
    (None, 406), ("application/json", 406), ("*/*", 406), ("text/*", 406), ("text/html, text/event-stream;q=0.9", 200),
    ("TEXT/EVENT-STREAM", 200), ("application/json, text/event-stream", 200)])
def test_get_wants_an_event_stream(client, accept, status):
    stream = client.open(headers={"Accept": accept})
    assert stream.status == status
    if status != 200:
        assert json.loads(stream.body)["error"]["message"]


@pytest.mark.parametrize("of_session", [False, True], ids=["of the connection", "of a session"])
def test_a_second_stream_takes_over(client, session, of_session):
    name = session if of_session else None
    first = client.open(name)
    second = client.open(name)
    assert second.status == 200
    first.wait_ended()
    id = client.start("_demo/echo" if of_session else "session/list", {"sessionId": session} if of_session else {})
    client.answer(id)
    assert [message["id"] for message in texts(second) if message.get("id") == id] == [id]


def test_what_came_while_no_stream_was_open_waits(client, server):
    client.opens_streams = False
    session = client.new(server.workspace)
    client.start_prompt("one two three", session, id="turn")
    stream = client.open(session)
    client.answer("turn")
    words = [message["params"]["update"]["content"]["text"] for message in texts(stream)
             if message.get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message_chunk"]
    assert words == ["one ", "two ", "three"]
    client.opens_streams = True


def test_a_dropped_stream_is_resumed_by_the_number_of_the_last_event(client, session):
    client.open(session)
    first = stream_of(client, session)
    client.prompt("one two three", session)
    numbers = [int(number) for number, _ in first.events]
    assert numbers == sorted(set(numbers))
    position = next(index for index, (_, text) in enumerate(first.events) if '"two "' in text)
    first.close()
    second = client.open(session, {"Last-Event-ID": str(numbers[position])})
    wait_until(lambda: len(second.events) >= len(first.events) - position - 1, "the rest comes again")
    assert second.events[:len(first.events) - position - 1] == first.events[position + 1:]
    client.prompt("and on", session)
    later = [int(number) for number, _ in second.events]
    assert later == sorted(set(later)) and later[0] > numbers[position]


def test_a_place_that_only_the_log_has_costs_no_answer(client, session):
    client.open(session)
    first = stream_of(client, session)
    earlier = client.start_prompt("/chunks 1500 8", session)
    client.answer(earlier)
    place = next(number for number, _ in first.events if number)
    turn = client.start_prompt("/permission", session)
    client.incoming("session/request_permission")
    first.close()
    seen = client.count()
    second = client.open(session, {"Last-Event-ID": place})
    asked = client.incoming("session/request_permission", start=seen)
    client.respond(asked, {"outcome": {"outcome": "selected", "optionId": "allow"}})
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"
    numbers = [int(number) for number, _ in second.events if number]
    assert numbers == sorted(set(numbers)) and numbers[0] > int(place)
    assert [message["id"] for message in texts(second) if "result" in message] == [earlier, turn]


# Which stream.
@pytest.mark.parametrize("method, params, stream", [
    ("session/list", {}, "connection"), ("authenticate", {"methodId": "demo"}, "connection"),
    ("nothing/like_it", {}, "connection"),
    ("session/load", {"sessionId": "SESSION", "cwd": "/tmp", "mcpServers": []}, "session"),
    ("session/resume", {"sessionId": "SESSION", "cwd": "/tmp", "mcpServers": []}, "session"),
    ("session/prompt", {"sessionId": "SESSION", "prompt": text_block("hello")}, "session"),
    ("session/set_mode", {"sessionId": "SESSION", "modeId": "code"}, "session"),
    ("session/set_config_option", {"sessionId": "SESSION", "configId": "style", "value": "loud"}, "session"),
    ("_demo/echo", {"sessionId": "SESSION"}, "session"), ("session/close", {"sessionId": "SESSION"}, "session"),
    ("session/delete", {"sessionId": "SESSION"}, "session"),
])
def test_every_answer_has_its_stream(client, session, method, params, stream):
    client.open(session)
    own = {key: session if value == "SESSION" else value for key, value in params.items()}
    assert carried(client, session, client.start(method, own)) == stream


def test_session_new_is_answered_on_the_stream_of_the_connection(client, server):
    id = client.start("session/new", {"cwd": str(server.workspace), "mcpServers": []})
    session = client.answer(id)["result"]["sessionId"]
    client.open(session)
    assert carried(client, session, id) == "connection"


def test_updates_and_requests_come_on_the_stream_of_their_session(client, session):
    turn = client.start_prompt("/permission", session)
    client.respond(client.incoming("session/request_permission"), {"outcome": {"outcome": "cancelled"}})
    client.answer(turn)
    of_session = [message.get("method") for message in texts(stream_of(client, session))]
    assert "session/update" in of_session and "session/request_permission" in of_session
    assert all("method" not in message for message in texts(stream_of(client)))


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
@pytest.mark.parametrize("opens", [True, False], ids=["with a stream of the session", "without"])
def test_a_replay_is_over_before_the_load_is_answered(server, client, session, method, opens):
    client.prompt("one two three", session)
    other = server.open("http", streams=False)
    other.open()
    if opens:
        other.open(session)
    answer = other.post(message_of(method, session, LENIENT[method]))
    assert answer.status == 202
    other.answer("asked")

    def words():
        return [text for text in other.texts if "agent_message_chunk" in text]

    if method == "session/resume":
        other.result("session/list")
        assert words() == []
    elif opens:  # on two sockets, only what was sent could be ordered, not what is read
        wait_until(lambda: len(words()) == 3, "the replay")
    else:
        assert len(words()) == 3 and '"asked"' in other.texts[-1]


def test_loads_at_the_same_time_are_each_answered_behind_a_replay(server, client, session):
    client.answer(client.start_prompt("/chunks 1500 200", session))
    other = server.open("http", streams=False)
    other.open()
    asked = [f"load {number}" for number in range(4)]
    for id in asked:
        answer = other.post({**message_of("session/load", session, LENIENT["session/load"]), "id": id})
        assert answer.status == 202
    for id in asked:
        other.answer(id)
    answers = [message["id"] for message in texts(stream_of(other)) if "result" in message]
    assert answers == asked


# DELETE and the other methods.
def test_delete_ends_the_connection_and_its_streams(client, session):
    own = client.open(session)
    answer = client.delete()
    client.deleted = True
    assert (answer.status, answer.body) == (202, b"")
    own.wait_ended()
    stream_of(client).wait_ended()
    assert client.delete().status == 404
    assert client.post(ASK).status == 404
    assert client.exchange("GET", {CONNECTION: client.connection_id, "Accept": "text/event-stream"}).status == 404


def test_a_session_outlives_its_connection(server, client, session):
    client.delete()
    client.deleted = True
    other = server.open("http")
    other.result("session/load", sessionId=session, cwd=str(server.workspace), mcpServers=[])
    assert other.prompt("still there", session)[1] == "still there"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "LOCK"])
def test_other_methods_are_not_allowed(client, method):
    answer = client.exchange(method, {CONNECTION: client.connection_id, "Content-Type": "application/json"}, ASK)
    assert answer.status == 405
    assert {"POST", "GET", "DELETE"} <= set(re.split(r", *", answer.headers["Allow"]))


def test_get_without_a_body_but_with_h2c_is_answered_at_once(client):
    """What a Java client asks first, to see whether HTTP/2 is spoken."""
    with raw.connect(client.port) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                           b"HTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n\r\n"
                           % (client.path.encode(), client.host.encode(), client.port))
        head = raw.read_head(connection).split(b"\r\n")[0]
    assert head.startswith((b"HTTP/1.1 406 ", b"HTTP/1.1 400 ")), head


# Bodies.
@pytest.mark.parametrize("value, status", [
    ("application/json", 202), ("application/json; charset=utf-8", 202), ("APPLICATION/JSON", 202),
    ("application/json;charset=UTF-8", 202), ("text/plain", 415), ("", 415), ("application/jsonp", 415),
    ("application/x-www-form-urlencoded", 415), ("multipart/form-data; boundary=x", 415), ("text/json", 415)])
def test_a_body_is_json_and_says_so(client, value, status):
    answer = client.post(ASK, headers={"Content-Type": value})
    assert answer.status == status
    if status == 415:
        assert answer.error()["message"]
    else:
        client.answer("list")


@pytest.mark.parametrize("text", ["[]", '[%s]' % ASK, "[%s,%s]" % (ASK, ASK), "[42]"],
                         ids=["empty", "one", "two", "a number"])
@pytest.mark.parametrize("connection", [True, False])
def test_a_batch_is_not_implemented(client, text, connection):
    answer = client.post(text, connection=connection)
    assert answer.status == 501
    assert answer.json()["id"] is None and answer.error()["code"] == -32600


def test_the_body_may_come_in_chunks(client):
    pieces = iter([ASK[:10].encode(), ASK[10:].encode()])
    client._posts.request("POST", client.path, pieces, {CONNECTION: client.connection_id,
                                                        "Content-Type": "application/json"}, encode_chunked=True)
    response = client._posts.getresponse()
    assert response.status == 202 and response.read() == b""
    client.answer("list")


def test_a_prompt_of_17_mib_is_carried(client, session):
    block = {"type": "image", "mimeType": "image/png", "data": "A" * (17 << 20)}
    id = client.start("session/prompt", {"sessionId": session, "prompt": [block, *text_block("seen")]})
    assert client.answer(id)["result"]["stopReason"] == "end_turn"
    wait_for_text(client, "[image]seen")


def test_many_requests_use_one_connection(client):
    for number in range(50):
        client.result("session/list", id=f"one{number}")


@pytest.mark.parametrize("path, status", [("/acp/", 404), ("/acp/more", 404), ("/ACP", 404), ("/agents/none/acp", 404),
                                          ("/agents//acp", 404), ("/acp?a=b", 202)])
def test_the_path_is_exact(client, path, status):
    answer = client.exchange("POST", {CONNECTION: client.connection_id, "Content-Type": "application/json"}, ASK, path)
    assert answer.status == status


def test_connections_without_a_stream_can_be_deleted(server):
    clients = [server.open("http", streams=False) for _ in range(20)]
    for client in clients:
        assert client.delete().status == 202
        client.connection_id = None
    server.close_clients()


def test_streams_of_sessions_that_are_not_used_are_few(client, session):
    names = ["sess_%032x" % number for number in range(17)]
    opened = [client.open(name) for name in names[:16]]
    assert {stream.status for stream in opened} == {200}
    refused = client.open(names[16])
    assert refused.status == 404
    data = json.loads(refused.body)["error"]["data"]
    assert (data["error_type"], data["relevant_state"]["limit"]) == ("session_limit_reached", 16)
    # Those of sessions that it uses are another matter, and so are their children's.
    assert client.open(session + ".helper").status == 200
    assert client.prompt("hello", session)[1] == "hello"
    # One that is left makes room.
    opened[3].close()
    wait_until(lambda: client.open(names[16]).status == 200, "a stream that nobody reads makes room")


def test_streams_that_nobody_reads_make_no_room_at_the_cost_of_a_session_in_use(client, session):
    client.open(session).close()
    # 1,024 are the most; the session's own is the first of them.
    for number in range(1024):
        wait_until(lambda: _opens(client, f"{session}.{number}"), "a stream that nobody reads makes room")
    assert client.post(message_of("_demo/echo", session, {})).status == 202
    client.open(session)
    client.answer("asked")


def _opens(client, session):
    with raw.connect(client.port) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: text/event-stream\r\n"
                           b"Acp-Connection-Id: %s\r\nAcp-Session-Id: %s\r\n\r\n"
                           % (client.path.encode(), client.host.encode(), client.port,
                              client.connection_id.encode(), session.encode()))
        return raw.read_head(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/acp/ws", "/message"])
def test_other_paths_lead_to_the_same_endpoint(server, path):
    client = server.open("http", initialize=False)
    answer = client.exchange("POST", {"Content-Type": "application/json"}, json.dumps(INITIALIZE), path=path)
    assert answer.status == 200 and answer.headers[CONNECTION]
    client.connection_id = answer.headers[CONNECTION]
    assert client.post(ASK).status == 202  # at /acp
    assert client.exchange("DELETE", {CONNECTION: client.connection_id}, path=path).status == 202
    client.connection_id = None
    assert client.exchange("GET", path="/agents/x" + path).status == 404
