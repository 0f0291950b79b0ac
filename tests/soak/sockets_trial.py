"""Many connections at once: WebSockets, event streams and /acp; each does something, then all are gone."""
import asyncio
import json

import websockets

from harness.deadline import PATIENCE
from harness.viewers import HttpConnection, call
from harness.deadline import wait_until

SESSIONS = 8       # sessions.max_clients is 1,000
AT_ONCE = 50       # connections that are being made
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": 1, "clientCapabilities": {}}})
LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/list", "params": {}})
OPTIONS = {"compression": None, "ping_interval": None, "open_timeout": PATIENCE * 3, "close_timeout": PATIENCE,
           "max_queue": None}


class Socket:
    """A WebSocket of either dialect: a ping, and a message that is answered."""

    def __init__(self, url, message):
        self.url, self.message = url, message

    async def open(self):
        self.socket = await websockets.connect(self.url, **OPTIONS)

    async def use(self):
        await asyncio.wait_for(await self.socket.ping(), PATIENCE * 3)
        await self.socket.send(self.message)
        answer = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE * 3))
        assert answer["id"] == 1 and "result" in answer, answer

    async def close(self, in_order):
        if in_order:
            await self.socket.close()
        else:
            self.socket.transport.abort()


class Events:
    """An event stream: it is told what the agent says."""

    def __init__(self, port, session):
        self.port, self.session = port, session

    async def open(self):
        self.stream = await HttpConnection.ask(self.port, "GET", f"/session/{self.session}/events",
                                               {"Accept": "text/event-stream"})
        assert self.stream.status == 200, self.stream.status
        self.told = asyncio.create_task(self._read())

    async def _read(self):
        async for _, message in self.stream.events():
            if '"hello"' in json.dumps(message):
                return

    async def use(self):
        await asyncio.wait_for(self.told, PATIENCE * 3)

    async def close(self, in_order):
        if in_order:
            self.stream.writer.close()
        else:
            self.stream.drop()


async def each(trial, connections, what, act):
    """act(connection) for all, some at a time; how many went well."""
    room, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(connection):
        nonlocal done
        async with room:
            try:
                await act(connection)
                done += 1
                trial.progress(done, f"connections {what}")
            except Exception as failure:  # told with the trial
                trial.problem(f"{type(connection).__name__} is not {what}: {type(failure).__name__}: {failure}")

    await asyncio.gather(*map(one, connections))
    return done


async def hold(trial):
    server = trial.relay.config["server"]
    sessions = [(await call(server["http_port"], "session/new", workingDirectory=str(trial.relay.workspace)))["sessionId"]
                for _ in range(SESSIONS)]
    kinds = [lambda n: Socket(trial.relay.ws_url, LIST),
             lambda n: Events(server["http_port"], sessions[n % SESSIONS]),
             lambda n: Socket(f"ws://127.0.0.1:{server['http_port']}/acp", INITIALIZE)]
    connections = [kinds[number % 3](number) for number in range(trial.size)]
    opened = await each(trial, connections, "open", lambda one: one.open())
    held = trial.relay.metric("acp_relay_clients")
    for session in sessions:
        await call(server["http_port"], "session/prompt", sessionId=session,
                   content=[{"type": "text", "text": "hello"}])
    used = await each(trial, connections, "used", lambda one: one.use())
    numbers = {one: number for number, one in enumerate(connections)}
    await each(trial, connections, "closed", lambda one: one.close(numbers[one] % 2))
    for session in sessions:
        await call(server["http_port"], "session/close", sessionId=session)
    return opened, used, held


def run(trial):
    room = trial.size + 200
    relay = trial.start({"server": {"max_connections": room}, "agent": {"max_concurrent_sessions": SESSIONS + 2}})
    relay.assert_serves()
    trial.measure()

    def all_at_once():
        counts = asyncio.run(hold(trial))
        wait_until(lambda: relay.metric("acp_relay_clients") < 10, "the relay knows that all are gone")
        return counts

    opened, used, held = map(min, zip(*trial.in_rounds(all_at_once, part=trial.size)))
    return (f"{opened:,} of {trial.size:,} connections held at once ({held:,.0f} by the relay's count), {used:,} used, "
            f"{trial.round} times")
