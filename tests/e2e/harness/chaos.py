"""Kills a relay again and again while its sessions talk, and counts what that cost.

A round is one session: a watcher over one dialect follows its turns, the relay gets SIGKILL at random points of them
and is started again on the same database, and the watcher goes on with the last number that it has. Afterwards the
agent's output is compared with what the watcher saw, with what the relay replays, and with the numbers of the log.
Others may watch, too, each of them cut at random between two messages all the while.
"""
import asyncio
import collections
import contextlib
import dataclasses
import json
import random
import signal
import time

from .deadline import PATIENCE
from .viewers import CHUNK, DIALECTS, END, GAP, Cut, HttpConnection, Refused, RelayEvents, call

TURN_SECONDS = PATIENCE * 6
LAST_WORDS = "over-and-out"


def said(count, size):
    """What the demo agent says to `/chunks COUNT SIZE`."""
    return [f"{number} ".ljust(size, "x") if len(str(number)) < size else "x" * size for number in range(count)]


def loss(heard, wanted):
    """(lost, doubled, out of order) of texts, which may repeat, as those of turns of equal chunks do."""
    seen, due = collections.Counter(heard), collections.Counter(wanted)
    lost, doubled = (due - seen).total(), (seen - due).total()
    return lost, doubled, int(not lost and not doubled and heard != wanted)


@dataclasses.dataclass
class Outcome:
    seed: int
    dialect: str
    plan: str
    kills: int = 0
    cuts: int = 0         # of the other watchers
    chunks: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    left_over: int = 0
    asked_again: int = 0  # prompts that the killed relay had not taken, or not passed on
    refused: int = 0      # those of them that the next one answered with an error
    seconds: float = 0.0
    problems: list = dataclasses.field(default_factory=list)

    def bad(self):
        return bool(self.lost or self.doubled or self.disordered or self.left_over or self.problems)

    def line(self, number):
        text = (f"round {number:3d}  seed {self.seed}  {self.dialect:13s}  {self.plan:34s}  {self.kills} kills  "
                f"lost {self.lost}  doubled {self.doubled}  left over {self.left_over}  {self.seconds:.1f} s")
        if self.cuts:
            text += f"  {self.cuts} cuts"
        if self.asked_again:
            text += f"  asked {self.asked_again + 1} times"
        if self.disordered:
            text += "  OUT OF ORDER"
        return "\n    ".join([text, *self.problems])


async def prompt(ports, session, text, id):
    """Sends a prompt and stays for its end, or for the end of the relay: the events that came."""
    seen = []
    try:
        stream = await HttpConnection.ask(
            ports["http_port"], "POST", "/session/prompt", {"Accept": "text/event-stream"},
            {"jsonrpc": "2.0", "id": id, "method": "session/prompt",
             "params": {"sessionId": session, "content": [{"type": "text", "text": text}]}})
        try:
            async with contextlib.aclosing(stream.events()) as events:
                async for number, message in events:
                    seen.append((number, message))
                    if "method" not in message:
                        break
        finally:
            stream.drop()
    except (OSError, Cut):
        pass
    return seen


async def history(ports, session):
    rows, after = [], 0
    while True:
        page = await call(ports["http_port"], "session/history", sessionId=session, after=after, limit=1000)
        rows += page["messages"]
        if not page["hasMore"]:
            return rows, page["gaps"]
        after = page["nextAfter"]


async def replay(ports, session):
    """Everything that the relay shows of a session that is closed."""
    viewer = RelayEvents(ports, session)
    try:
        await asyncio.wait_for(viewer.watch(1 << 60, lambda _: False), PATIENCE)
    except Cut:
        pass
    return viewer


async def state(ports, session):
    listed = await call(ports["http_port"], "session/list", limit=1000)
    return next((one for one in listed["sessions"] if one["id"] == session), None)


