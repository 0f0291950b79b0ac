"""The socket proxy of docker-compose.yaml: Debian's HAProxy between a relay and a real Engine."""
import contextlib
import os
import socket
import subprocess

import pytest

from harness import relay_container
from harness.deadline import PATIENCE, wait_until
from harness.relay import ROOT


@pytest.fixture(scope="module")
def proxied(engine, tmp_path_factory, relay_image, demo_image):
    made = relay_container.RelayInContainer(engine, tmp_path_factory.mktemp("proxied"), relay_image, demo_image,
                                            relay_container.import_socket_proxy(engine))
    try:
        yield made.up("socket-proxy", "relay")
    finally:
        made.down()


def refused_calls(proxied):
    return [line for line in proxied.engine.logs(proxied.project.container("socket-proxy")).splitlines()
            if " refused " in line]


def test_a_relay_behind_it_lives_whole_lives_of_sessions(proxied, caller):
    relay = proxied.project.inspect("relay")
    assert all(mount["Source"] != proxied.engine.socket for mount in relay["Mounts"]), "it has the proxy's socket alone"
    client = proxied.http()
    session = client.new("/workspace")
    client.prompt(session, "/write hello.txt by way of a proxy")
    written = proxied.workspaces / session / "workspace" / "hello.txt"
    assert written.read_text("utf-8").startswith("by way of a proxy")
    # The next relay reads the log of the agent's container and attaches to it anew.
    client.close()
    proxied.engine.kill(relay["Id"])
    proxied.engine.remove(relay["Id"])
    proxied.up("relay")
    client = proxied.http()
    assert client.prompt_text(session, "still there") == "still there"
    client.result("session/close", sessionId=session)
    wait_until(lambda: proxied.agent(session) is None and not written.parent.parent.exists(), "nothing is left of it")
    client.close()
    assert caller.status("GET", "/v1.41/secrets") == 403
    wait_until(lambda: refused_calls(proxied), "the log has come so far")
    assert ["/v1.41/secrets" in line for line in refused_calls(proxied)] == [True], refused_calls(proxied)


def test_a_proxy_that_starts_anew_costs_no_session(proxied):
    client = proxied.http()
    session = client.new("/workspace")
    proxied.engine.request("POST", f"/containers/{proxied.project.container('socket-proxy')}/restart", t="5")
    proxied.wait_until_ready()
    assert client.prompt_text(session, "still there") == "still there"
    client.result("session/close", sessionId=session)
    client.close()


class Caller:
    """Somebody who has the proxy's socket."""

    def __init__(self, proxied):
        self.path = os.path.join(proxied.project.volume_directory("engine"), "docker.sock")

    def status(self, method, target, *headers, body=""):
        lines = [f"{method} {target} HTTP/1.1", "Host: engine", "Connection: close", *headers,
                 f"Content-Length: {len(body)}", "", body]
        return int(self.answer("\r\n".join(lines).encode()).split(b" ", 2)[1])

    def answer(self, data):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.path)
            connection.sendall(data)
            answer = b""
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
        return answer


@pytest.fixture(scope="module")
def caller(proxied):
    return Caller(proxied)


@pytest.mark.parametrize("call, status", [
    ("GET /version", 200), ("GET /v1.41/version", 200), ("GET /v1.41/info", 200), ("GET /v1.43/info", 400),
    ("GET /v1.41/containers/json?all=1", 200), ("GET /v1.41/events?until=1", 200),
    ("GET /v1.41/containers/none/json", 404), ("GET /v1.41/containers/none/logs?stdout=1", 404),
    ("GET /v1.41/containers/none/stats?stream=false", 404), ("GET /v1.41/containers/none/archive?path=/", 404),
    ("PUT /v1.41/containers/none/archive?path=/", 404), ("POST /v1.41/containers/none/start", 404),
    ("POST /v1.41/containers/none/kill?signal=TERM", 404), ("POST /v1.41/containers/none/wait", 404),
    ("POST /v1.41/containers/none/attach?stream=1", 404), ("DELETE /v1.41/containers/none?force=1", 404),
    ("DELETE /containers/none?force=1&v=1", 404), ("GET /v1.41/images/none/json", 404),
    ("GET /v1.41/images/registry.example:5000/a/b@sha256:0/json", 404),
    ("POST /v1.41/containers/create?name=acp-agent-x", 400)])
