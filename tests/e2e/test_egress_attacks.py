"""What a hostile agent tries on its way out, and that it is the only one who suffers by it."""
import concurrent.futures

import pytest

from harness import processes
from harness.containers import shell
from harness.deadline import wait_until
from harness.ports import free_port
from harness.upstream import raw

HEAD = "Host: x\r\nConnection: close\r\n"
SMUGGLED = "GET /own/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SERVED = "wget -q -O - --post-data hello http://127.0.0.1:9180/own/v1/messages"


def get(target, head=HEAD):
    return f"GET {target} HTTP/1.1\r\n{head}\r\n"


def post(head, body):
    return f"POST /own/v1/messages HTTP/1.1\r\n{HEAD}{head}\r\n{body}"


def connect(target):
    return f"CONNECT {target} HTTP/1.1\r\n{HEAD}\r\n"


# Request, status, code of the answer.
ATTACKS = [
    # Two ends of one body.
    (post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + SMUGGLED), 400, "bad_request"),
    (post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n" + SMUGGLED), 400, "bad_request"),
    (post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello" + SMUGGLED), 400, "bad_request"),
    (post("Content-Length: 5, 0\r\n", "hello" + SMUGGLED), 400, "bad_request"),
    (post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + SMUGGLED), 400, "bad_request"),
    (post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + SMUGGLED), 400, "bad_request"),
    (post("Transfer-Encoding: chunked\r\n", "-1\r\n" + SMUGGLED), 400, "bad_request"),
    # Other hosts.
    (get("http://other.example/own/v1/messages"), 400, "bad_request"),
    (get("http://127.0.0.1:{management}/api/health"), 400, "bad_request"),
    (get("//other.example/own/v1/messages"), 403, "unknown_upstream"),
    (get("/own/v1/messages", HEAD + "Host: other.example\r\n"), 400, "bad_request"),
    (get("/{management}/api/health"), 403, "unknown_upstream"),
    # Other paths.
    (get("/own/v1/files"), 403, "not_allowed"),
    (get("/own/v1/messages/../files"), 400, "bad_request"),
    (get("/own/v1/messages/%2e%2e/files"), 400, "bad_request"),
    (get("/own/v1/messages%2f..%2ffiles"), 400, "bad_request"),
    (get("/own/v1/messages/..%2Ffiles"), 400, "bad_request"),
    (get("/own/v1/messages/%252e%252e/files"), 400, "bad_request"),
    (get("/own/v1/messages/..;x/files"), 400, "bad_request"),
    (get("/own/v1/messages/..\\files"), 400, "bad_request"),
    (get("/own/v1%2fmessages"), 400, "bad_request"),
    # What is no HTTP.
    (f"GET /own/v1/messages HTTP/1.1\n{HEAD}\n".replace("\r", ""), 400, "bad_request"),
    (get("/own/v1/messages", HEAD + "X-A: a\rX-B: b\r\n"), 400, "bad_request"),
    (get("/own/v1/messages", HEAD + "X-A: a\0b\r\n"), 400, "bad_request"),
    ("\x16\x03\x01\x02\x00\x01 hello\r\n\r\n", 400, "bad_request"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    # Tunnels; a rule leads to the management port.
    (connect("localhost:{management}"), 403, "not_allowed"),
    (connect("127.0.0.1:{management}"), 403, "not_allowed"),
    (connect("[::1]:{management}"), 403, "not_allowed"),
    (connect("2130706433:{management}"), 403, "not_allowed"),
    (connect("0x7f.1:{management}"), 403, "not_allowed"),
    (connect("127.0.0.1:{upstream}"), 403, "not_allowed"),
    (connect("127.0.0.1"), 400, "bad_request"),
    (f"TRACE /own/v1/messages HTTP/1.1\r\n{HEAD}\r\n", 405, "not_allowed"),
]

