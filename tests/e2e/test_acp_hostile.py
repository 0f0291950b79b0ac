"""Clients of /acp that mean no good, or are broken: each is refused by itself and the relay goes on."""
import contextlib
import json
import socket

import pytest
import websockets

from harness import processes, raw
from harness.acp_client import CONNECTION, SESSION, AcpHttp, AcpWebSocket, open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError, text_block, text_of
from harness.quiet_log import never_logged

ADA, BOB, EVE = "token-of-ada-1", "token-of-bob-2", "token-of-eve-3"
TOKENS = [{"name": "ada", "token": ADA}, {"name": "bob", "token": BOB},
          {"name": "eve", "token": EVE, "role": "observer"}]
ASK = '{"jsonrpc":"2.0","id":"list","method":"session/list","params":{}}'
INITIALIZE = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}'


@pytest.fixture
def guarded(make_relay):
    return make_relay({"auth": {"mode": "token", "tokens": TOKENS}})


@pytest.fixture
def opened(request):
    """opened(relay, transport, ...): a client that is closed with the test."""
    clients = []

    def make(relay, transport, **options):
        clients.append(open_client(transport, acp_url(relay, transport), **options))
        return clients[-1]

    yield make
    with contextlib.ExitStack() as every:
        for client in clients:
            every.callback(client.close)


def serves(relay, **options):
    for transport in TRANSPORTS:
        client = open_client(transport, acp_url(relay, transport), **options)
        client.new(relay.workspace)
        assert client.prompt("still alive")[1] == "still alive"
        client.result("session/close", sessionId=client.session)
        client.close()


def refused_upgrade(url, **options):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        AcpWebSocket(url, **options)
    return caught.value


# Who may come in.
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic " + ADA, ADA, f"Bearer {ADA}x"])
def test_without_a_token_nothing_is_served(guarded, header):
    headers = {"Authorization": header} if header else {}
    client = AcpHttp(acp_url(guarded, "http"), initialize=False, headers=headers)
    for method, body in (("POST", INITIALIZE), ("POST", ASK), ("POST", "{"), ("GET", None), ("DELETE", None)):
        answer = client.exchange(method, {"Content-Type": "application/json", "Accept": "text/event-stream"}, body)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.error()["data"]["error_type"] == "unauthorized"
    client.close()
    refusal = refused_upgrade(acp_url(guarded, "ws"), headers=headers)
    assert refusal.status_code == 401 and refusal.headers["WWW-Authenticate"].startswith("Bearer")
    serves(guarded, token=ADA)


@pytest.mark.parametrize("query", [f"?token={ADA}", f"?access_token={ADA}", f"?authorization=Bearer%20{ADA}"])
def test_a_token_in_the_query_opens_nothing(guarded, query):
    client = AcpHttp(acp_url(guarded, "http"), initialize=False)
    answer = client.exchange("POST", {"Content-Type": "application/json"}, INITIALIZE, "/acp" + query)
    assert answer.status == 401
    client.close()
    assert refused_upgrade(acp_url(guarded, "ws") + query).status_code == 401
    never_logged(guarded, ADA)


def test_browsers_give_the_token_as_a_subprotocol(guarded):
    client = AcpWebSocket(acp_url(guarded, "ws"), subprotocols=["acp.v1", "bearer." + ADA])
    assert client.socket.subprotocol == "acp.v1"
    client.close()
    assert refused_upgrade(acp_url(guarded, "ws"), subprotocols=["acp.v1", "bearer.wrong"]).status_code == 401
    client = AcpWebSocket(acp_url(guarded, "ws"), subprotocols=["acp-relay.token." + ADA])
    client.new(guarded.workspace)
    assert client.prompt("hello")[1] == "hello"
    client.close()
    assert refused_upgrade(acp_url(guarded, "ws"), subprotocols=["acp-relay.token.wrong"]).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example"])
def test_a_name_of_somebody_else_is_refused_on_loopback(relay, host):
    """A page whose name was made to point here."""
    client = AcpHttp(acp_url(relay, "http"), initialize=False, headers={"Host": host})
    assert client.post(INITIALIZE, connection=False).status in (400, 403)
    client.close()


