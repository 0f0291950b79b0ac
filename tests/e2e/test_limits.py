"""Every bound at its edge: sizes, counts, slow and silent peers, a full disk, no descriptors."""
import contextlib
import json
import os
import select
import socket
import subprocess

import pytest

from harness import processes, raw, schema
from harness.acp_client import AcpHttp
from harness.acp_endpoint import acp_url
from harness.deadline import key_of, scaled, wait_until
from harness.http_client import RelayError, text_of
from harness.relay import scripted

LIMIT = 65536


def padded(method, params, size):
    """A request of exactly `size` bytes."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "pad": ""}}
    missing = size - len(json.dumps(message))
    message["params"]["pad"] = "x" * missing
    text = json.dumps(message)
    assert len(text) == size
    return text


def test_streams_that_nobody_reads_any_more_are_kept_up_to_one_clients_bound(make_relay):
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "2M"}})
    client = AcpHttp(acp_url(relay, "http"), streams=False)
    client.open()
    sessions = []
    for _ in range(4):  # each has 0.8 MB that are not read
        sessions.append(client.new(relay.workspace))
        client.start_prompt("/chunks 100 8000", sessions[-1])
        assert relay.http().prompt_text(sessions[-1], "behind it") == "behind it"
        relay.http().result("session/close", sessionId=sessions[-1])
    client.new(relay.workspace)
    streams = [client.open(session) for session in sessions]
    wait_until(lambda: sum(len(stream.events) > 100 for stream in streams) == 2, "two of them are still there")
    assert sum(len(stream.events) > 0 for stream in streams) == 2
    client.close()


@pytest.fixture
def small(make_relay):
    return make_relay({"server": {"max_message_bytes": LIMIT}})


def test_http_bodies_up_to_the_limit_pass_and_one_byte_more_does_not(small):
    client = small.http()
    assert client.post("session/list", padded("session/list", {}, LIMIT)).status_code == 200
    response = client.post("session/list", padded("session/list", {}, LIMIT + 1))
    assert response.status_code == 413
    error = response.json()["error"]
    assert schema.check_error(error)["error_type"] == "message_too_large"
    assert "max_message_bytes" in json.dumps(error)
    small.assert_serves()


def test_chunked_bodies_are_counted_too(small):
    def pieces():
        for _ in range(LIMIT // 1000 + 2):
            yield b" " * 1000
    client = small.http()
    response = client.client.post("/session/list", content=pieces(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    small.assert_serves()


def test_websocket_messages_up_to_the_limit_pass_and_one_byte_more_closes(small):
    client = small.websocket()
    client.send_raw(padded("session/list", {}, LIMIT))
    assert client.answer(1)["result"]
    client.send_raw(padded("session/list", {}, LIMIT + 1))
    assert client.wait_closed() == 1009
    small.assert_serves()


def test_the_sum_of_fragments_is_limited(small):
    connection, _ = raw.upgrade(small.config["server"]["websocket_port"])
    with connection:
        connection.sendall(raw.frame(b"x" * 40000, fin=False) + raw.frame(b"x" * 40000, opcode=0))
        assert raw.close_code(raw.read_until_closed(connection)) == 1009
    small.assert_serves()


@pytest.mark.parametrize("bytes_, code", [
    (raw.frame(b"\xff\xfe"), 1007),
    (raw.frame(b"hello", masked=False), 1002),
    (raw.frame(b"hello", opcode=3), 1002),
    (raw.frame(b"hello", reserved=4), 1002),
    (raw.frame(b"hello", opcode=0), 1002),
    (raw.frame(b"", opcode=9, fin=False), 1002),
    (raw.frame(b"x" * 126, opcode=9), 1002),
    (raw.frame(b"", length=1 << 62), 1009),
], ids=["utf-8", "mask", "opcode", "reserved", "continuation", "fragmented ping", "long ping", "huge length"])
def test_broken_websocket_frames_close_the_connection(relay, bytes_, code):
    connection, _ = raw.upgrade(relay.config["server"]["websocket_port"])
    with connection:
        connection.sendall(bytes_)
        assert raw.close_code(raw.read_until_closed(connection)) == code
    relay.assert_serves()


def test_long_heads_are_refused(relay):
    response = relay.http().client.get("/session/list", headers={"X-Long": "x" * 20000})
    assert response.status_code == 431
    relay.assert_serves()


@pytest.mark.parametrize("text", [
    b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/1.1\r\n\r\n",
    b"POST /session/list HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /session/list HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /session/list HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    b"POST /session/list HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
], ids=range(8))
@pytest.mark.parametrize("port", ["http_port", "websocket_port", "management_port"])
def test_malformed_http_is_refused(relay, text, port):
    with raw.connect(relay.config["server"][port]) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        received = raw.read_until_closed(connection)
    assert received == b"" or received.split(b"\r\n")[0].split(b" ")[1][:1] == b"4", received[:100]
    relay.assert_serves()


@pytest.mark.parametrize("beginning", [b"", b"POST /session/li", b"POST /session/list HTTP/1.1\r\nHost: local"])
def test_a_head_that_does_not_end_is_cut_off(make_relay, beginning):
    relay = make_relay({"server": {"header_timeout": "3s", "keep_alive_timeout": "3s"}})
    with raw.connect(relay.config["server"]["http_port"]) as connection:
        connection.sendall(beginning)
        raw.read_until_closed(connection)
    relay.assert_serves()


def test_a_body_that_does_not_come_is_cut_off(make_relay):
    relay = make_relay({"server": {"body_timeout": "3s"}})
    with raw.connect(relay.config["server"]["http_port"]) as connection:
        connection.sendall(b"POST /session/list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 100\r\n\r\n{")
        raw.read_until_closed(connection)
    relay.assert_serves()


def test_a_peer_that_does_not_answer_pings_is_dropped(make_relay):
    impatient = make_relay({"server": {"ping_interval": "100ms", "pong_timeout": "100ms"}})
    connection, rest = raw.upgrade(impatient.config["server"]["websocket_port"])
    with connection:
        assert b"\x89" in rest + raw.read_until_closed(connection), "it was pinged"
    relay = make_relay({"server": {"ping_interval": "100ms", "pong_timeout": key_of(15)}})
    client = relay.websocket()
    client.new(relay.workspace)
    assert client.prompt(f"/sleep {round(scaled(16))}")[1] == "Slept.", "who answers pings stays"


def test_a_peer_that_answers_pings_stays_while_its_agent_starts(make_relay, tmp_path):
    go, plain = tmp_path / "go", scripted("plain")
    late = {"command": "/bin/sh", "args": ["-c", 'until test -e "$0"; do sleep 0.01; done; exec "$@"',
                                           str(go), plain["command"], *plain["args"]]}
    relay = make_relay({"agent": late, "server": {"ping_interval": "100ms", "pong_timeout": key_of(15)}})
    connection, received = raw.upgrade(relay.config["server"]["websocket_port"], path=b"/acp")

    def receive():
        piece = connection.recv(65536)
        assert piece, f"closed after {received!r}"
        return piece

    with connection:
        connection.sendall(raw.frame(b'{"jsonrpc":"2.0","id":"first","method":"initialize",'
                                     b'"params":{"protocolVersion":1}}'))
        for pings in range(1, 16):
            while received.count(b"\x89\0") < pings:
                received += receive()
            connection.sendall(raw.frame(b"", opcode=10))
        go.touch()
        while b'"result"' not in received:
            received += receive()


def test_the_session_limit_is_named_with_a_time_to_come_back(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 2}})
    client = relay.http()
    ids = [client.new(relay.workspace) for _ in range(2)]
    with pytest.raises(RelayError) as caught:
        client.new(relay.workspace)
    assert caught.value.type == "session_limit_reached"
    assert caught.value.status == 503
    assert int(caught.value.headers["retry-after"]) > 0
    assert caught.value.data["relevant_state"]["limit"] == 2
    assert "agent.max_concurrent_sessions" in json.dumps(caught.value.data)
    assert relay.websocket().error("session/new", workingDirectory=str(relay.workspace)).type == (
        "session_limit_reached")
    client.result("session/close", sessionId=ids[0])
    assert client.new(relay.workspace)


def test_sessions_that_start_count_too(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 3}})
    client = relay.websocket()
    ids = [client.start("session/new", {"workingDirectory": str(relay.workspace)}) for _ in range(10)]
    answers = [client.answer(id) for id in ids]
    assert sum("result" in answer for answer in answers) == 3
    relay.wait_for_agents(3)


def test_200_clients_that_connect_and_vanish(relay):
    relay.assert_serves()
    before = processes.descriptors(relay.pid)
    port = relay.config["server"]["websocket_port"]
    for position in range(200):
        if position % 4 == 0:
            raw.connect(relay.config["server"]["http_port"]).close()
            continue
        connection, _ = raw.upgrade(port)
        if position % 4 == 1:
            connection.sendall(raw.frame(b'{"jsonrpc":"2.0","id":1,"method":"session/list"}'))
        elif position % 4 == 2:
            connection.sendall(raw.frame(b"x" * 100)[:50])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    relay.assert_serves()
    wait_until(lambda: processes.descriptors(relay.pid) <= before + 2,
               lambda: f"descriptors are closed: {processes.descriptors(relay.pid)} of {before}")


def test_clients_that_vanish_while_their_session_starts(make_relay):
    relay = make_relay({"sessions": {"idle_timeout": "200ms"}, "agent": {"max_concurrent_sessions": 1000}})
    port = relay.config["server"]["websocket_port"]
    new = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/new",
                      "params": {"cwd": str(relay.workspace)}}).encode()
    for _ in range(50):
        connection, _ = raw.upgrade(port)
        connection.sendall(raw.frame(new))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    relay.assert_serves_a_watcher()
    relay.wait_for_agents(0)
    wait_until(lambda: relay.open_rows() == [], "no row claims to be open")


def test_a_client_that_never_reads_is_closed_and_nobody_else_notices(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 1 << 20, "max_outbox_bytes": 8 << 20}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    lazy, _ = raw.upgrade(relay.config["server"]["websocket_port"])
    with lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(raw.frame(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/resume",
                                           "params": {"sessionId": id}}).encode()))
        client.prompt("hello")
        raw.read_until(lazy, b"hello")  # it follows the session live, and then stops reading
        for _ in range(10):
            result, text = client.prompt("/chunks 300 10000")
            assert (result["stopReason"], len(text)) == ("end_turn", 3_000_000)
        wait_until(lambda: relay.metric("acp_relay_slow_clients_total") == 1, "it is counted")
        wait_until(lambda: relay.metric("acp_relay_clients") == 1, "its connection is gone although it reads nothing")
    relay.assert_serves()


def test_descriptor_exhaustion_pauses_accepting_and_passes(make_relay):
    relay = make_relay(start=False)
    relay.start(prefix=("prlimit", "--nofile=256:256"))
    held = []
    try:
        for _ in range(300):
            held.append(raw.connect(relay.config["server"]["http_port"]))
        before = cpu_seconds(relay.pid)
        with spinning() as other:
            wait_until(lambda: cpu_seconds(other) > 0.5, "who spins has had half a second")
            assert cpu_seconds(relay.pid) - before < 0.2, "it does not spin"
    finally:
        for connection in held:
            connection.close()
    relay.assert_serves()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def spinning():
    """A process that takes as much of a busy machine as another one that spins."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.fail("the test of a full disk mounts a small one, which only root may do: run it as root, or leave "
                    f"it out with pytest --deselect. mount said: {os.fsdecode(mounted.stderr).strip()}")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=False)