def test_what_the_relay_calls_reaches_the_engine(caller, call, status):
    method, target = call.split()
    found = caller.status(method, target)
    assert found == status or (status >= 400 and 400 <= found <= 500 and found != 403), "Engines word refusals differently"


@pytest.mark.parametrize("call", [
    # Other calls.
    "POST /v1.41/build", "POST /build", "GET /secrets", "GET /v1.41/secrets", "GET /v1.41/configs", "GET /v1.41/swarm",
    "POST /v1.41/swarm/init", "GET /v1.41/nodes", "GET /v1.41/services", "GET /v1.41/plugins", "GET /v1.41/networks",
    "POST /v1.41/networks/create", "GET /v1.41/volumes", "POST /v1.41/volumes/create", "DELETE /v1.41/volumes/x",
    "GET /v1.41/images/json", "GET /v1.41/images/x/get", "GET /v1.41/images/get", "POST /v1.41/images/load",
    "DELETE /v1.41/images/x", "POST /v1.41/images/x/push", "POST /v1.41/images/prune", "POST /v1.41/commit",
    "POST /v1.41/auth", "POST /v1.41/session", "POST /v1.41/grpc", "GET /v1.41/system/df", "GET /_ping",
    "GET /debug/pprof/", "GET /", "POST /v1.41/containers/prune", "POST /v1.41/containers/x/exec",
    "POST /v1.41/exec/x/start", "GET /v1.41/exec/x/json", "POST /v1.41/containers/x/stop",
    "POST /v1.41/containers/x/update", "POST /v1.41/containers/x/rename?name=y", "POST /v1.41/containers/x/restart",
    "POST /v1.41/containers/x/pause", "GET /v1.41/containers/x/export", "GET /v1.41/containers/x/top",
    "GET /v1.41/containers/x/changes", "GET /v1.41/containers/x/attach/ws", "POST /v1.41/containers/x/resize",
    # Other methods.
    "DELETE /v1.41/containers/x/json", "PUT /v1.41/containers/create", "HEAD /v1.41/info", "POST /v1.41/info",
    "OPTIONS /v1.41/info", "PATCH /v1.41/containers/x/archive", "GET /v1.41/containers/create", "GET /v1.41/containers/x",
    "GET /v1.41/containers/x/attach", "POST /v1.41/containers/x/archive", "DELETE /v1.41/containers/x/archive",
    "post /v1.41/containers/x/start", "FOO /version",
    # Other queries: a container of any name, an image out of a file.
    "POST /v1.41/containers/create", "POST /v1.41/containers/create?name=x", "POST /v1.41/containers/create?name=",
    "POST /v1.41/containers/create?name=acp-agent-x&name=y", "POST /v1.41/containers/create?platform=x&name=acp-agent-x",
    "POST /v1.41/images/create?fromSrc=-&repo=x", "POST /v1.41/images/create?fromImage=x&tag=y&fromSrc=-",
    "POST /v1.41/images/create?fromImage=x&tag=y;fromSrc=-", "POST /v1.41/images/create",
    # Other spellings.
    "POST /containers/create?name=acp-agent-x", "POST /v1.41//containers/create?name=acp-agent-x",
    "POST //v1.41/containers/create?name=acp-agent-x", "POST /x/v1.41/containers/create?name=acp-agent-x",
    "POST /v1.41/x/../containers/create?name=acp-agent-x", "POST /v1.41/containers/create/?name=acp-agent-x",
    "POST /v1.41/containers/%63reate?name=acp-agent-x", "POST /V1.41/containers/create?name=acp-agent-x",
    "POST /v1.41/Containers/create?name=acp-agent-x", "POST /v1.41%2fcontainers/create?name=acp-agent-x",
    "GET /v1.41/containers/../secrets", "GET /v1.41/containers/../secrets/json", "GET /v1.41/containers/..%2fsecrets/json",
    "GET /v1.41/containers/x%2f..%2f..%2fsecrets/json", "GET /v1.41/images/../secrets/json",
    "GET /v1.41/images/x/../../secrets/json", "GET /v1.41/images//json", "GET /v1.41/images/x//json",
    "GET /v1.41/images/%2e%2e/containers/x/json", "GET /v1.41/containers/x/../x/json", "GET /v1.41/containers/./json",
    "POST /v1.41/containers/x/kill/../exec", "POST /v1.41/containers/x/start/", "POST /v1.41/containers/x/start%00",
    "DELETE /v1.41/containers/..", "DELETE /v1.41/containers/x/../../images/y", "GET /v1.41/info/../secrets",
    "GET /v1.x/info", "GET /v2/info", "GET /info", "GET http://engine/v1.41/secrets", "GET http://engine/v1.41/info",
    "GET //engine/v1.41/info", "CONNECT engine:80", "GET *", "OPTIONS *"])