def test_a_connection_of_another_principal_does_not_exist(guarded, opened):
    mine = opened(guarded, "http", token=ADA)
    theirs = opened(guarded, "http", token=BOB)
    theirs.connection_id, own = mine.connection_id, theirs.connection_id
    assert theirs.post(ASK).status == 404
    assert theirs.exchange("GET", {CONNECTION: mine.connection_id, "Accept": "text/event-stream"}).status == 404
    assert theirs.delete().status == 404
    theirs.connection_id = own
    assert mine.result("session/list") == {"sessions": []}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_of_another_principal_does_not_exist(guarded, opened, transport):
    mine = opened(guarded, transport, token=ADA)
    session = mine.new(guarded.workspace)
    theirs = opened(guarded, transport, token=BOB)
    again = {"cwd": str(guarded.workspace), "mcpServers": []}
    unknown = "sess_0123456789abcdef0123456789abcdef"
    for method, params in (("session/load", again), ("session/resume", again), ("session/set_mode", {"modeId": "code"}),
                           ("session/prompt", {"prompt": text_block("hello")}), ("_demo/echo", {})):
        real = theirs.error(method, sessionId=session, **params)
        none = theirs.error(method, sessionId=unknown, **params)
        assert json.dumps(real.error).replace(session, "") == json.dumps(none.error).replace(unknown, "")
        assert real.code == -32002
    theirs.notify("session/cancel", sessionId=session)
    theirs.request("session/close", sessionId=session)
    assert theirs.result("session/delete", sessionId=session) == {}
    assert theirs.result("session/list") == {"sessions": []}
    assert mine.prompt("still mine")[1] == "still mine"


def test_a_stream_of_anothers_session_has_nothing_of_it(guarded, opened):
    mine = opened(guarded, "http", token=ADA)
    session = mine.new(guarded.workspace)
    theirs = opened(guarded, "http", token=BOB)
    stream = theirs.open(session)
    mine.prompt("a secret", session)
    asked = theirs.start("session/prompt", {"sessionId": session, "prompt": text_block("hello")})
    assert theirs.answer(asked)["error"]["code"] == -32002
    assert [json.loads(text)["id"] for _, text in stream.events] == [asked]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_observer_watches_only(make_relay, opened, transport):
    shared = make_relay({"auth": {"mode": "token", "tokens": TOKENS}, "sessions": {"shared": True}})
    mine = opened(shared, transport, token=ADA)
    session = mine.new(shared.workspace)
    observer = opened(shared, transport, token=EVE)
    again = {"cwd": str(shared.workspace), "mcpServers": []}
    observer.result("session/load", sessionId=session, **again)
    for method, params in (("session/prompt", {"prompt": text_block("x")}), ("session/close", {}),
                           ("session/set_mode", {"modeId": "code"}), ("session/fork", again)):
        assert observer.error(method, sessionId=session, **params).type == "forbidden", method
    assert observer.error("session/new", **again).type == "forbidden"
    turn = mine.start_prompt("/permission")
    asked = mine.incoming("session/request_permission")
    observer.notify("session/cancel", sessionId=session)
    observer.result("session/list")  # the cancellation has been read
    mine.respond(asked, {"outcome": {"outcome": "selected", "optionId": "allow"}})
    assert mine.answer(turn)["result"]["stopReason"] == "end_turn"
    assert mine.prompt("visible")[1] == "visible"
    wait_until(lambda: "visible" in text_of(observer.all("session/update")), "the observer sees it")
    assert observer.all("session/request_permission") == []


@pytest.mark.parametrize("origin, allowed", [("https://evil.example", False), ("null", False),
                                             ("http://localhost:3000", True), ("http://127.0.0.1", True)])
def test_foreign_origins_are_refused(relay, origin, allowed):
    client = AcpHttp(acp_url(relay, "http"), initialize=False, headers={"Origin": origin})
    answer = client.post(INITIALIZE, connection=False)
    assert answer.status == (200 if allowed else 403)
    client.close()
    if allowed:
        AcpWebSocket(acp_url(relay, "ws"), headers={"Origin": origin}).close()
    else:
        assert refused_upgrade(acp_url(relay, "ws"), headers={"Origin": origin}).status_code == 403


def test_a_page_that_is_allowed_may_ask_and_read_the_ids(make_relay):
    relay = make_relay({"server": {"allowed_origins": ["https://app.example"]}})
    client = AcpHttp(acp_url(relay, "http"), initialize=False, headers={"Origin": "https://app.example"})
    asked = ("content-type, authorization, acp-connection-id, acp-session-id, acp-protocol-version, last-event-id, "
             "traceparent, tracestate")
    for method in ("POST", "GET", "DELETE"):
        answer = client.exchange("OPTIONS", {"Access-Control-Request-Method": method,
                                             "Access-Control-Request-Headers": asked})
        assert answer.status in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert method in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert all(name.strip() in allowed for name in asked.split(","))
    answer = client.post(INITIALIZE, connection=False)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    exposed = answer.headers["Access-Control-Expose-Headers"].lower()
    assert CONNECTION.lower() in exposed and SESSION.lower() in exposed
    client.close()