# Begin of a head, and what prints the rest of it.
ENDLESS = [
    ("GET /own/v1/messages HTTP/1.1\r\n", "yes \"$(printf 'X-A: a\\r')\""),
    ("GET /own/v1/messages HTTP/1.1\r\nX-A: ", "head -c 70000 /dev/zero | tr '\\0' a"),
    ("GET /own/v1/messages?", "head -c 70000 /dev/zero | tr '\\0' a"),
]


def test_requests_that_are_none_of_those_that_are_allowed(make_egress_relay, upstream, carrier):
    ports = {"management": free_port(), "upstream": upstream.server_port}
    relay = make_egress_relay(carrier=carrier, allow=[{"methods": ["GET", "POST"], "path": "/v1/messages/**"}], config={
        "agent": {"upstreams": ["own"], "connect": [f"localhost:{ports['management']}"]},
        "server": {"management_port": ports["management"]}})
    client = relay.websocket()
    client.new("/workspace")
    attacks = [(raw(request.replace("{management}", str(ports["management"]))
                    .replace("{upstream}", str(ports["upstream"]))), request, status, code)
               for request, status, code in ATTACKS]
    attacks += [(raw(request, more), request, 431, "bad_request") for request, more in ENDLESS]
    for script, request, status, code in attacks:
        out = shell(client, script)[1]
        assert out.startswith(f"HTTP/1.1 {status} ") and f'"code":"{code}"' in out, (request, out)
        assert out.count("HTTP/1.1 ") == 1, (request, out)
        assert upstream.seen == [], request
        code, out = shell(client, SERVED)
        assert code == 0 and upstream.seen.pop()[:2] == ("POST", "/v1/messages"), (request, out)
        assert upstream.seen == [], request
    assert relay.running()
    wait_until(lambda: relay.metric("acp_relay_upstream_connections") == 0, "no connection is left")


