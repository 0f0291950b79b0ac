"""Clients that only watch a session, are cut at any moment, and go on with the last number that they have.

One class a dialect. `events` is what a viewer would show after all its connections: (kind, text, number),
in the order in which it came. Everything runs in one event loop, so that thousands of cuts cost little.
A connection that can't be made, or ends by itself, is an OSError or a Cut.
"""
import asyncio
import collections
import contextlib
import itertools
import json
import os

import websockets

from .deadline import PATIENCE
from .relay import BINARY

AFTER, SEQUENCE = "acp-relay/after", "acp-relay/seq"
CHUNK, USER, END, GAP, OTHER = "chunk", "user", "end", "gap", "other"


class Cut(OSError):
    """The connection is over, whoever ended it."""


class Refused(AssertionError):
    """The relay answered with an error."""


def event_of(message):
    """(kind, text) of a message that a watching client was sent."""
    params = message.get("params", {})
    update = params.get("update", {})
    kinds = {"agent_message_chunk": CHUNK, "user_message_chunk": USER}
    if update.get("sessionUpdate") in kinds:
        return kinds[update["sessionUpdate"]], update["content"].get("text", "")
    if message.get("method") == "_acp-relay/gap":
        return GAP, f"{params['from']}-{params['to']}"
    result = params if message.get("method") == "_acp-relay/turn_complete" else message
    if "stopReason" in (result.get("result") or {}):
        return END, result["result"]["stopReason"]
    if "method" not in message and "error" in message:
        return END, message["error"].get("data", {}).get("error_type", message["error"]["message"])
    return OTHER, message.get("method", "")