# Too much.
def test_many_connections_without_initialize_leave_room(make_relay, opened):
    """What holds 10,000 of them off is server.max_connections, so a small limit shows the same."""
    relay = make_relay({"server": {"max_connections": 40}})
    port = relay.config["server"]["websocket_port"]
    idle = [raw.connect(port) for _ in range(80)]
    try:
        client = opened(relay, "http")  # on the other port
        client.new(relay.workspace)
        assert client.prompt("still alive")[1] == "still alive"
    finally:
        for connection in idle:
            connection.close()
    wait_until(lambda: _can_connect(relay), "the places of those that left are free again")
    serves(relay)


def _can_connect(relay):
    try:
        AcpWebSocket(acp_url(relay, "ws")).close()
        return True
    except (OSError, websockets.WebSocketException, RelayError):
        return False


def test_websockets_that_never_say_initialize_cost_no_agent(relay):
    silent = [AcpWebSocket(acp_url(relay, "ws"), initialize=False) for _ in range(30)]
    assert relay.agents() == set()
    for client in silent:
        client.close()
    serves(relay)


def test_initialize_again_and_again_leaves_nothing_behind(relay):
    """Connections of HTTP that nobody deletes have no agent, once its profile is known, and few bytes."""
    serves(relay)
    for _ in range(200):
        AcpHttp(acp_url(relay, "http"), streams=False)._posts.close()
    wait_until(lambda: relay.agents() == set(), lambda: f"no agent is left: {relay.agents()}")
    serves(relay)


def test_an_abandoned_http_connection_expires_and_its_session_stays(make_relay, opened):
    relay = make_relay({"server": {"acp_connection_timeout": "5s"}})
    client = AcpHttp(acp_url(relay, "http"))
    session = client.new(relay.workspace)
    id = client.connection_id
    client.abort()
    other = opened(relay, "http")
    # A question keeps it for as long again, so they are asked less often.
    wait_until(lambda: other.post(ASK, connection=id).status == 404, "the connection is forgotten", every=7)
    other.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
    assert other.prompt("still there", session)[1] == "still there"


def test_a_body_that_never_ends_holds_nobody_up(make_relay):
    relay = make_relay({"server": {"body_timeout": "5s"}})
    port = relay.config["server"]["http_port"]
    for length in (b"Content-Length: 1000000", b"Transfer-Encoding: chunked"):
        with raw.connect(port) as connection:
            connection.sendall(b"POST /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n%s\r\n\r\n"
                               % (port, length))
            connection.sendall(b"5\r\n{\"jso\r\n" if b"chunked" in length else b"{\"json")
            serves(relay)
            received = raw.read_until_closed(connection)
            assert not received or received.startswith(b"HTTP/1.1 408"), received[:200]
    serves(relay)


def test_a_body_without_an_end_in_sight_is_cut_off(make_relay):
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "4M"}})
    port = relay.config["server"]["http_port"]
    with raw.connect(port) as connection:
        connection.sendall(b"POST /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n" % port)
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(1000):
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            pass
        try:
            received = raw.read_until_closed(connection)
        except OSError:
            received = b""
    assert not received or received.startswith(b"HTTP/1.1 413"), received[:200]
    serves(relay)


