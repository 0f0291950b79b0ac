"""A proxy before a Docker Engine that harms its answers: slow, cut, garbage, other types, refusals, without an end.

The Engine does what it is asked, so that what the relay is not told of has to be found and removed all the same.
"""
import asyncio
import collections
import contextlib
import json
import pathlib
import random
import re
import threading

import mutate

STREAMS = re.compile(rb"/(attach|events|wait)\b|/logs\b.*follow=(1|true)")  # answers that go on
NAMES = ("ping", "version", "info", "images", "create", "attach", "start", "wait", "logs", "kill", "events", "archive",
         "stats", "json")
ENDLESS_BYTES = 64 << 20  # of an answer that does not end; the relay ends it earlier
SILENT_SECONDS = 600      # longer than the relay waits
FRAMES = [b"\x01\0\0\0\xff\xff\xff\xff", b"\x07\0\0\0\0\0\0\x01x", b"\x01\0\0\0\0\0\0\0" * 500, b"\0" * 7, b"{}\n" * 50,
          b"\x01\0\0\0\0\0\0\x05{\"a\"\n"]


def step_of(head):
    """The step of the relay's work that a request belongs to."""
    method, target = head.split(b" ", 2)[:2]
    if method == b"DELETE":
        return "remove"
    path = target.split(b"?")[0].decode("latin-1")
    return next((name for name in NAMES if f"/{name}" in path or f"_{name}" in path), "other")


def answer(status, body, fields=b"Content-Type: application/json\r\n"):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, fields, len(body), body)


# Harms: harm(draw, writer, answer of the Engine) writes something else. True: the connection may go on.
async def slow(draw, writer, data):
    pieces = draw.randrange(2, 20)
    size = len(data) // pieces + 1
    for place in range(0, len(data), size):
        writer.write(data[place:place + size])
        await writer.drain()
        await asyncio.sleep(draw.random() * 0.1)
    return True


async def cut(draw, writer, data):
    writer.write(data[:draw.randrange(len(data))])


async def garbage(draw, writer, _):
    writer.write(draw.randbytes(draw.choice([1, 100, 100_000])))


async def bytes_changed(draw, writer, data):
    writer.write(mutate.bytes_changed(draw, data))


async def other_json(draw, writer, data):
    """The Engine's own JSON with a field missing, doubled or of another type; any JSON where it has none."""
    text = data.partition(b"\r\n\r\n")[2].decode("utf-8", "replace").strip()
    try:
        changed = mutate.json_changed(draw, text)
    except (ValueError, TypeError, AttributeError, IndexError):  # no JSON object
        changed = draw.choice([b"[]", b"null", b"{}", b'"Id"', b'{"Id":7}', b'{"Id":{}}', b'{"StatusCode":"x"}', b"<html>"])
    writer.write(answer(draw.choice([b"200 OK", b"200 OK", b"201 Created"]), changed))
    return True


async def refusal(draw, writer, _):
    status = draw.choice([b"400 Bad Request", b"401 Unauthorized", b"403 Forbidden", b"409 Conflict",
                          b"429 Too Many Requests", b"500 Internal Server Error", b"503 Service Unavailable",
                          b"302 Found", b"999 What", b"599 "])
    body = draw.choice([b'{"message":"no"}', b"", b"<html>no</html>", b'{"message":{"a":[]}}', b'{"message":"%s"}' % (
        b"long " * 20_000), b'{"message":"\xff\xfe\\u0000"}', b"null"])
    writer.write(answer(status, body))
    return True


async def odd_head(draw, writer, data):
    writer.write(draw.choice([
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", b"HTTP/1.1 200 OK\r\n" * 3,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/0.9 200\r\n\r\n", b"\r\n" * 1000, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 204 No Content\r\n\r\n" + data]))


async def without_end(draw, writer, _):
    """A head, a body, chunks or frames that go on until the relay has enough."""
    head, piece = draw.choice([
        (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"h" * 60_000 + b"\r\n"), (b"HTTP/1.1 200 ", b"O" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b'{"a":1}\n' * 8192 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n" * 8192),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", b"[" * 65536),
        (b"HTTP/1.1 500 No\r\n\r\n", b"n" * 65536),
        (b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n", b"\x01\0\0\0\0\x01\0\0" + b"x" * 65536)])
    writer.write(head)
    for _ in range(ENDLESS_BYTES // len(piece)):
        writer.write(piece)
        await writer.drain()


async def silence(draw, writer, data):
    """Nothing, or half of it, and the connection stays open."""
    writer.write(data[:draw.choice([0, 0, 9, len(data) // 2])])
    await writer.drain()
    await asyncio.sleep(SILENT_SECONDS)


async def close(*_):
    pass


# Silence is rare: other calls of the relay wait behind it.
HARMS = [slow, slow, cut, garbage, bytes_changed, bytes_changed, other_json, other_json, other_json, refusal, refusal,
         odd_head, without_end, close]
RARE = 0.04


class HostileEngine:
    """Listens at `path`; harms one answer of `one_in` while `harms` is set. What it did is counted in `done`."""

    def __init__(self, engine, path, seed, one_in):
        self.target, self.path, self.one_in = engine.socket, pathlib.Path(path), one_in
        self.draw = random.Random(f"{seed} engine")
        self.harms = False
        self.asked, self.done = collections.Counter(), collections.Counter()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # connections that end when the loop does
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def address(self):
        return f"unix://{self.path}"

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_unix_server(self._serve, self.path, limit=1 << 24))
        self._ready.set()
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while await self._one(reader, writer):
                await writer.drain()
        writer.close()

    async def _one(self, reader, writer):
        """One request and its answer. True: another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(size[1])) if size else b""
        step = step_of(head)
        self.asked[step] += 1
        harm = None
        if self.harms and self.draw.random() < 1 / self.one_in:
            harm = silence if self.draw.random() < RARE else self.draw.choice(HARMS)
            self.done[harm.__name__] += 1
            if harm is close and self.draw.random() < 0.5:
                return False  # the Engine never hears of it
        draw = random.Random(self.draw.random())
        above, to_above = await asyncio.open_unix_connection(self.target)
        try:
            if STREAMS.search(head.split(b"\r\n")[0]):
                to_above.write(head + body)
                return await self._stream(harm, draw, (reader, writer), (above, to_above))
            to_above.write(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n" + body)
            data = (await above.read(-1)).replace(b"\r\nConnection: close", b"", 1)
            if harm:
                return await harm(draw, writer, data)
            writer.write(data)
            return True
        finally:
            to_above.close()

    async def _stream(self, harm, draw, below, above):
        """An answer that goes on: harmed at its head, or in any of its pieces."""
        if harm:
            await harm(draw, below[1], await above[0].readuntil(b"\r\n\r\n"))
            return False
        up = asyncio.ensure_future(self._pump(below[0], above[1], draw, is_answer=False))
        await self._pump(above[0], below[1], draw, is_answer=True)
        up.cancel()
        return False

    async def _pump(self, reader, writer, draw, is_answer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                is_harmed = is_answer and self.harms and draw.random() < 1 / self.one_in
                writer.write(data[:draw.randrange(len(data) + 1)] if is_harmed else data)
                if is_harmed:
                    self.done["piece"] += 1
                    writer.write(draw.choice([*FRAMES, draw.randbytes(1000), b""]) * draw.choice([1, 1, 100]))
                await writer.drain()
                if is_harmed and draw.random() < 0.7:
                    return
            if writer.can_write_eof():
                writer.write_eof()


def told(counter):
    return json.dumps(dict(counter.most_common()))[1:-1].replace('"', "")
