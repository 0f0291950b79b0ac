"""An upstream of agents, and how those ask for what it has."""
import base64
import http.server
import json
import ssl
import threading

KEY = "sk-upstream-7f3c9a51"
GET = "wget -q -O - http://127.0.0.1:9180"


class Upstream(http.server.ThreadingHTTPServer):
    """Answers over TLS with what it was asked; /echo, /secret, /dies, /held and /streams with something else."""

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate["cert"], certificate["key"])
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.seen = []
        self.gate = threading.Event()  # what /held and /streams wait for
        self.url = f"https://localhost:{self.server_port}"

    def handle_error(self, *_):
        """Whoever asked has left."""


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.read_body().decode()
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path in ("/dies", "/streams"):
            return self.stream()
        if self.path == "/held":
            self.server.gate.wait()
        answer = {"/echo": body, "/secret": self.headers["x-api-key"]}.get(self.path) or json.dumps(
            {"path": self.path, "body": body, "usage": {"total_tokens": 3}})
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_GET = do_POST

    def read_body(self):
        if self.headers["Transfer-Encoding"] is None:
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def stream(self):
        """Two events; the end comes when the gate is opened, of /dies never."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in (b"data: one\n\n", b"data: two\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        if self.path == "/streams":
            self.server.gate.wait()
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.path == "/dies"

    def log_message(self, *_):
        pass


def raw(request, more=":"):
    """A script that says this, and what the command `more` prints, and prints what is answered until the relay closes.

    Who ends its side of the connection has left, as nc does when its input ends: so that stays open.
    """
    text = base64.b64encode(request.encode("latin-1")).decode()
    return ("rm -f /tmp/to; mkfifo /tmp/to; nc 127.0.0.1 9180 < /tmp/to & exec 3> /tmp/to; "
            f"{{ echo {text} | base64 -d; {more}; }} >&3; wait")