def test_33_mib_are_too_much(relay):
    size = 33 << 20
    port = relay.config["server"]["http_port"]
    with raw.connect(port) as connection:
        connection.sendall(b"POST /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % (port, size))
        # From the head alone: none of the body was sent.
        head, _, body = raw.read_until_closed(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413"), head
    assert json.loads(body)["error"]["data"]["error_type"] == "message_too_large"
    client = AcpWebSocket(acp_url(relay, "ws"))
    try:
        client.send_raw('{"jsonrpc":"2.0","id":1,"method":"_demo/echo","params":{"a":"%s"}}' % ("x" * size))
    except websockets.ConnectionClosed:
        pass  # closed while it was still being sent
    assert client.wait_closed() == 1009
    serves(relay)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_slow_reader_is_dropped_and_its_session_goes_on(make_relay, transport):
    """The agent is never held back by a client that does not read."""
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "2M"}})
    client = open_client(transport, acp_url(relay, transport))
    session = client.new(relay.workspace)
    port = relay.config["server"]["http_port" if transport == "http" else "websocket_port"]
    slow = raw.connect(port)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if transport == "http":
        other = AcpHttp(acp_url(relay, "http"), streams=False)
        slow.sendall(b"GET /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n"
                     b"Acp-Connection-Id: %s\r\nAcp-Session-Id: %s\r\n\r\n"
                     % (port, other.connection_id.encode(), session.encode()))
        raw.read_head(slow)
        resume = {"sessionId": session, "cwd": str(relay.workspace), "mcpServers": []}
        assert other.post({"jsonrpc": "2.0", "id": 1, "method": "session/resume", "params": resume}).status == 202
    else:
        slow.sendall(b"GET /acp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % port)
        raw.read_head(slow)
        resume = {"sessionId": session, "cwd": str(relay.workspace), "mcpServers": []}
        slow.sendall(raw.frame(INITIALIZE.encode()) + raw.frame(json.dumps(
            {"jsonrpc": "2.0", "id": 2, "method": "session/resume", "params": resume}).encode()))
        raw.read_until(slow, b'"id":2')
    # One turn is less than may wait for a client, so the one that reads is never behind.
    for _ in range(20):
        result, text = client.prompt("/chunks 200 5000", session)
        assert result["stopReason"] == "end_turn" and len(text) == 1_000_000
    wait_until(lambda: relay.metric("acp_relay_slow_clients_total") >= 1, "the slow client goes")
    relay.wait_logged("client does not take its messages, closed")
    slow.close()
    if transport == "http":  # its connection goes on, too
        other.open(session)
        assert other.result("_demo/echo", sessionId=session)
        other.close()
    client.close()
    serves(relay)


def test_a_prompt_whose_stream_is_not_read_is_answered_on_the_connections_stream(make_relay):
    """What the agent says then is lost to the client, so it is told; the session has it all."""
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "2M"}})
    client = AcpHttp(acp_url(relay, "http"), streams=False)
    assert client.open().status == 200
    session = client.new(relay.workspace)
    answer = client.answer(client.start_prompt("/chunks 800 5000", session))
    assert answer["error"]["data"]["error_type"] == "slow_client", answer
    wait_until(lambda: relay.metric("acp_relay_turns_total", stop_reason="end_turn") == 1, "the turn ends")
    assert client.open(session).status == 200
    before = client.count()
    client.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
    assert len(text_of(client.messages[before:])) == 4_000_000
    client.close()
    serves(relay)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_descriptors_and_agents_are_given_back(relay, transport):
    serves(relay)
    before = processes.descriptors(relay.pid)
    for number in range(30):
        client = open_client(transport, acp_url(relay, transport))
        client.new(relay.workspace)
        client.start_prompt("/chunks 1000 100")
        if number % 2:
            client.abort()
        else:
            client.result("session/close", sessionId=client.session)
            client.close()
    for summary in relay.management("/api/sessions").json():
        relay.management(f"/api/sessions/{summary['id']}", "DELETE")
    wait_until(lambda: relay.agents() == set(), lambda: f"no agent is left: {relay.agents()}")
    # Connections of HTTP that were not deleted hold no descriptor.
    wait_until(lambda: processes.descriptors(relay.pid) <= before + 4,
               lambda: f"{processes.descriptors(relay.pid)} descriptors, {before} before")


def test_what_comes_before_initialize_is_answered_is_not_gathered(make_relay):
    relay = make_relay({"agent": {"args": ["--hang-on", "initialize"], "startup_timeout": "60s"}})
    port = relay.config["server"]["websocket_port"]
    connection, _ = raw.upgrade(port, path=b"/acp")
    with connection:
        connection.sendall(raw.frame(INITIALIZE.encode()))
        relay.wait_for_agents(1)
        connection.settimeout(2)
        piece, taken, was_full = raw.frame(ASK.encode()) * 10000, 0, False
        while taken < 100_000_000:
            try:
                taken += connection.send(piece[taken % len(piece):])
                was_full = False
            except TimeoutError:
                if was_full:
                    break
                assert relay.management("/api/health").status_code == 200, "it is not held up"
                was_full = True
    assert taken < 100_000_000, "the relay reads no more"