class Chaos:
    """One relay that is killed in every round. `directory_of(session)` says what is left of a session."""

    def __init__(self, relay, leftovers):
        self.relay, self.leftovers = relay, leftovers
        self.ports = relay.config["server"]

    def kill(self):
        self.relay.process.send_signal(signal.SIGKILL)
        self.relay.process.wait()

    async def start(self):
        await asyncio.to_thread(self.relay.start)

    async def round(self, seed, dialects=None, others=()):
        """`others`: dialects of further watchers, which are cut at random."""
        draw = random.Random(seed)
        dialect = draw.choice(sorted(dialects or DIALECTS))
        count, size = int(10 ** draw.uniform(1.5, 4.3)), int(10 ** draw.uniform(1, 2.7))
        kills = draw.choice([1, 1, 1, 2, 3])
        # Most fall within the turn, some before the first chunk and some about its end.
        points = sorted(draw.choice([0, count]) if draw.random() < 0.1 else draw.randrange(count)
                        for _ in range(kills))
        outcome = Outcome(seed, dialect, f"{count} of {size} B, killed at {','.join(map(str, points))}")
        begun = time.monotonic()
        watcher, further, tasks = None, [], []
        try:
            session = (await call(self.ports["http_port"], "session/new",
                                  workingDirectory=str(self.relay.workspace)))["sessionId"]
            watcher = DIALECTS[dialect](self.ports, session)
            further = [DIALECTS[one](self.ports, session) for one in others]
            turn = self.turn(outcome, watcher, draw, f"/chunks {count} {size}", points)
            views = [self.follow_cut(outcome, one, random.Random(f"{seed} {one.dialect}"), count) for one in further]
            tasks = [asyncio.create_task(one) for one in (turn, *views)]
            await asyncio.wait_for(asyncio.gather(*tasks), TURN_SECONDS)
            wanted = said(count, size) + [LAST_WORDS]
            await self.check(outcome, watcher, session, wanted)
            self.check_others(outcome, further, wanted)
        except (Refused, AssertionError, OSError, Cut, asyncio.TimeoutError) as problem:
            outcome.problems.append(f"{type(problem).__name__}: {str(problem)[:1000]}")
            if watcher is not None:
                heard = [text for text in watcher.texts() if text != LAST_WORDS]
                outcome.lost, outcome.doubled, _ = loss(heard, said(count, size))
            if not self.relay.running():
                await self.start()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in further:
                await one.stop()
            if watcher is not None:
                await watcher.stop()
                outcome.left_over = await self.close(outcome, watcher.session)
        outcome.seconds = time.monotonic() - begun
        return outcome

    async def turn(self, outcome, watcher, draw, text, points):
        """A turn with its kills, then a short one that is left alone; until the watcher has seen both."""
        asking = asyncio.create_task(prompt(self.ports, watcher.session, text, "the turn"))
        try:
            for point in points:
                await self.follow(watcher, lambda v, point=point: v.counts[CHUNK] >= point or v.counts[END])
                await asyncio.sleep(draw.choice([0, 0, draw.uniform(0, 0.02)]))
                self.kill()
                outcome.kills += 1
                await asking
                await self.start()
                known = await state(self.ports, watcher.session)
                if not known or not known["isActive"]:
                    raise Refused(f"the session is closed: {known['cause']}" if known else "the session is unknown")
                asking = asyncio.create_task(self.ask_again(outcome, watcher.session, text))
            await asking
            asking = asyncio.create_task(prompt(self.ports, watcher.session, LAST_WORDS, "the end"))
            await self.follow(watcher, lambda v: v.shows(LAST_WORDS))
            await asking
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await asking

    async def ask_again(self, outcome, session, text):
        """A prompt that the killed relay had not passed on is the client's to send again, once it has been told."""
        while True:
            try:
                rows, _ = await history(self.ports, session)
            except OSError:  # killed again
                return
            asked = [row["sequence"] for row in rows if row["method"] == "session/prompt"]
            refused = sum(row["messageType"] == "response" and '"relay_restarted"' in row["rawMessage"] for row in rows)
            if len(asked) == refused:
                outcome.asked_again += 1
                outcome.refused = refused
                return await prompt(self.ports, session, text, "the turn")
            if any(row["direction"] == "agent_to_relay" and row["sequence"] > asked[-1] for row in rows):
                return
            await asyncio.sleep(0.05)  # the relay finds out whether the agent has it

    async def follow(self, watcher, done):
        """Reads until done(watcher), over as many connections as it takes."""
        while True:
            try:
                if await watcher.watch(1 << 60, done):
                    return
            except (Cut, OSError) as problem:
                known = await state(self.ports, watcher.session) if self.relay.running() else None
                if known and not known["isActive"]:
                    raise Refused(f"the session is closed: {known['cause']}") from problem
                await asyncio.sleep(0.02)

    async def follow_cut(self, outcome, watcher, draw, count):
        """Reads to the last words, over connections that are each cut behind a random number of messages."""
        typical = count / draw.uniform(2, 10)
        while True:
            budget = int(draw.expovariate(1 / typical))
            try:
                if await watcher.watch(budget, lambda v: v.shows(LAST_WORDS)):
                    return
                outcome.cuts += budget > 0  # without one it has not connected
            except (Cut, OSError):
                await asyncio.sleep(0.02)

    def check_others(self, outcome, watchers, wanted):
        for one in watchers:
            found = loss(one.texts(), wanted)
            if found != (0, 0, 0) or one.problems or one.texts(GAP):
                outcome.problems.append(f"{one.dialect}: (lost, doubled, out of order) {found}, "
                                        f"gaps {one.texts(GAP)}, {one.problems[:5]}")

    async def check(self, outcome, watcher, session, wanted):
        outcome.chunks = len(wanted)
        outcome.lost, outcome.doubled, outcome.disordered = loss(watcher.texts(), wanted)
        outcome.problems += watcher.problems[:5]
        if gaps := watcher.texts(GAP):
            outcome.problems.append(f"the watcher was told of gaps {gaps}")
        rows, gaps = await history(self.ports, session)
        numbers = [row["sequence"] for row in rows]
        if numbers != list(range(1, len(numbers) + 1)):
            odd = [pair for pair in zip(numbers, numbers[1:]) if pair[1] != pair[0] + 1]
            outcome.problems.append(f"numbers of the log begin with {numbers[:1]} and jump at {odd[:5]}")
        if gaps:
            outcome.problems.append(f"gaps in the log: {gaps}")
        ends = [json.loads(row["rawMessage"]).get("result", {}).get("stopReason") for row in rows
                if row["messageType"] == "response" and row["direction"] == "agent_to_relay"
                and '"stopReason"' in row["rawMessage"]]
        if ends != ["end_turn", "end_turn"]:
            outcome.problems.append(f"the turns ended with {ends}")
        asked = sum(row["method"] == "session/prompt" for row in rows)
        if asked != 2 + outcome.refused:
            outcome.problems.append(f"the log has {asked} prompts")

    async def close(self, outcome, session):
        try:
            await call(self.ports["http_port"], "session/close", sessionId=session)
            again = await replay(self.ports, session)
            if not outcome.problems and loss(again.texts(), said_by(outcome)) != (0, 0, 0):
                outcome.problems.append(f"the replay of the closed session has {len(again.texts())} chunks")
        except (Refused, OSError, Cut, asyncio.TimeoutError) as problem:
            outcome.problems.append(f"close: {type(problem).__name__}: {str(problem)[:300]}")
        return await asyncio.to_thread(self.leftovers, session)


def said_by(outcome):
    count, _, size = outcome.plan.split(" ")[:3]
    return said(int(count), int(size)) + [LAST_WORDS]


def container_leftovers(relay):
    """How many of a closed session's container and directories are still there after a while."""
    def count(session):
        end = time.monotonic() + PATIENCE
        while True:
            left = [relay.container(session) is not None, (relay.base / session).exists()]
            if not any(left) or time.monotonic() > end:
                return sum(left)
            time.sleep(0.05)
    return count