def test_a_full_disk_does_not_stop_delivery(make_relay, small_disk):
    relay = make_relay({"database": {"path": str(small_disk / "relay.db"), "max_pending_bytes": "1M"},
                        "readiness": {"min_free_bytes": 0}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    result, text = client.prompt("/chunks 1000 10000")
    assert (result["stopReason"], len(text)) == ("end_turn", 10_000_000)
    def ready():
        return relay.management("/api/ready")
    wait_until(lambda: ready().json()["reasons"] == ["log_unwritable"],
               lambda: f"it is red: {ready().text}")
    assert ready().status_code == 503 and "database" in ready().text
    assert client.prompt("still talking")[1] == "still talking"
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    wait_until(lambda: ready().status_code == 200, "it is green again")
    client.prompt("written again")
    http = relay.http()
    wait_until(lambda: "written again" in relay_tail(http, id), "the log goes on")
    assert relay.query("SELECT count(*) FROM gaps")[0][0] > 0, "the range that was given up is marked"
    relay.stop()


def relay_tail(http, id):
    """The end of a session's history as text."""
    after, text = 0, ""
    while True:
        page = http.result("session/history", sessionId=id, after=after, limit=1000)["messages"]
        if not page:
            return text
        text = json.dumps(page)
        after = page[-1]["sequence"]


def test_a_flood_of_small_updates_arrives_complete(make_relay):
    # Every message is checked against the schema: about a millisecond each for this client. A ping comes behind them.
    relay = make_relay({"server": {"ping_interval": "0"}})
    client = relay.websocket()
    client.new(relay.workspace)
    result, text = client.prompt("/flood 20000", seconds=1200)
    assert result["stopReason"] == "end_turn"
    assert len(text) == 20000 * 16
    assert text_of(client.all("session/update")) == text


def test_sessions_leave_no_descriptor_behind(relay):
    client = relay.http()
    client.result("session/close", sessionId=client.new(relay.workspace))
    relay.wait_for_agents(0)
    before = processes.descriptors(relay.pid)
    for _ in range(20):
        client.result("session/close", sessionId=client.new(relay.workspace))
    relay.wait_for_agents(0)
    wait_until(lambda: processes.descriptors(relay.pid) <= before, "descriptors are closed")


def begin_body(relay, port, path, length):
    """(connection, status of the answer to its head, what has come behind that)"""
    connection = raw.connect(relay.config["server"][port])
    connection.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (path, length))
    head, _, rest = raw.read_head(connection).partition(b"\r\n\r\n")
    return connection, int(head.split(b" ")[1]), rest


@pytest.mark.parametrize("port, path", [("management_port", b"/api/sessions/close"), ("websocket_port", b"/acp"),
                                        ("management_port", b"/api/sessions/import")])
def test_a_body_that_nobody_needs_is_small(relay, port, path):
    needed = path != b"/api/sessions/close"
    for length, status in ((4096, 100), (4097, 100 if needed else 413)):
        connection, answer, _ = begin_body(relay, port, path, length)
        connection.close()
        assert answer == status, (port, path, length)


def test_bodies_on_the_way_share_a_budget(make_relay):
    relay = make_relay({"server": {"max_message_bytes": LIMIT, "max_bodies_bytes": LIMIT}})
    held, status, _ = begin_body(relay, "http_port", b"/session/list", LIMIT)
    with held:
        assert status == 100
        held.sendall(b" " * (LIMIT - 1000))

        def asked(size):
            return relay.http().post("session/list", padded("session/list", {}, size))
        wait_until(lambda: asked(1001).status_code == 503, "the body has been read")
        refused = asked(1001)
        assert "max_bodies_bytes" in json.dumps(refused.json()) and refused.headers["retry-after"]
        assert asked(1000).status_code == 200
    wait_until(lambda: asked(LIMIT).status_code == 200, "the budget is free again")


@pytest.mark.parametrize("limits", [{"request_timeout": "500ms"}, {"body_timeout": "500ms", "min_body_rate": "1M"}])
def test_a_body_that_drips_is_cut_off(make_relay, limits):
    relay = make_relay({"server": limits})
    connection, status, answer = begin_body(relay, "http_port", b"/session/list", 1000000)
    with connection:
        assert status == 100

        def answered():
            if answer or select.select([connection], [], [], 0)[0]:
                return True
            connection.sendall(b" ")
        wait_until(answered, "it is cut off", every=0.02)
        assert (answer + raw.read_until_closed(connection)).startswith(b"HTTP/1.1 408 ")