class HttpConnection:
    """One HTTP/1.1 connection, of which at most one answer is read."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def ask(cls, port, method, path, headers=None, body=None):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        connection = cls(reader, writer)
        data = b"" if body is None else json.dumps(body).encode()
        head = {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(data)), **(headers or {})}
        if data:
            head["Content-Type"] = "application/json"
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        try:
            writer.write("\r\n".join(lines).encode() + data)
            start = (await connection.line()).split(b" ")
            connection.status = int(start[1])
            connection.headers = {}
            while line := await connection.line():
                name, _, value = line.partition(b":")
                connection.headers[name.strip().lower().decode()] = value.strip().decode()
        except BaseException:
            connection.drop()
            raise
        return connection

    async def line(self):
        try:
            line = await self.reader.readline()
        except (OSError, asyncio.LimitOverrunError, ValueError) as problem:
            raise Cut(str(problem)) from problem
        if not line.endswith(b"\n"):
            raise Cut("the stream ended")
        return line.rstrip(b"\r\n")

    async def body(self):
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join([part async for part in self.parts()])
        return await self.exactly(int(self.headers.get("content-length", 0)))

    async def exactly(self, count):
        try:
            return await self.reader.readexactly(count)
        except (OSError, asyncio.IncompleteReadError) as problem:
            raise Cut(str(problem)) from problem

    async def parts(self):
        while count := int(await self.line(), 16):
            part = await self.exactly(count + 2)
            yield part[:-2]

    async def events(self):
        """(id or None, message) of a server-sent event stream."""
        rest, number, data = b"", None, []
        async with contextlib.aclosing(self.parts()) as parts:
            async for part in parts:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    line = line.rstrip(b"\r")
                    if line.startswith(b"data:"):
                        data.append(line[5:].removeprefix(b" "))
                    elif line.startswith(b"id:"):
                        number = int(line[3:])
                    elif not line and data:
                        yield number, json.loads(b"\n".join(data))
                        data = []

    def drop(self):
        """Without a word, as a client that crashes does."""
        self.writer.transport.abort()


async def call(port, method, **params):
    """The result of a relay HTTP request."""
    connection = await HttpConnection.ask(port, "POST", "/" + method, body={
        "jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        answer = json.loads(await connection.body())
    finally:
        connection.drop()
    if "error" in answer:
        raise Refused(json.dumps(answer["error"]))
    return answer["result"]


class Viewer:
    dialect = None

    def __init__(self, ports, session, name=""):
        self.ports, self.session, self.name = ports, session, name or self.dialect
        self.clear()
        self.last = 0       # the number to go on from
        self.problems = []  # numbers that came again or in a wrong order
        self.cuts = 0       # connections that had shown something and did not live to what was waited for
        self.ids = itertools.count(1)

    def clear(self):
        self.events = []
        self.counts = collections.Counter()  # of each kind

    def add(self, *event):
        self.events.append(event)
        self.counts[event[0]] += 1

    def drop_last(self):
        self.counts[self.events.pop()[0]] -= 1

    def shows(self, text):
        """Whether one of the last messages of the agent was this."""
        return (CHUNK, text) in [event[:2] for event in self.events[-8:]]

    def take(self, number, message):
        kind, text = event_of(message)
        if number is not None:
            if number <= self.last:
                self.problems.append(f"{number} came behind {self.last}")
            self.last = max(self.last, number)
        self.add(kind, text, number)

    def texts(self, kind=CHUNK):
        return [text for one, text, _ in self.events if one == kind]

    async def watch(self, budget, done):
        """Reads on one connection until `budget` messages came or done(self); then cuts it. True: done."""
        came = 0
        is_done = False
        try:
            async with contextlib.aclosing(self.messages()) as messages:
                while not (is_done := done(self)):
                    if came >= budget:
                        return False
                    number, message = await anext(messages)
                    came += 1
                    self.take(number, message)
            return True
        except StopAsyncIteration:
            raise Cut("the stream ended") from None
        finally:
            self.cuts += came > 0 and not is_done

    async def stop(self):
        """Ends what lives on between two connections."""

    async def messages(self):
        """Connects, goes on behind `last`, and drops the connection when it is closed."""
        raise NotImplementedError
        yield


class RelayEvents(Viewer):
    """GET /session/{id}/events."""

    dialect = "events"

    async def messages(self):
        stream = await HttpConnection.ask(self.ports["http_port"], "GET", f"/session/{self.session}/events", {
            "Accept": "text/event-stream", "Last-Event-ID": str(self.last)})
        try:
            if stream.status != 200:
                raise Refused(f"{stream.status}: {await stream.body()}")
            async with contextlib.aclosing(stream.events()) as events:
                async for item in events:
                    yield item
        finally:
            stream.drop()


class _WebSocket(Viewer):
    def url(self):
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def connected(self):
        try:
            socket = await websockets.connect(self.url(), max_size=None, max_queue=None, compression=None,
                                              ping_interval=None, open_timeout=PATIENCE)
        except (websockets.WebSocketException, asyncio.TimeoutError) as problem:
            raise Cut(str(problem)) from problem
        try:
            yield socket
        except websockets.ConnectionClosed as problem:
            raise Cut(str(problem)) from problem
        finally:
            socket.transport.abort()

    async def send(self, socket, method, params):
        id = f"{self.name}-{next(self.ids)}"
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
        return id

    async def result(self, socket, method, params):
        id = await self.send(socket, method, params)
        while True:
            message = json.loads(await socket.recv())
            if message.get("id") == id:
                if "error" in message:
                    raise Refused(json.dumps(message["error"]))
                return message["result"]


class RelayWebSocket(_WebSocket):
    """The relay's own WebSocket. Its messages carry no numbers: the history says which one was the last."""

    dialect = "websocket"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.since = 0  # chunks that came behind `last`

    def url(self):
        return f"ws://127.0.0.1:{self.ports['websocket_port']}/"

    async def find_last(self, socket):
        """`last` becomes the number of the last chunk."""
        after = self.last
        while self.since:
            page = await self.result(socket, "session/history", {
                "sessionId": self.session, "after": after, "limit": 1000})
            for item in page["messages"]:
                after = item["sequence"]
                if item["direction"] == "agent_to_relay" and '"agent_message_chunk"' in item["rawMessage"]:
                    self.since -= 1
                    self.last = after
                    if not self.since:
                        return
            if not page["messages"]:
                raise Refused(f"the history lacks {self.since} chunks that {self.name} was sent")

    def take(self, number, message):
        kind, text = event_of(message)
        self.add(kind, text, None)
        self.since += kind == CHUNK

    async def messages(self):
        async with self.connected() as socket:
            while self.events and self.events[-1][0] != CHUNK:
                self.drop_last()  # it comes again
            if self.since:
                await self.find_last(socket)
            await self.result(socket, "session/resume", {
                "sessionId": self.session, "after": self.last, "role": "observer"})
            while True:
                yield None, json.loads(await socket.recv())


class AcpWebSocket(_WebSocket):
    """/acp as a WebSocket, with numbers."""

    dialect = "acp websocket"

    def url(self):
        return f"ws://127.0.0.1:{self.ports['http_port']}/acp"

    async def messages(self):
        async with self.connected() as socket:
            await self.result(socket, "initialize", {
                "protocolVersion": 1, "clientCapabilities": {"_meta": {SEQUENCE: True}}})
            await self.result(socket, "session/resume", {
                "sessionId": self.session, "cwd": "/", "mcpServers": [], "_meta": {AFTER: self.last}})
            while True:
                message = json.loads(await socket.recv())
                body = message["params"] if "method" in message else message.get("result") or {}
                yield body.get("_meta", {}).get(SEQUENCE), message