def test_every_other_call_is_refused(caller, proxied, call):
    method, target = call.split()
    known = len(refused_calls(proxied))
    assert caller.status(method, target) == 403
    wait_until(lambda: len(refused_calls(proxied)) > known, "it is in the proxy's log")


@pytest.mark.parametrize("target, headers", [
    ("GET /version", ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]),
    ("GET /version", ["Upgrade: tcp", "Connection: Upgrade"]), ("GET /v1.41/info", ["Upgrade: websocket"]),
    ("POST /v1.41/containers/x/wait", ["Upgrade: tcp"])])
def test_an_upgrade_is_refused_where_the_relay_has_none(caller, target, headers):
    assert caller.status(*target.split(), *headers) == 403


@pytest.fixture
def heads_at_the_engine(tmp_path):
    """heads_at_the_engine(request): the proxy's configuration in front of a listener; what reaches that."""
    outside, inside = tmp_path / "proxy.sock", tmp_path / "engine.sock"
    config = tmp_path / "haproxy.cfg"
    text = (ROOT / "deploy/socket-proxy/haproxy.cfg").read_text("utf-8")
    config.write_text(text.replace("/run/engine/docker.sock", str(outside)).replace("/var/run/docker.sock", str(inside)))
    with socket.socket(socket.AF_UNIX) as engine, socket.socket(socket.AF_UNIX) as client:
        engine.bind(str(inside))
        engine.listen()
        engine.settimeout(PATIENCE)
        proxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", config])

        def connected():
            # Its file is there before it listens.
            return client.connect_ex(str(outside)) == 0

        def ask(request):
            wait_until(connected, "the proxy listens")
            client.sendall(request)
            reached, _ = engine.accept()
            with reached:
                reached.settimeout(PATIENCE)
                head = b""
                while b"\r\n\r\n" not in head and (part := reached.recv(65536)):
                    head += part
            return head.decode().lower()
        yield ask
        proxy.kill()
        proxy.wait()


def test_an_upgrade_of_attach_is_to_nothing_but_a_stream(heads_at_the_engine):
    head = heads_at_the_engine(b"POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\nHost: engine\r\n"
                               b"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: tcp, spdy\r\n\r\n")
    assert head.startswith("post /v1.41/containers/x/attach?stream=1 http/1.1\r\n")
    assert [line for line in head.splitlines() if line.startswith("upgrade:")] == ["upgrade: tcp"]


def test_another_request_in_the_body_of_an_allowed_one_is_a_body(caller):
    hidden = "GET /v1.41/secrets HTTP/1.1\r\nHost: engine\r\n\r\n"
    head = "POST /v1.41/containers/none/kill?signal=TERM HTTP/1.1\r\nHost: engine\r\n"
    length = caller.answer(f"{head}Content-Length: {len(hidden)}\r\nConnection: close\r\n\r\n{hidden}".encode())
    assert length.startswith(b"HTTP/1.1 404 ")
    both = caller.answer(f"{head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n{hidden}".encode())
    assert both.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")) and b"secrets" not in both


def test_http_2_is_not_spoken(caller):
    answer = caller.answer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert answer.startswith(b"HTTP/1.1 400 ")
