"""WebSocket on /acp: the upgrade, the first message, frames and close codes."""
import contextlib
import json

import pytest
import websockets

from harness import raw, schema
from harness.acp_client import CONNECTION, AcpWebSocket
from harness.acp_endpoint import acp_url
from harness.acp_server import serving
from harness.http_client import text_of

INITIALIZE = '{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":1}}'
ASK = '{"jsonrpc":"2.0","id":"list","method":"session/list","params":{}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("acp"), {"agent": {"max_concurrent_sessions": 1000}}) as one:
        yield one


@pytest.fixture
def client(server):
    one = server.open("ws")
    yield one
    try:
        session = one.new(server.workspace)
        assert one.prompt("still alive", session)[1] == "still alive"
        one.result("session/close", sessionId=session)
    finally:
        server.close_clients()


@pytest.fixture
def fresh(server):
    """A connection on which nothing was said yet."""
    yield server.open("ws", initialize=False)
    server.close_clients()


def test_the_upgrade_names_the_connection(server):
    ids = {server.open("ws", initialize=False).connection_id for _ in range(5)}
    assert len(ids) == 5 and all(len(id) >= 22 for id in ids)
    server.close_clients()


def test_the_connection_of_a_websocket_is_none_of_http(server, client):
    other = server.open("http")
    other.connection_id = client.connection_id
    assert other.post(ASK).status == 404
    other.connection_id = None


@pytest.mark.parametrize("text", [
    ASK, '{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/tmp","mcpServers":[]}}',
    '{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"x"}}', '{"jsonrpc":"2.0","id":1,"result":{}}',
    '{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":1}}'])
def test_the_first_message_has_to_be_initialize(fresh, text):
    fresh.send_raw(text)
    assert fresh.wait_closed() == 1002
    assert fresh.socket.close_reason == "First message must be initialize"


@pytest.mark.parametrize("text, code", [("{", -32700), ("[]", -32600), ("[%s]" % INITIALIZE, -32600), ("42", -32600)])
def test_what_is_no_message_may_come_before_initialize(fresh, text, code):
    fresh.send_raw(text)
    message = fresh.wait_for(lambda m: "error" in m)
    assert (message["id"], message["error"]["code"]) == (None, code)
    assert fresh.initialize()["protocolVersion"] == 1


def test_a_second_initialize_is_refused_and_the_first_one_stands(client):
    error = client.error("initialize", protocolVersion=1)
    assert error.code == -32600


@pytest.mark.parametrize("raw_id", ["0", '"one"', "9007199254740993"])
def test_initialize_keeps_its_id(fresh, raw_id):
    fresh.send_raw(INITIALIZE.replace('"first"', raw_id))
    message = fresh.wait_for(lambda m: "result" in m)
    assert json.dumps(message["id"]) == json.dumps(json.loads(raw_id))
    schema.check_acp(message, "initialize")


def test_what_is_sent_right_behind_initialize_waits_for_it(fresh, server):
    fresh.send_raw(INITIALIZE)
    fresh.send_raw('{"jsonrpc":"2.0","id":"new","method":"session/new","params":{"cwd":%s,"mcpServers":[]}}'
                   % json.dumps(str(server.workspace)))
    fresh.send_raw(ASK)
    assert "sessionId" in fresh.answer("new")["result"]
    assert "sessions" in fresh.answer("list")["result"]
    assert [m["id"] for m in fresh.messages if "result" in m][0] == "first"


def test_binary_frames_are_taken_when_they_are_text(client):
    before = client.count()
    client.send_raw(b"\x00\xff")
    client.send_raw(ASK.encode())
    assert "sessions" in client.answer("list")["result"]
    assert [m for m in client.messages[before:] if "error" in m] == []


def test_a_frame_may_hold_several_lines_and_a_line_feed_at_its_end(client):
    other = ASK.replace('"list"', '"again"')
    client.send_raw(ASK + "\n" + other + "\r\n\n")
    assert "sessions" in client.answer("list")["result"]
    assert "sessions" in client.answer("again")["result"]


def test_of_several_lines_a_bad_one_is_refused_alone(client):
    client.send_raw('{"jsonrpc":"2.0","id":7,"method":1}\n' + ASK)
    assert client.answer(7)["error"]["code"] == -32600
    assert "sessions" in client.answer("list")["result"]


def test_a_message_may_be_written_over_several_lines(client):
    client.send_raw(json.dumps(json.loads(ASK), indent=2))
    assert "sessions" in client.answer("list")["result"]


def test_a_ping_of_an_application_is_swallowed(fresh):
    fresh.send_raw('{"jsonrpc":"2.0","method":"$/ping"}')  # before initialize as well
    fresh.send_raw(INITIALIZE)
    assert "agentCapabilities" in fresh.answer("first")["result"]
    fresh.send_raw('{"jsonrpc":"2.0","method":"$/ping","params":null}')
    fresh.send_raw('{"jsonrpc":"2.0","id":"asked","method":"$/ping"}')
    assert fresh.answer("asked")["result"] == {}
    assert [m for m in fresh.messages if "error" in m] == []


