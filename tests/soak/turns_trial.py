"""Many turns in flight when SIGTERM comes: each is answered or told its error, and the next start has them all."""
import asyncio
import collections
import json
import signal

import websockets

from harness.chaos import history
from harness.deadline import PATIENCE, SCALE, wait_until
from harness.viewers import HttpConnection, call
from keep_alive import KeepAlive

END_SECONDS = 60 * SCALE  # SIGTERM to the end of the relay; server.shutdown_timeout is 20 s
DIALECTS = ("http", "stream", "websocket")
LONG = "/sleep 600"


def prompt_of(draw, dialect):
    """Over HTTP nobody could answer a question, so that the relay does it itself."""
    waits = LONG if dialect != "websocket" else draw.choice([LONG, "/permission"])
    return draw.choice([waits, f"/chunks {draw.randrange(20_000, 40_000)} 100"])


class Turn:
    """A session of its own, and what its client was told; `told` is a result or an error."""

    def __init__(self, trial, number):
        self.trial, self.dialect = trial, DIALECTS[number % 3]
        self.text = prompt_of(trial.random, self.dialect)
        self.ports = trial.relay.config["server"]
        self.told = self.cut = None

    async def open(self):
        created = await call(self.ports["http_port"], "session/new", workingDirectory=str(self.trial.relay.workspace))
        self.session = created["sessionId"]

    def params(self):
        return {"sessionId": self.session, "content": [{"type": "text", "text": self.text}]}

    def talks(self):
        return self.text.startswith("/chunks")

    async def ask(self):
        try:
            self.told = await getattr(self, "ask_" + self.dialect)()
        except (OSError, asyncio.IncompleteReadError, websockets.WebSocketException) as failure:
            self.cut = f"{type(failure).__name__}: {failure}"

    async def ask_http(self):
        client = KeepAlive(self.ports["http_port"])
        try:
            result, error = await client.call("session/prompt", seconds=600, **self.params())
            return result or error
        finally:
            client.close()

    async def ask_stream(self):
        stream = await HttpConnection.ask(
            self.ports["http_port"], "POST", "/session/prompt", {"Accept": "text/event-stream"},
            {"jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": self.params()})
        try:
            async for _, message in stream.events():
                if message.get("id") == 1 and "method" not in message:
                    return message.get("result") or message["error"]
        finally:
            stream.drop()

    async def ask_websocket(self):
        async with websockets.connect(self.trial.relay.ws_url, compression=None, ping_interval=None, max_queue=None,
                                      open_timeout=PATIENCE * 3) as socket:
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/prompt",
                                          "params": self.params()}))
            async for text in socket:
                message = json.loads(text)
                if message.get("id") == 1 and "method" not in message:
                    return message.get("result") or message["error"]

    def judge(self):
        where = f"a turn over {self.dialect}"
        if self.told is None:
            self.trial.problem(f"{where} was told nothing: {self.cut or 'the connection was closed'}")
        elif "code" in self.told:
            self.trial.check_error(self.told, where)
        elif "stopReason" not in self.told:
            self.trial.problem(f"{where} was answered with {self.told}")


async def ask_and_end(trial, turns):
    room = asyncio.Semaphore(16)

    async def open_one(number, turn):
        async with room:
            await turn.open()
            trial.progress(number, "sessions open")

    await asyncio.gather(*(open_one(number, turn) for number, turn in enumerate(turns)))
    asked = [asyncio.create_task(turn.ask()) for turn in turns if not turn.talks()]
    questions = sum(turn.text == "/permission" for turn in turns)
    waiting = questions + sum(turn.text == LONG for turn in turns)
    while not await asyncio.to_thread(all_wait, trial.relay, questions, waiting):
        await asyncio.sleep(0.05)
        if trial.time_is_up():
            raise AssertionError("the turns did not begin in time")
    # Those that talk begin last: SIGTERM finds all of them talking.
    said = trial.relay.metric("acp_relay_messages_total")
    asked += [asyncio.create_task(turn.ask()) for turn in turns if turn.talks()]
    while await asyncio.to_thread(trial.relay.metric, "acp_relay_messages_total") < said + 500 * trial.size:
        await asyncio.sleep(0.05)
        if trial.time_is_up():
            raise AssertionError("the agents did not talk in time")
    trial.stop_watching()  # it may refuse from here on
    in_flight = sum(turn.told is None for turn in turns)
    trial.relay.send_signal(signal.SIGTERM)
    await asyncio.wait(asked, timeout=END_SECONDS)
    return in_flight


def all_wait(relay, questions, waiting):
    return (relay.metric("acp_relay_permission_waits") >= questions
            and relay.metric("acp_relay_sessions", state="turn") >= waiting)


async def check_history(trial, turn):
    """1, 2, 3 without a hole, the prompt once, and the answer that the client was given."""
    rows, gaps = await history(turn.ports, turn.session)
    numbers = [row["sequence"] for row in rows]
    if gaps or numbers != list(range(1, len(numbers) + 1)):
        trial.problem(f"a history is not 1, 2, 3...: gaps {gaps}, {numbers[:3]} ... {numbers[-3:]}")
    prompts = sum(row["method"] == "session/prompt" for row in rows)
    answers = [row["rawMessage"] for row in rows if row["messageType"] == "response"]
    if prompts != 1:
        trial.problem(f"a history has {prompts} prompts; its client was told {turn.told}")
    reason = (turn.told or {}).get("stopReason")
    if reason and not any(f'"{reason}"' in answer for answer in answers):
        trial.problem(f"a client was told {reason}, the history has no such answer")
    return len(rows)


async def check_histories(trial, turns):
    return sum([await check_history(trial, turn) for turn in turns])


def run(trial):
    relay = trial.start({"agent": {"max_concurrent_sessions": trial.size + 10, "startup_timeout_seconds": 60},
                         "server": {"shutdown_timeout": "20s"}})
    relay.assert_serves()
    trial.measure()
    turns = [Turn(trial, number) for number in range(trial.size)]
    in_flight = asyncio.run(ask_and_end(trial, turns))
    code = relay.wait(END_SECONDS)
    if code != 0:
        trial.problem(f"exit code {code} after SIGTERM")
    relay.check_nothing_left()
    for turn in turns:
        turn.judge()
    told = collections.Counter((turn.told or {}).get("stopReason", "an error") for turn in turns)
    relay.start()
    messages = asyncio.run(check_histories(trial, turns))
    before = trial.measured
    trial.measure()
    trial.measured["memory"] = before["memory"]
    wait_until(lambda: not relay.agents(), "the second relay has no agents")
    answers = ", ".join(f"{count} {what}" for what, count in told.most_common())
    return (f"{in_flight} of {trial.size} turns in flight at SIGTERM, told {answers}; {messages:,} messages in whole "
            f"histories after the restart")
