"""The relay's WebSocket dialect with a blocking interface, on top of the websockets package.

One background thread runs the event loop of all clients. A client keeps everything that came, in order.
"""
import asyncio
import json
import ssl
import threading

import websockets

from . import schema
from .deadline import PATIENCE
from .http_client import RelayError, text_block, text_of
from .inbox import Inbox

_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True).start()


def _run(coroutine, seconds=PATIENCE):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(seconds)


def _insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class WebSocketClient(Inbox):
    def __init__(self, url, token=None, headers=None, subprotocols=None, **options):
        super().__init__()
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
                                        open_timeout=PATIENCE, close_timeout=5, ping_interval=None, **options)

    async def _read(self):
        try:
            async for text in self.socket:
                self.deliver(self._parse(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.deliver_end(self.socket.close_code)

    def _parse(self, text):
        try:
            message = json.loads(text)
            return schema.check(message, self.method_of(message))
        except schema.BROKEN as problem:
            return {"jsonrpc": "2.0", "broken": f"{problem}\n{text[:2000]}"}

    # Sending.
    def send_raw(self, data):
        """Text as a text frame, bytes as a binary one."""
        _run(self.socket.send(data))

    def send(self, message):
        self.send_raw(json.dumps(message))

    def wait_closed(self):
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed, PATIENCE), "the relay closes the connection"
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
        self.check_messages()

    def abort(self):
        """Drops the connection without a word, as a crashed client does."""
        _loop.call_soon_threadsafe(self.socket.transport.abort)
        self.wait_closed()
