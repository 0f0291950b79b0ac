"""`acp-relay doctor`: what a client of ACP's transport runs into, and whose it is to mend."""
import http.server
import threading

import pytest

from harness.deadline import scaled
from harness.relay import run_cli, scripted


def doctor(url, *arguments):
    code, out, err = run_cli("doctor", url, *arguments)
    return code, out + err


def marks(text):
    """The steps and their marks."""
    return {line.split()[1]: line[0] for line in text.splitlines() if line[:1] in "✓✗-" and line[1:2] == " "}


GOOD = {"name": "✓", "connection": "✓", "HTTP": "✓", "stream": "✓", "WebSocket": "✓"}


def test_a_relay_is_well_on_both_ports(relay):
    for url in (relay.http_url, relay.http_url.replace("http", "ws") + "/acp", relay.ws_url):
        code, out = doctor(url)
        assert (code, marks(out)) == (0, GOOD), out
        assert "agent acp-demo-agent" in out
    assert relay.http().result("session/list")["sessions"] == []


def test_what_is_not_there(relay):
    code, out = doctor("http://127.0.0.1:9")
    assert (code, marks(out)) == (3, {"name": "✓", "connection": "✗"})
    assert "whose to mend: the server's" in out and "start it there" in out
    code, out = doctor("http://no-such-name.invalid")
    assert (code, marks(out)) == (3, {"name": "✗"}) and "whose to mend: yours" in out
    code, out = doctor(relay.http_url + "/nothing")
    assert code == 1 and "check the path" in out
    code, out = doctor(relay.http_url, "--agent", "nobody")
    assert code == 1 and "404" in out
    code, out = doctor(relay.http_url.replace("http://", "https://"))
    assert code == 1 and "try http or ws" in out


def test_who_is_not_let_in(make_relay, tmp_path):
    relay = make_relay({"auth": {"mode": "token", "tokens": [{"name": "ada", "token": "token-of-ada"}]}})
    code, out = doctor(relay.http_url)
    assert code == 4 and "401" in out and "--token-file" in out
    token = tmp_path / "token"
    token.write_text("token-of-ada\n")
    code, out = doctor(relay.http_url, "--token-file", str(token))
    assert (code, marks(out)) == (0, GOOD), out
    assert "token-of-ada" not in out
    code, out = doctor(relay.http_url, "--token-file", str(token), "--origin", "https://app.example")
    assert code == 1 and marks(out)["origin"] == "✗" and "server.allowed_origins" in out
    relay.stop()
    relay = make_relay({"server": {"allowed_origins": ["https://app.example"]}})
    code, out = doctor(relay.http_url, "--origin", "https://app.example")
    assert (code, marks(out)) == (0, {**GOOD, "origin": "✓"}), out


def test_an_agent_that_does_not_start_is_named(make_relay):
    relay = make_relay({"agent": scripted("exit_in_initialize")})
    code, out = doctor(relay.http_url)
    assert code == 1 and marks(out)["HTTP"] == "✗"
    assert "cannot read /etc/agent.key" in out and "whose to mend: the agent's" in out


def test_certificates(make_relay, certificate):
    relay = make_relay({"server": {"tls": certificate}})
    url = relay.http_url
    code, out = doctor(url)
    assert code == 1 and marks(out)["TLS"] == "✗" and "--ca-file" in out
    code, out = doctor(url, "--ca-file", certificate["cert"])
    assert (code, marks(out)) == (0, {**GOOD, "TLS": "✓"}), out
    code, out = doctor(url.replace("https://", "http://"))
    assert code == 1 and "try https or wss" in out


class Web(http.server.BaseHTTPRequestHandler):
    """A server of web pages, which knows nothing of ACP."""

    def do_GET(self):
        self.send_response(self.server.status)
        if self.server.status == 301:
            self.send_header("Location", "https://elsewhere.example/acp")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_):
        pass


class HoldsBack(Web):
    """As a proxy that gathers an answer before it hands it on."""

    def do_GET(self):
        if self.headers.get("Acp-Connection-Id"):
            self.server.released.wait()
        else:
            super().do_GET()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = (b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentCapabilities":{},'
                b'"agentInfo":{"name":"a","version":"1"}}}')
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Acp-Connection-Id", "c1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_stream_that_is_held_back_is_not_waited_for_without_end():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HoldsBack)
    server.status, server.released = 405, threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, out = doctor(f"http://127.0.0.1:{server.server_port}", "--timeout", str(round(scaled(5))))
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
    assert code == 1 and marks(out)["HTTP"] == "✓", out
    assert marks(out)["stream"] == "✗" and "WebSocket" in marks(out), out


@pytest.mark.parametrize("status, words", [(200, "no JSON-RPC response"), (301, "https://elsewhere.example/acp"),
                                           (502, "502 Bad Gateway"), (405, "not served")])
def test_a_server_that_is_none(status, words):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, out = doctor(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    assert code == 1 and words in out, out