def test_the_upstream_hears_its_own_host_whatever_the_agent_says(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    client = relay.websocket()
    client.new("/workspace")
    head = "Host: other.example\r\nX-Forwarded-Host: other.example\r\nX-Host: other.example\r\nConnection: close\r\n"
    assert shell(client, raw(get("/own/v1", head)))[1].startswith("HTTP/1.1 200 ")
    headers = upstream.seen.pop()[2]
    assert headers["Host"] == f"localhost:{upstream.server_port}" and "other.example" not in str(headers)


def test_an_agent_that_ends_its_side_has_left(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    client = relay.websocket()
    client.new("/workspace")
    for end in ("\\r\\n", ""):  # a whole request, and a head that breaks off
        ask = f"printf 'GET /own/held HTTP/1.1\\r\\nHost: x\\r\\n{end}' | nc 127.0.0.1 9180"
        assert shell(client, ask)[1] == "", "nobody waits for an answer"
    left = {"upstream": "own", "outcome": "agent_left"}
    wait_until(lambda: relay.metric("acp_relay_upstream_requests_total", **left) == 1, "it has left")
    upstream.gate.set()
    assert shell(client, SERVED)[0] == 0 and relay.running()
    assert client.all("_acp-relay/agent_notice") == []


@pytest.mark.parametrize("user", ["", "0"], ids=["as agent", "as root"])
def test_the_socket_of_another_session_is_nowhere(make_egress_relay, user):
    relay = make_egress_relay({"user": user}, carrier="unix")
    clients = [relay.websocket(), relay.websocket()]
    one, other = [client.new("/workspace") for client in clients]
    sockets = {path.parts[len(relay.base.parts)]: path for path in relay.base.rglob("*.sock")}
    assert sorted(sockets) == sorted([one, other]) and len(list(relay.base.rglob("*.sock"))) == 2
    for client, foreign in ((clients[0], other), (clients[1], one)):
        assert shell(client, "[ -S /acp-relay/broker.sock ]")[0] == 0
        assert set(shell(client, "ls -A /acp-relay 2>/dev/null")[1].split()) <= {"acp-agent-init", "broker.sock"}
        found = shell(client, "find / -path /proc -prune -o -type s -print -o -name '*.sock' -print 2>/dev/null")[1]
        assert set(found.split()) <= {"/acp-relay/broker.sock"}, found
        known = shell(client, "cat /proc/net/unix; cd /proc; cat [0-9]*/mountinfo [0-9]*/environ [0-9]*/cmdline")[1]
        assert " /acp-relay " in known and foreign not in known, known
        way = sockets[foreign]
        for path in (way, f"/acp-relay/../{foreign}", f"/proc/1/root{way}", f"/proc/1/cwd/{way}"):
            assert shell(client, f"ls {path} 2>&1")[0] != 0, path
        for change in ("rm broker.sock", "mv broker.sock /tmp", "ln -s x y", "> x"):
            assert shell(client, f"cd /acp-relay && {change}")[0] != 0, change
        assert shell(client, SERVED)[0] == 0


def test_what_one_session_does_counts_for_itself_alone(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier, budget={"requests": 2})
    clients = [relay.websocket(), relay.websocket()]
    one, other = [client.new("/workspace") for client in clients]
    assert relay.management(f"/api/sessions/{one}").json()["upstreamUse"] is None
    post = "wget -q -O - --post-data %s http://127.0.0.1:9180/own/v1 2>&1"
    assert [shell(clients[0], post % "hello")[0] for _ in range(2)] == [0, 0]
    assert "429" in shell(clients[0], post % "more")[1]
    assert shell(clients[1], post % "a")[0] == 0

    def used(session):
        used = relay.management(f"/api/sessions/{session}").json()["upstreamUse"]["own"]
        return used["requests"], used["sentBytes"], used["tokens"], used["failed"]
    assert (used(one), used(other)) == ((2, 10, 6, 1), (1, 1, 3, 0))


# Opens 400 connections that nobody reads, says so, and ends them when there is /workspace/end.
FLOOD = r"""
pids=
for i in $(seq 400); do nc 127.0.0.1 9180 -e sleep 3600 & pids="$pids $!"; done
until [ $(grep -c ' 0100007F:23DC 0[18] ' /proc/net/tcp) -ge 400 ]; do usleep 10000; done
wget -q -O - http://127.0.0.1:9180/own/v1 2>&1
: > /workspace/open
until [ -e /workspace/end ]; do usleep 10000; done
kill $pids
wait
"""


def test_thousands_of_connections(make_egress_relay, upstream, carrier):
    """4000 in all, 400 at a time, of which the relay holds 64."""
    relay = make_egress_relay({"cpu_limit": 0, "pids_limit": 1000}, carrier=carrier, egress={"max_connections": 64})
    flooding, neighbour = relay.websocket(), relay.websocket()
    session = flooding.new("/workspace")
    neighbour.new("/workspace")
    for client in (flooding, neighbour):
        assert shell(client, SERVED)[0] == 0
    descriptors = processes.descriptors(relay.pid)
    opened, end = [relay.host_workspace(session) / name for name in ("open", "end")]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        flood = pool.submit(shell, flooding, FLOOD)
        try:
            wait_until(lambda: opened.exists() or flood.done(), "all are open")
            assert not flood.done(), flood.result()
            assert processes.descriptors(relay.pid) <= descriptors + 2 * (64 + 16)
            assert shell(neighbour, SERVED)[0] == 0
            wait_until(lambda: relay.management("/api/ready").json()["reasons"] == [], "it is ready")
        finally:
            end.touch()
        assert "503" in flood.result()[1]
    for _ in range(9):
        shell(flooding, FLOOD)
        assert shell(neighbour, SERVED)[0] == 0
    wait_until(lambda: shell(flooding, SERVED)[0] == 0, "it is served again")
    wait_until(lambda: relay.metric("acp_relay_upstream_connections") == 0, "no connection is left")
    wait_until(lambda: processes.descriptors(relay.pid) <= descriptors + 4,
               lambda: f"{processes.descriptors(relay.pid)} descriptors, {descriptors} before")
