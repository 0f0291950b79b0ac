"""The relay's WebSocket dialect with a blocking interface, on top of the websockets package.

One background thread runs the event loop of all clients. A client keeps everything that came, in order.
"""
import asyncio
import itertools
import json
import ssl
import threading

import websockets

from . import schema
from .deadline import PATIENCE, Late
from .http_client import RelayError, text_block, text_of

_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True).start()


def _run(coroutine, seconds=PATIENCE):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(seconds)


def _insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class WebSocketClient:
    def __init__(self, url, token=None, headers=None, subprotocols=None, **options):
        self.messages = []
        self.ids = itertools.count(1)
        self.methods = {}  # of the requests that were sent, by the JSON text of their id
        self.closed = False
        self.close_code = None
        self._changed = threading.Condition()
        extra = dict(headers or {})
        if token:
            extra["Authorization"] = f"Bearer {token}"
        if url.startswith("wss:"):
            options["ssl"] = _insecure()
        self.socket = _run(self._connect(url, extra, subprotocols, options))
        self._reader = asyncio.run_coroutine_threadsafe(self._read(), _loop)

    @staticmethod
    async def _connect(url, headers, subprotocols, options):
        return await websockets.connect(url, extra_headers=headers, subprotocols=subprotocols,
                                        max_size=None, max_queue=None, compression=None,
                                        open_timeout=PATIENCE, close_timeout=5, **options)

    async def _read(self):
        try:
            async for text in self.socket:
                message = self._parse(text)
                with self._changed:
                    self.messages.append(message)
                    self._changed.notify_all()
        except websockets.ConnectionClosed:
            pass
        finally:
            with self._changed:
                self.closed = True
                self.close_code = self.socket.close_code
                self._changed.notify_all()

    def _parse(self, text):
        message = json.loads(text)
        try:
            return schema.check(message, self.methods.get(json.dumps(message.get("id"))))
        except AssertionError as problem:
            return {"jsonrpc": "2.0", "broken": str(problem)}

    # Sending.
    def send_raw(self, data):
        """Text as a text frame, bytes as a binary one."""
        _run(self.socket.send(data))

    def send(self, message):
        self.send_raw(json.dumps(message))

    def start(self, method, params=None, id=None):
        """Sends a request; returns its id."""
        id = next(self.ids) if id is None else id
        self.methods[json.dumps(id)] = method
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def respond(self, request, result=None, error=None):
        answer = {"result": result} if error is None else {"error": error}
        self.send({"jsonrpc": "2.0", "id": request["id"], **answer})

    # Receiving.
    def wait_for(self, predicate, what="a message", seconds=None, start=0):
        """The first message from `start` on that the predicate likes, waiting for it."""
        position = start

        def found():
            nonlocal position
            while position < len(self.messages):
                message = self.messages[position]
                position += 1
                assert "broken" not in message, message["broken"]
                if predicate(message):
                    return message
            return None

        with self._changed:
            message = None

            def ready():
                nonlocal message
                message = found()
                return message is not None or self.closed

            done = self._changed.wait_for(ready, PATIENCE if seconds is None else seconds)
            if message is not None:
                return message
            tail = "\n".join(json.dumps(entry)[:300] for entry in self.messages[-8:])
            raise Late(f"{'closed' if done else 'too late'}, code {self.close_code}, waiting for {what}; "
                       f"the last messages:\n{tail}")

    def answer(self, id, seconds=None):
        """The response to a request."""
        wanted = json.dumps(id)
        return self.wait_for(lambda m: "method" not in m and json.dumps(m.get("id")) == wanted,
                             f"the answer to {wanted}", seconds)

    def request(self, method, id=None, **params):
        return self.answer(self.start(method, params, id))

    def result(self, method, id=None, **params):
        answer = self.request(method, id, **params)
        if "error" in answer:
            raise RelayError(answer["error"])
        return answer["result"]

    def error(self, method, id=None, **params):
        answer = self.request(method, id, **params)
        assert "error" in answer, answer
        return RelayError(answer["error"])

    def incoming(self, method, start=0, seconds=None):
        """The first request or notification of the relay with this method."""
        return self.wait_for(lambda m: m.get("method") == method, method, seconds, start)

    def all(self, method):
        with self._changed:
            return [m for m in self.messages if m.get("method") == method]

    def count(self):
        with self._changed:
            return len(self.messages)

    def wait_closed(self, seconds=None):
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed, PATIENCE if seconds is None else seconds), (
                "the relay closes the connection")
        return self.close_code

    # What most tests do.
    def new(self, directory, **params):
        result = self.result("session/new", workingDirectory=str(directory), **params)
        self.session = result["sessionId"]
        return self.session

    def start_prompt(self, text, session=None, id=None):
        params = {"content": text_block(text)}
        if session:
            params["sessionId"] = session
        return self.start("session/prompt", params, id)

    def prompt(self, text, session=None, seconds=None):
        """The result of a turn and the agent's words in it."""
        before = self.count()
        answer = self.answer(self.start_prompt(text, session), seconds)
        if "error" in answer:
            raise RelayError(answer["error"])
        with self._changed:
            return answer["result"], text_of(self.messages[before:])

    def close(self):
        if not self.closed:
            try:
                _run(self.socket.close(), 10)
            except Exception:  # a broken connection is as good as a closed one
                pass

    def abort(self):
        """Drops the connection without a word, as a crashed client does."""
        _loop.call_soon_threadsafe(self.socket.transport.abort)
        self.wait_closed()