class AcpEvents(Viewer):
    """/acp over HTTP: the stream of a session, on one connection as long as the relay knows it."""

    dialect = "acp events"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connection = None

    async def post(self, message, headers=None):
        answer = await HttpConnection.ask(self.ports["http_port"], "POST", "/acp", headers, message)
        try:
            return answer, await answer.body()
        finally:
            answer.drop()

    async def connect(self):
        answer, body = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": 1, "clientCapabilities": {}}})
        if answer.status != 200:
            raise Refused(f"{answer.status}: {body}")
        self.connection = answer.headers["acp-connection-id"]
        # Its answer is read, so that the stream begins behind it.
        own = await self.stream({})
        try:
            answer, body = await self.post(
                {"jsonrpc": "2.0", "id": "resume", "method": "session/resume",
                 "params": {"sessionId": self.session, "cwd": "/", "mcpServers": []}},
                {"Acp-Connection-Id": self.connection})
            if answer.status != 202:
                raise Refused(f"{answer.status}: {body}")
            async with contextlib.aclosing(own.events()) as events:
                async for _, message in events:
                    if message.get("id") == "resume":
                        if "error" in message:
                            raise Refused(json.dumps(message["error"]))
                        return
        finally:
            own.drop()

    async def stream(self, headers):
        return await HttpConnection.ask(self.ports["http_port"], "GET", "/acp", {
            "Accept": "text/event-stream", "Acp-Connection-Id": self.connection, **headers})

    async def messages(self):
        if self.connection is None:
            await self.connect()
        stream = await self.stream({"Acp-Session-Id": self.session, "Last-Event-ID": str(self.last)})
        try:
            if stream.status == 404:  # the relay was started again, or has given the connection up
                self.connection = None
                raise Cut("the connection is not known any more")
            if stream.status != 200:
                raise Refused(f"{stream.status}: {await stream.body()}")
            async with contextlib.aclosing(stream.events()) as events:
                async for item in events:
                    yield item
        finally:
            stream.drop()


class CuttingProxy:
    """Passes bytes on to a port; cut() ends all connections, cut_after(n) when n more bytes came down."""

    def __init__(self, port):
        self.target = port
        self.pairs = set()
        self.left = None
        self.cuts = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *unused):
        self.server.close()
        self.cut()

    def cut_after(self, count):
        self.left = count

    def cut(self):
        self.cuts += bool(self.pairs)
        for writers in list(self.pairs):
            for writer in writers:
                writer.transport.abort()
        self.pairs.clear()

    async def _serve(self, reader, writer):
        try:
            upstream, sink = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, sink)
        self.pairs.add(pair)
        await asyncio.gather(self._pump(reader, sink, False), self._pump(upstream, writer, True))
        self.pairs.discard(pair)
        for one in pair:
            one.transport.abort()

    async def _pump(self, reader, writer, down):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if down and self.left is not None:
                    data, self.left = data[:self.left], self.left - len(data)
                writer.write(data)
                await writer.drain()
                if down and self.left is not None and self.left <= 0:
                    self.left = None
                    self.cut()
        writer.transport.abort()


class Connect(Viewer):
    """An editor behind `acp-relay connect`. The program goes on by itself; a new editor loads the session."""

    dialect = "connect"

    def __init__(self, ports, session, name=""):
        super().__init__(ports, session, name)
        self.process = None
        self.proxy = None

    async def start(self):
        self.proxy = await CuttingProxy(self.ports["http_port"]).__aenter__()
        self.clear()
        environment = {key: value for key, value in os.environ.items()
                       if key.endswith("SAN_OPTIONS") or key in ("PATH", "HOME", "ASAN_SYMBOLIZER_PATH")}
        self.process = await asyncio.create_subprocess_exec(
            str(BINARY), "connect", "--url", f"http://127.0.0.1:{self.proxy.port}", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment, limit=1 << 24)
        load = {"sessionId": self.session, "cwd": "/", "mcpServers": []}
        for id, method, params in ((1, "initialize", {"protocolVersion": 1, "clientCapabilities": {}}),
                                   (2, "session/load", load)):
            message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def stop(self):
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            self.process = None
            await self.proxy.__aexit__()

    async def watch(self, budget, done):
        if self.process is None:
            await self.start()
        came = 0
        while not done(self):
            if came >= budget:
                self.cuts += came > 0
                self.proxy.cut()
                return False
            line = await self.process.stdout.readline()
            if not line:
                log = (await self.process.stderr.read()).decode("utf-8", "replace")
                raise AssertionError(f"connect ended with {await self.process.wait()}: {log[-2000:]}")
            message = json.loads(line)
            if message.get("id") == 2 and "error" in message:
                raise Refused(line.decode())
            came += 1
            self.take(None, message)
        return True


DIALECTS = {one.dialect: one for one in (RelayEvents, RelayWebSocket, AcpWebSocket, AcpEvents, Connect)}
