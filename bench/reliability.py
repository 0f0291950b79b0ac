#!/usr/bin/env python3
"""Measures what the log costs those who come back: replay, attaching, starting, long writing. See README.md.

Scenarios are replay, attach, start, write and memory. Needs scripts/build.sh, and for `start` a Docker Engine.
What a relay with its log on costs beside one without is measured by run.py.
"""

import argparse
import contextlib
import http.client
import json
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import BenchError, PROCESSES, RELAY_CONFIG, Pinning, Server, free_ports
from report import machine, number, table

ROOT = Path(__file__).resolve().parent.parent
CHUNK = b'"agent_message_chunk"'
FILL_SECONDS = 1800
MIB = 1 << 20


class Directory:
    """A directory that outlives the servers in it."""

    def __init__(self, path):
        self.name = str(path)

    def cleanup(self):
        pass


class Relay:
    """acp-relay with the demo agent, its log on, in a directory that stays."""

    def __init__(self, build, directory, container=PROCESSES):
        self.build, self.directory = build, Path(directory)
        self.database = self.directory / "messages.db"
        self.http, self.websocket, self.management = free_ports(3)
        self.config = self.directory / "config.yaml"
        self.config.write_text(RELAY_CONFIG.format(
            http=self.http, websocket=self.websocket, management=self.management, agent=build / "acp-demo-agent",
            container=container, database=f"path: {self.database}"))

    @contextlib.contextmanager
    def running(self, pinning):
        command = [str(self.build / "acp-relay"), "serve", "--config", str(self.config)]
        with Server(command, [self.http, self.websocket], [], Directory(self.directory), pinning) as server:
            self.pid = int(server.client_arguments[-1])
            yield self

    def call(self, method, **params):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=300)
        with contextlib.closing(connection):
            connection.request("POST", "/" + method, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                                                 "params": params}),
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        if "error" in answer:
            raise BenchError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def shown(self, session):
        connection = http.client.HTTPConnection("127.0.0.1", self.management, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/sessions/{session}")
            return json.loads(connection.getresponse().read())

    def new(self):
        return self.call("session/new", workingDirectory=str(self.directory))["sessionId"]

    def say(self, session, text, while_it_runs=lambda: None):
        """A turn that nobody watches; waits until it is over and in the database."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": {
            "sessionId": session, "content": [{"type": "text", "text": text}]}}).encode()
        with socket.create_connection(("127.0.0.1", self.http)) as connection:
            connection.sendall(b"POST /session/prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.recv(1)
        end = time.monotonic() + FILL_SECONDS
        while self.shown(session)["turnRunning"]:
            while_it_runs()
            if time.monotonic() > end:
                raise BenchError(f"the turn {text!r} does not end")
            time.sleep(0.02)
        last = self.shown(session)["lastSequence"]
        while self.stored(session) < last:
            while_it_runs()
            time.sleep(0.02)
        return last

    def stored(self, session):
        """The number of the session's last message in the database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as database:
            row = database.execute("SELECT max(last) FROM runs WHERE session = (SELECT number FROM sessions WHERE "
                                   "id = ?)", (session,)).fetchone()
        return row[0] or 0

    def memory(self, key="VmRSS"):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise BenchError("the relay is gone")

    def forget_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


# Clients that do as little as possible: they count what comes and parse nothing.
def frame(text):
    data = text.encode()
    head = b"\x81" + (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big"))
    return head + b"\0\0\0\0" + data


def upgraded(port, path):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % path)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return connection


def request(id, method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


class WebSocketReader:
    name = "WebSocket"

    def __init__(self, relay):
        self.connection = upgraded(relay.websocket, b"/")

    def ask(self, session, after):
        self.connection.sendall(frame(request("resume", "session/resume", sessionId=session, after=after)))


class AcpReader:
    name = "/acp WebSocket"

    def __init__(self, relay):
        self.connection = upgraded(relay.http, b"/acp")
        self.connection.sendall(frame(request("initialize", "initialize", protocolVersion=1, clientCapabilities={
            "_meta": {"acp-relay/seq": True}})))
        text = b""
        while b'"initialize"' not in text:
            text += self.connection.recv(65536)

    def ask(self, session, after):
        self.connection.sendall(frame(request("resume", "session/resume", sessionId=session, cwd="/", mcpServers=[],
                                              _meta={"acp-relay/after": after})))


class EventReader:
    name = "/session/ID/events"

    def __init__(self, relay):
        self.connection = socket.create_connection(("127.0.0.1", relay.http))

    def ask(self, session, after):
        self.connection.sendall(b"GET /session/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
                                b"Last-Event-ID: %d\r\n\r\n" % (session.encode(), after))


READERS = (WebSocketReader, AcpReader, EventReader)


def read_chunks(connection, count, each=lambda: None, exactly=True):
    """Waits for so many chunks of the agent; the bytes that came."""
    connection.settimeout(120)
    view = memoryview(bytearray(MIB))
    seen, total, tail = 0, 0, b""
    while seen < count:
        size = connection.recv_into(view)
        if size == 0:
            raise BenchError(f"the relay hung up after {seen} of {count} messages")
        total += size
        data = tail + bytes(view[:size])
        seen += data.count(CHUNK)
        tail = data[-(len(CHUNK) - 1):]
        each()
    if exactly and seen > count:
        raise BenchError(f"{seen} messages came instead of {count}")
    return total


def timed_replay(relay, reader_kind, session, count, after=0):
    reader = reader_kind(relay)
    with contextlib.closing(reader.connection):
        begun = time.perf_counter()
        reader.ask(session, after)
        size = read_chunks(reader.connection, count, exactly=after == 0)
        return time.perf_counter() - begun, size


def floor_replay(relay):
    """Seconds to read the files that the messages are in, nothing parsed and nothing sent."""
    begun = time.perf_counter()
    for path in relay.directory.glob("messages.db.journal.*"):
        with path.open("rb", buffering=0) as file:
            while file.read(256 << 10):
                pass
    return time.perf_counter() - begun


def measure_replay(relay, arguments):
    """Messages a second of a whole session to one client."""
    session = relay.new()
    relay.say(session, f"/flood {arguments.messages}")
    results = []
    for _ in range(arguments.repeats):
        floor = floor_replay(relay)
        one = {"floor": arguments.messages / floor}
        for kind in READERS:
            seconds, size = timed_replay(relay, kind, session, arguments.messages)
            one[kind.name] = arguments.messages / seconds
            one[kind.name + ", bytes"] = size / arguments.messages
        results.append(one)
    return session, results


def measure_attach(relay, session, arguments):
    """Seconds from session/resume to the tenth message, some twenty before the end of a long session."""
    last = relay.shown(session)["lastSequence"]
    results = {}
    for kind in READERS:
        times = []
        for _ in range(arguments.attaches):
            seconds, _ = timed_replay(relay, kind, session, 10, after=last - 20)
            times.append(seconds)
        times.sort()
        results[kind.name] = {"p50": statistics.median(times), "p99": times[int(len(times) * 0.99)], "max": times[-1]}
    return results


def measure_write(relay, arguments):
    """A long turn written through: how large the files beside the database get, and the relay's memory."""
    session = relay.new()
    chunks = arguments.write_mib * MIB // 65536
    peaks = {"wal": 0, "journal": 0}

    def look():
        for path in relay.directory.glob("messages.db*"):
            kind = "wal" if path.name.endswith("-wal") else "journal" if ".journal." in path.name else None
            with contextlib.suppress(OSError):
                if kind == "journal":
                    peaks["journal"] = max(peaks["journal"], sum(
                        one.stat().st_size for one in relay.directory.glob("messages.db.journal.*")))
                elif kind:
                    peaks[kind] = max(peaks[kind], path.stat().st_size)

    relay.forget_peak()
    before, begun = relay.memory(), time.perf_counter()
    relay.say(session, f"/chunks {chunks} 65536", look)
    return session, chunks, {"seconds": time.perf_counter() - begun, **peaks,
                             "memory": relay.memory("VmHWM") - before}


def measure_memory(relay, session, chunks):
    """Growth of the relay while it replays a large session, to a client that reads as fast as it can and to a slow one."""
    results = {}
    for name, pause in (("fast client", 0), ("slow client", 0.004)):
        time.sleep(1)
        relay.forget_peak()
        before = relay.memory()
        reader = EventReader(relay)
        with contextlib.closing(reader.connection):
            begun = time.perf_counter()
            reader.ask(session, 0)
            size = read_chunks(reader.connection, chunks, lambda pause=pause: pause and time.sleep(pause))
        results[name] = {"growth": relay.memory("VmHWM") - before, "bytes": size,
                         "seconds": time.perf_counter() - begun}
    return results


def start_seconds(relay, pinning):
    """From the start of the process until /api/ready says 200."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(relay.build / "acp-relay"), "serve", "--config", str(relay.config)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               cwd=relay.directory, preexec_fn=pinning.pin_elsewhere)
    try:
        while time.perf_counter() - begun < 120:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", relay.management, timeout=5)
                connection.request("GET", "/api/ready")
                if connection.getresponse().status == 200:
                    return process, time.perf_counter() - begun
            time.sleep(0.002)
        raise BenchError("the relay does not become ready")
    except BaseException:
        process.kill()
        process.wait()
        raise


def measure_start(build, arguments, pinning, stack):
    """A start with many closed sessions and live ones in containers, which are killed from, and gone on with."""
    from acp_sdk import ContainersOf

    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
    containers = ContainersOf(build / "acp-demo-agent", stack)
    relay = Relay(build, directory, containers.block)
    process, empty = start_seconds(relay, pinning)
    try:
        live = [relay.new() for _ in range(arguments.live)]
        for session in live:
            relay.call("session/prompt", sessionId=session, content=[{"type": "text", "text": "/flood 100"}])
        with contextlib.closing(sqlite3.connect(relay.database, timeout=30)) as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(sessions)") if row[1] not in ("number", "id")]
            names = ", ".join(columns)
            for each in range(arguments.closed):
                database.execute(f"INSERT INTO sessions (id, {names}) SELECT ?, {names} FROM sessions LIMIT 1",
                                 (f"sess_{each:032x}",))
            database.execute("UPDATE sessions SET closed_at = created_at, cause = 'closed' WHERE id LIKE "
                             "'sess_000000000000%'")
            database.commit()
        time.sleep(1)
        results = []
        for _ in range(arguments.repeats):
            process.kill()
            process.wait()
            process, seconds = start_seconds(relay, pinning)
            known = relay.call("session/list", limit=1000, activeOnly=True)["sessions"]
            results.append({"ready": seconds, "live": len(known), "engine": engine_seconds(containers, live)})
        return empty, results
    finally:
        process.terminate()
        process.wait()


class EngineConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def engine_seconds(containers, sessions):
    """The floor: the Engine's own time to list the containers and to tell of each of them, one after another."""
    address = containers._engine.host.removeprefix("unix://")
    begun = time.perf_counter()
    connection = EngineConnection(address)
    with contextlib.closing(connection):
        for path in ("/containers/json?all=1", *(f"/containers/acp-agent-{one}/json" for one in sessions)):
            connection.request("GET", path)
            connection.getresponse().read()
    return time.perf_counter() - begun


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release",
                        help="build directory with acp-relay and acp-demo-agent (default: build/release)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        choices=["replay", "attach", "start", "write", "memory"], help="may be repeated")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1_000_000, help="of the session that is replayed")
    parser.add_argument("--attaches", type=int, default=200)
    parser.add_argument("--write-mib", type=int, default=2048)
    parser.add_argument("--closed", type=int, default=1000)
    parser.add_argument("--live", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="small counts: shows that everything works")
    parser.add_argument("--json", type=Path, help="write every measured number to this file")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats, arguments.messages, arguments.attaches = 1, 20_000, 10
        arguments.write_mib, arguments.closed, arguments.live = 64, 20, 2
    return arguments


def wanted(arguments, *names):
    return not arguments.only or any(name in arguments.only for name in names)


def run(arguments, stack):
    build, pinning = arguments.build.resolve(), Pinning()
    if missing := [str(path) for path in (build / "acp-relay", build / "acp-demo-agent") if not path.exists()]:
        raise BenchError(f"not built: {', '.join(missing)}; run scripts/build.sh, or name another build with --build")
    pinning.pin_elsewhere()
    results = {}
    if wanted(arguments, "replay", "attach"):
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
        with Relay(build, directory).running(pinning) as relay:
            session, results["replay"] = measure_replay(relay, arguments)
            results["attach"] = measure_attach(relay, session, arguments)
    if wanted(arguments, "write", "memory"):
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
        with Relay(build, directory).running(pinning) as relay:
            session, chunks, results["write"] = measure_write(relay, arguments)
            results["memory"] = measure_memory(relay, session, chunks)
    if wanted(arguments, "start"):
        results["start, empty"], results["start"] = measure_start(build, arguments, pinning, stack)
    return results


def goal(name, limit, measured, reached):
    return [name, limit, measured, "yes" if reached else "no"]


def render(arguments, results):
    lines = [f"Machine: {machine()}. Medians of {arguments.repeats} repeats: messages/s of the replay and its floor, "
             "and the start with sessions.", "All else was measured once; bytes a message are of the first repeat.", ""]
    if arguments.quick:
        lines += ["**A quick run shows that everything works; its numbers mean nothing.**", ""]
    goals = []
    if replay := results.get("replay"):
        rows = [["floor: the files of the journal read, nothing sent",
                 number(statistics.median(one["floor"] for one in replay)), "-", "-"]]
        for kind in READERS:
            rate = statistics.median(one[kind.name] for one in replay)
            share = statistics.median(one[kind.name] / one["floor"] for one in replay)
            rows.append([kind.name, number(rate), f"{share:.2f}x", number(replay[0][kind.name + ", bytes"])])
            goals.append(goal(f"replay over {kind.name}, messages/s", "at least 200,000", number(rate), rate >= 2e5))
        lines += [f"## Replay of {arguments.messages:,} small messages to one client", "",
                  *table(["client", "messages/s", "to floor", "bytes a message"], rows)]
        rows = []
        for name, times in results["attach"].items():
            rows.append([name, *(number(times[key] * 1000) for key in ("p50", "p99", "max"))])
            goals.append(goal(f"attach over {name}, p50 ms", "below 5", number(times["p50"] * 1000),
                              times["p50"] < 0.005))
        lines += [f"## Attaching near the end of {arguments.messages:,} messages", "",
                  *table(["client", "p50 ms", "p99 ms", "max ms"], rows)]
    if write := results.get("write"):
        lines += [f"## {arguments.write_mib:,} MiB written through", "",
                  *table(["seconds", "MiB/s", "WAL at most, MiB", "journal, MiB", "memory grew by, MiB"],
                         [[number(write["seconds"]), number(arguments.write_mib / write["seconds"]),
                           *(number(write[key] / MIB) for key in ("wal", "journal", "memory"))]]),
                  f"## {arguments.write_mib:,} MiB replayed", "",
                  *table(["client", "MiB/s", "memory grew by, MiB"],
                         [[name, number(one["bytes"] / MIB / one["seconds"]), number(one["growth"] / MIB)]
                          for name, one in results["memory"].items()])]
    if start := results.get("start"):
        ready = statistics.median(one["ready"] for one in start)
        engine = statistics.median(one["engine"] for one in start)
        lines += [f"## Start with {arguments.closed:,} closed and {arguments.live} live sessions after kill -9", "",
                  *table(["start", "ready after ms", "Engine's own ms", "live afterwards"],
                         [["empty log", number(results["start, empty"] * 1000), "-", "-"],
                          ["with sessions", number(ready * 1000), number(engine * 1000), str(start[-1]["live"])]])]
        goals.append(goal("start, ready after s beyond the Engine's own time", "below 1", number(ready - engine),
                          ready - engine < 1 and all(one["live"] == arguments.live for one in start)))
    return "\n".join([*lines, *table(["goal", "limit", "measured", "reached"], goals)])


def main():
    arguments = parse_arguments()
    try:
        with contextlib.ExitStack() as stack:
            results = run(arguments, stack)
    except BenchError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    tables = render(arguments, results)
    print(tables)
    if arguments.output:
        arguments.output.write_text(tables + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