def upgraded(server, extra=b""):
    """A plain socket behind the upgrade, and its head."""
    url = server.url("ws").removeprefix("ws://")
    address, _, path = url.partition("/")
    port = int(address.partition(":")[2])
    connection = raw.connect(port)
    connection.sendall(b"GET /%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
                       % (path.encode(), port, extra))
    return connection, raw.read_head(connection)


def test_a_message_may_come_in_fragments(server):
    connection, head = upgraded(server)
    with connection:
        assert CONNECTION.lower().encode() in head.lower()
        data = INITIALIZE.encode()
        connection.sendall(raw.frame(data[:10], fin=False) + raw.frame(b"ping", opcode=9)
                           + raw.frame(data[10:20], opcode=0, fin=False) + raw.frame(data[20:], opcode=0))
        received = raw.read_until(connection, b'"first"')
        assert b"\x8a\x04ping" in received, "the pong comes in between"


def test_text_that_is_not_utf8_closes_with_1007(server):
    connection, _ = upgraded(server)
    with connection:
        connection.sendall(raw.frame(INITIALIZE.encode()) + raw.frame(b'{"a":"\xff\xfe"}'))
        assert raw.close_code(raw.read_until_closed(connection)) == 1007


def test_an_unmasked_frame_closes_with_1002(server):
    connection, _ = upgraded(server)
    with connection:
        connection.sendall(raw.frame(INITIALIZE.encode(), masked=False))
        assert raw.close_code(raw.read_until_closed(connection)) == 1002


@pytest.mark.parametrize("offered, chosen", [
    (["acp.v1"], "acp.v1"), (["acp-relay"], "acp-relay"), (["soap", "acp.v1", "acp-relay"], "acp.v1")])
def test_a_known_subprotocol_is_chosen(server, offered, chosen):
    client = server.open("ws", subprotocols=offered)
    assert client.socket.subprotocol == chosen
    server.close_clients()


@pytest.mark.parametrize("path", ["acp/ws", "message"])
def test_other_paths_lead_to_the_same_endpoint(server, path):
    url = server.url("ws").removesuffix("acp") + path
    with contextlib.closing(AcpWebSocket(url)) as client:
        assert client.prompt("hello", client.new(server.workspace))[1] == "hello"


def test_a_subprotocol_nobody_knows_is_not_chosen(server):
    client = server.open("ws", subprotocols=["acp.v7", "soap"], initialize=False)
    assert client.socket.subprotocol is None
    client.initialize()
    server.close_clients()


@pytest.mark.parametrize("extra, status", [
    (b"Sec-WebSocket-Version: 12\r\n", b"4"), (b"Origin: https://evil.example\r\n", b"403")])
def test_an_upgrade_that_is_refused(server, extra, status):
    url = server.url("ws").removeprefix("ws://")
    port = int(url.partition(":")[2].partition("/")[0])
    version = b"" if b"Version" in extra else b"Sec-WebSocket-Version: 13\r\n"
    with raw.connect(port) as connection:
        connection.sendall(b"GET /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"%sSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n" % (port, version, extra))
        assert raw.read_head(connection).split(b" ")[1].startswith(status)


def test_an_upgrade_elsewhere_is_not_found(server):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        AcpWebSocket(server.url("ws") + "/nowhere")
    assert caught.value.status_code == 404


def test_the_end_of_the_relay_closes_with_1001(make_relay):
    relay = make_relay()
    client = AcpWebSocket(acp_url(relay, "ws"))
    client.new(relay.workspace)
    relay.stop()
    assert client.wait_closed() == 1001


def test_a_session_outlives_its_connection(server):
    client = server.open("ws")
    session = client.new(server.workspace)
    client.prompt("remember me", session)
    client.abort()
    other = server.open("ws")
    other.result("session/load", sessionId=session, cwd=str(server.workspace), mcpServers=[])
    assert "remember me" in text_of(other.messages)
    assert other.prompt("on", session)[1] == "on"
    server.close_clients()


def test_nothing_overtakes_anything(make_relay):
    """An agent's order is the client's order, the answer included."""
    relay = make_relay()
    client = AcpWebSocket(acp_url(relay, "ws"))
    session = client.new(relay.workspace)
    turn = client.start_prompt("/chunks 2000 10", session)
    client.answer(turn)
    numbers = [int(m["params"]["update"]["content"]["text"].split()[0]) for m in client.messages
               if m.get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message_chunk"]
    assert numbers == list(range(2000))
    assert client.messages[-1]["id"] == turn
    client.close()
