"""Mutated requests to the three ports: each is answered with a well-formed error or its connection is closed."""
import asyncio
import json
import random

from harness import raw
from harness.deadline import SCALE
from keep_alive import KeepAlive
import mutate

AT_ONCE = 8
ANSWER_SECONDS = 2 * SCALE  # what is still open then is a stream, or waits for the rest of a body
UPGRADE = (b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
PORTS = ("http", "http", "http", "websocket", "websocket", "acp", "management")
CLOSE_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1013)


def judge_error_body(trial, where, body):
    try:
        value = json.loads(body)
        error = value["error"]
    except (ValueError, KeyError, TypeError):
        trial.problem(f"{where}: no JSON error: {body[:300]!r}")
        return
    trial.check_error(error, where, by_relay=True)


def judge_http(trial, where, received, is_head):
    """The first answer in what came; True: it was an error."""
    first, _, body = received.partition(b"\r\n\r\n")
    lines = first.split(b"\r\n")
    words = lines[0].split(b" ")
    if not received:
        return False
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        trial.problem(f"{where}: no HTTP: {received[:200]!r}")
        return False
    status = int(words[1])
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
    if status < 400:
        return False
    size = int(fields.get(b"content-length", b"0"))
    if not is_head and size:
        if len(body) < size:
            trial.problem(f"{where}: {len(body)} bytes of a body of {size}: {received[:300]!r}")
        elif b"json" in fields.get(b"content-type", b""):
            judge_error_body(trial, f"{where}: {status}", body[:size])
        else:
            trial.problem(f"{where}: {status} with a body of type {fields.get(b'content-type')}: {body[:200]!r}")
    return True


def frames(received):
    """(opcode, payload) of the frames of a server."""
    place = 0
    while place + 2 <= len(received):
        opcode, size = received[place] & 15, received[place + 1] & 127
        wide = {126: 2, 127: 8}.get(size, 0)
        if wide:
            size = int.from_bytes(received[place + 2:place + 2 + wide], "big")
        place += 2 + wide
        yield opcode, received[place:place + size]
        place += size


def judge_frames(trial, where, received):
    failed = False
    for opcode, payload in frames(received):
        if opcode == 1:
            try:
                value = json.loads(payload)
            except ValueError:
                trial.problem(f"{where}: no JSON in a frame: {payload[:300]!r}")
                continue
            if "error" in value:
                failed = True
                trial.check_error(value["error"], where)
        elif opcode == 8:
            failed = True
            code = int.from_bytes(payload[:2], "big")
            if payload and code not in CLOSE_CODES and not 3000 <= code < 5000:
                trial.problem(f"{where}: closed with {code}")
        elif opcode not in (9, 10):
            trial.problem(f"{where}: a frame of kind {opcode}")
    return failed


def frames_to_send(draw, session):
    data = b""
    for _ in range(draw.choice([1, 1, 2, 4])):
        _, text = mutate.message(draw, session)
        payload = draw.choice([mutate.json_changed, lambda d, t: mutate.bytes_changed(d, t.encode())])(draw, text)
        broken = draw.random()
        data += raw.frame(payload, opcode=draw.choice([1, 1, 1, 1, 2, 0, 8, 9, 3, 11]), fin=broken > 0.1,
                          masked=broken < 0.9, mask=draw.randbytes(4), reserved=4 if 0.4 < broken < 0.45 else 0,
                          length=draw.choice([2 ** 40, len(payload) + 7]) if 0.5 < broken < 0.55 else None)
    return mutate.bytes_changed(draw, data) if draw.random() < 0.3 else data


async def read_all(reader):
    """What comes until it is closed, or until it is time; and whether it was closed."""
    received = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while piece := await reader.read(65536):
                received += piece
                if len(received) > 1 << 22:
                    return received, False
    except TimeoutError:
        return received, False
    except OSError:
        pass
    return received, True


async def one(trial, number, session):
    """Sends the request of this number, which alone and the seed decide what it is. True: refused."""
    draw = random.Random(f"{trial.seed} {number}")
    server = trial.relay.config["server"]
    target = draw.choice(PORTS)
    where = f"request {number} to {target}"
    port = server["http_port" if target == "acp" else target + "_port"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if target in ("websocket", "acp"):
            writer.write(UPGRADE % (b"/acp" if target == "acp" else b"/", port))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head.split(b"\r\n")[0]:
                trial.problem(f"{where}: a good upgrade is refused: {head[:300]!r}")
                return False, True
            data = frames_to_send(draw, session)
        else:
            data = mutate.http_request(draw, target, port, session)
        writer.write(data)
        if draw.random() < 0.9:
            writer.write_eof()
        received, closed = await read_all(reader)
        if target in ("websocket", "acp"):
            return judge_frames(trial, where, received), closed
        return judge_http(trial, where, received, data.startswith(b"HEAD ")), closed
    except (OSError, asyncio.IncompleteReadError):
        return True, True  # closed while it was written to
    finally:
        writer.transport.abort()


async def all_of_them(trial):
    numbers = iter(range((trial.round - 1) * trial.part, trial.round * trial.part))
    done = refused = still_open = 0
    client = KeepAlive(trial.relay.config["server"]["http_port"])
    session = ["sess_none"]

    async def renew():
        """A session that requests may be about, and no more than a few that they made."""
        await asyncio.to_thread(trial.close_sessions)
        created, error = await client.call("session/new", workingDirectory=str(trial.relay.workspace))
        if error:
            trial.problem(f"session/new: {error}")
        else:
            session[0] = created["sessionId"]

    async def work():
        nonlocal done, refused, still_open
        for number in numbers:
            if trial.time_is_up() or not trial.relay.running():
                return
            if number % 200 == 0:
                await renew()
            was_refused, closed = await one(trial, number, session[0])
            done, refused, still_open = done + 1, refused + was_refused, still_open + (not closed)
            trial.progress(done, "requests")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    client.close()
    return done, refused, still_open


def run(trial):
    relay = trial.start({"agent": {"max_concurrent_sessions": 40}, "sessions": {"prompt_timeout": "5s"}})
    relay.assert_serves()
    trial.measure()

    def a_part():
        counts = asyncio.run(all_of_them(trial))
        trial.close_sessions()
        return counts

    done, refused, still_open = map(sum, zip(*trial.in_rounds(a_part)))
    return (f"{done:,} of {trial.size:,} mutated requests, {refused:,} refused or cut, "
            f"{still_open:,} left open by the relay (streams, bodies that wait for their rest)")
