"""Plain clients of /acp over both transports, with one interface; every message that comes is checked.

`texts` holds the messages as they came, beside `messages`.
"""
import http.client
import json
import socket
import threading
import urllib.parse

from . import schema
from .deadline import PATIENCE, wait_until
from .http_client import RelayError, text_block, text_of
from .inbox import Inbox
from .ws_client import WebSocketClient

CONNECTION, SESSION = "Acp-Connection-Id", "Acp-Session-Id"


class Acp(Inbox):
    """What both have in common, on top of send()."""

    transport = None

    def initialize(self, capabilities=None, **params):
        raise NotImplementedError

    def initialize_params(self, capabilities=None, **params):
        return {"protocolVersion": 1, "clientCapabilities": capabilities or {}, **params}

    def parse(self, text):
        self.texts.append(text)
        try:
            message = json.loads(text)
            return schema.check_acp(message, self.method_of(message))
        except schema.BROKEN as problem:
            return {"jsonrpc": "2.0", "broken": f"{problem}\n{text[:2000]}"}

    def new(self, directory, **params):
        self.session = self.result("session/new", **{"cwd": str(directory), "mcpServers": [], **params})["sessionId"]
        return self.session

    def start_prompt(self, text, session=None, id=None):
        return self.start("session/prompt", {"sessionId": session or self.session, "prompt": text_block(text)}, id)

    def prompt(self, text, session=None, seconds=None):
        """The result of a turn and the agent's words in it."""
        before = self.count()
        answer = self.answer(self.start_prompt(text, session), seconds)
        if "error" in answer:
            raise RelayError(answer["error"])
        return answer["result"], text_of(self.messages[before:])


class AcpWebSocket(Acp, WebSocketClient):
    transport = "ws"

    def __init__(self, url, token=None, initialize=True, **options):
        self.texts = []
        super().__init__(url, token, **options)
        self.connection_id = self.socket.response_headers.get(CONNECTION)
        if initialize:
            self.initialize()

    _parse = Acp.parse

    def initialize(self, capabilities=None, **params):
        self.initialized = self.result("initialize", **self.initialize_params(capabilities, **params))
        return self.initialized

    def send_text(self, text, session=None):
        self.send_raw(text)


class EventStream:
    """One GET: a thread of its own hands every event to the client."""

    def __init__(self, client, headers):
        self.client = client
        self.events = []  # (id, text)
        self.comments = 0
        self.ended = threading.Event()
        self.connection = client.connect()
        self.connection.request("GET", client.path, headers={**client.headers, **headers})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        if self.status == 200:
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()
        else:
            self.body = self.response.read()
            self.ended.set()
            self.connection.close()

    def _read(self):
        try:
            self._read_events()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # dropped, by either side
        finally:
            self.ended.set()

    def _read_events(self):
        number, data = None, []
        while True:
            line = self.response.readline()
            if not line.endswith(b"\n"):
                return  # the end, in the middle of a line perhaps
            line = line.decode("utf-8").rstrip("\r\n")
            if line == "":
                if data:
                    self._deliver(number, "\n".join(data))
                data = []
            elif line.startswith(":"):
                self.comments += 1
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif line.startswith("id:"):
                number = line[3:].strip()
            else:
                self.client.deliver({"broken": f"odd line in an event stream: {line!r}"})

    def _deliver(self, number, text):
        message = self.client.parse(text)
        self.events.append((number, text))
        self.client.deliver(message)

    def wait_ended(self):
        assert self.ended.wait(PATIENCE), "the event stream ends"

    def close(self):
        """Drops the connection, also under a thread that reads from it."""
        sock = self.connection.sock or getattr(getattr(self.response, "fp", None), "raw", None)
        sock = getattr(sock, "_sock", sock)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self.status == 200:
            self.wait_ended()
        self.connection.close()


class Answer:
    """An HTTP response, read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The error object in the body."""
        answer = self.json()
        assert answer["jsonrpc"] == "2.0" and "id" in answer, answer
        schema.check_acp(answer)
        return answer["error"]


class AcpHttp(Acp):
    """Streamable HTTP. Opens the stream of a session when it first uses the session, as SDK clients do."""

    transport = "http"

    def __init__(self, url, token=None, initialize=True, headers=None, streams=True):
        super().__init__()
        self.texts = []
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path
        self.headers = dict(headers or {})
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.connection_id = None
        self.streams = {}  # by session; None is the connection's
        self.opens_streams = streams
        self._posts = self.connect()
        if initialize:
            self.initialize()

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    # Plain requests.
    def exchange(self, method, headers=None, body=None, path=None):
        """Any HTTP request, with this client's token and nothing else of its own."""
        try:
            self._posts.request(method, path or self.path, body, {**self.headers, **(headers or {})})
            return Answer(self._posts.getresponse())
        except (http.client.HTTPException, ConnectionError):
            self._posts.close()
            raise

    def post(self, body, session=None, headers=None, connection=True):
        """`body` is text, bytes, or an object to write as JSON; connection=False leaves its id out."""
        body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        own = {"Content-Type": "application/json"}
        if connection:
            own[CONNECTION] = self.connection_id if connection is True else connection
        if session:
            own[SESSION] = session
        return self.exchange("POST", {**own, **(headers or {})}, body)

    def open(self, session=None, headers=None):
        """Opens a stream with a GET; gives it, whatever the status. A header of None is left out."""
        own = {"Accept": "text/event-stream", CONNECTION: self.connection_id}
        if session:
            own[SESSION] = session
        wanted = {**own, **(headers or {})}
        stream = EventStream(self, {name: value for name, value in wanted.items() if value is not None})
        if stream.status == 200:
            self.streams.setdefault(session, []).append(stream)
        return stream

    def delete(self):
        return self.exchange("DELETE", {CONNECTION: self.connection_id})

    # JSON-RPC.
    def initialize(self, capabilities=None, **params):
        answer = self.post({"jsonrpc": "2.0", "id": "initialize", "method": "initialize",
                            "params": self.initialize_params(capabilities, **params)}, connection=False)
        assert answer.status == 200, (answer.status, answer.body)
        message = schema.check_acp(answer.json(), "initialize")
        self.connection_id = answer.headers[CONNECTION]
        assert self.connection_id, answer.headers
        if "error" in message:
            raise RelayError(message["error"])
        self.initialized = message["result"]
        if self.opens_streams:
            assert self.open().status == 200
        return self.initialized

    def send(self, message):
        params = message.get("params")
        session = params.get("sessionId") if isinstance(params, dict) else None
        answer = self.send_text(json.dumps(message), session if isinstance(session, str) else None)
        assert answer.status == 202, (answer.status, answer.body)
        assert answer.body == b"", answer.body

    def send_text(self, text, session=None):
        if session and self.opens_streams and session not in self.streams:
            assert self.open(session).status == 200
        return self.post(text, session)

    def abort(self):
        """Goes away without a word, as a crashed client does."""
        for stream in [stream for several in self.streams.values() for stream in several]:
            stream.close()
        self._posts.close()
        self.deliver_end()

    def close(self):
        if self.connection_id and not self.closed:
            try:
                self.delete()
            except (OSError, http.client.HTTPException):
                pass
        self.abort()
        self.check_messages()


def open_client(transport, url, **options):
    return {"http": AcpHttp, "ws": AcpWebSocket}[transport](url, **options)


def wait_for_text(client, text):
    """The first message, as it came, that contains a text."""
    return wait_until(lambda: next((one for one in list(client.texts) if text in one), None), f"{text} in a message")
