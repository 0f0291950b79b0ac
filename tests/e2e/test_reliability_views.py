"""Whatever is cut whenever: every client's view is the agent's output, once and in order.

ACP_RELIABILITY_ROUNDS sessions are watched over every dialect at once while their agents talk, and every watcher
is cut again and again, behind any message or within one. ACP_RELIABILITY_SEED repeats a run.
"""
import asyncio
import collections
import os
import random

import pytest

from harness import viewers
from harness.chaos import LAST_WORDS, said
from harness.deadline import PATIENCE
from harness.viewers import GAP, USER, Cut, HttpConnection, call

ROUNDS = int(os.environ.get("ACP_RELIABILITY_ROUNDS", "24"))
SEED = int(os.environ.get("ACP_RELIABILITY_SEED", random.SystemRandom().randrange(1 << 32)))
AT_ONCE = 4
TIME_FOR_A_ROUND = PATIENCE * 6


class Round:
    """One session, what its agent is asked to say, and who watches."""

    def __init__(self, relay, seed):
        self.relay, self.random = relay, random.Random(seed)
        self.ports = relay.config["server"]
        self.prompts, self.said = [], []
        for _ in range(self.random.randrange(2, 6)):
            count = int(10 ** self.random.uniform(0, 3))
            size = int(10 ** self.random.uniform(0, 3.5 if count < 200 else 2))
            if self.random.random() < 0.3:
                self.prompts.append(f"/flood {count}")
                size = 16
            else:
                self.prompts.append(f"/chunks {count} {size}")
            self.said += said(count, size)
        self.prompts.append(LAST_WORDS)
        self.said.append(LAST_WORDS)
        self.watchers = []

    async def run(self):
        self.session = (await call(self.ports["http_port"], "session/new",
                                   workingDirectory=str(self.relay.workspace)))["sessionId"]
        self.watchers = [kind(self.ports, self.session) for kind in viewers.DIALECTS.values()]
        try:
            await asyncio.gather(self.talk(), *(self.watch(one) for one in self.watchers))
        finally:
            for watcher in self.watchers:
                await watcher.stop()
        await call(self.ports["http_port"], "session/close", sessionId=self.session)
        self.check()

    async def talk(self):
        """Prompts one turn after another, sometimes without staying for its end, or before it."""
        for text in self.prompts:
            stream = await HttpConnection.ask(
                self.ports["http_port"], "POST", "/session/prompt", {"Accept": "text/event-stream"},
                {"jsonrpc": "2.0", "id": 1, "method": "session/prompt",
                 "params": {"sessionId": self.session, "content": [{"type": "text", "text": text}]}})
            assert stream.status == 200, await stream.body()
            stays = 1 << 30 if self.random.random() < 0.5 else self.random.randrange(20)
            async for _, message in stream.events():
                stays -= 1
                if stays < 0 or "method" not in message:
                    break
            stream.drop()

    async def watch(self, watcher):
        draw = random.Random(self.random.random())
        typical = 10 ** draw.uniform(0.5, 2.5)
        editors = draw.randrange(1, 4)
        while True:
            budget = int(draw.expovariate(1 / typical))
            try:
                if await asyncio.wait_for(watcher.watch(budget, lambda one: one.shows(LAST_WORDS)), PATIENCE):
                    return
            except (Cut, OSError):
                await asyncio.sleep(0.01)
            if editors > 1 and draw.random() < 0.1 and watcher.dialect == "connect":
                editors -= 1
                await watcher.stop()  # another editor begins at the beginning

    def check(self):
        for watcher in self.watchers:
            where = f"{watcher.dialect}, {watcher.cuts} cuts, prompts {self.prompts}"
            assert watcher.problems == [], where
            assert watcher.texts(GAP) == [], where
            heard = watcher.texts()
            if heard != self.said:
                place = next((n for n, pair in enumerate(zip(heard, self.said)) if pair[0] != pair[1]),
                             min(len(heard), len(self.said)))
                raise AssertionError(f"{where}: {len(heard)} chunks of {len(self.said)}; from {place} on "
                                     f"{[one[:20] for one in heard[place:place + 3]]}, the agent said "
                                     f"{[one[:20] for one in self.said[place:place + 3]]}")
            asked = collections.Counter(watcher.texts(USER))
            assert asked <= collections.Counter(self.prompts), where


@pytest.mark.skipif(ROUNDS == 0, reason="ACP_RELIABILITY_ROUNDS=0")
def test_every_view_is_what_the_agent_said_whatever_is_cut(make_relay):
    relay = make_relay({"log": {"level": "info"}})
    print(f"ACP_RELIABILITY_ROUNDS={ROUNDS} ACP_RELIABILITY_SEED={SEED}")
    cuts, chunks = collections.Counter(), 0

    async def rounds(first):
        nonlocal chunks
        for number in range(first, ROUNDS, AT_ONCE):
            one = Round(relay, SEED + number)
            try:
                await asyncio.wait_for(one.run(), TIME_FOR_A_ROUND)
            except BaseException as problem:
                views = {w.dialect: (len(w.texts()), w.cuts, w.last) for w in one.watchers}
                raise AssertionError(f"ACP_RELIABILITY_ROUNDS=1 ACP_RELIABILITY_SEED={SEED + number}: {problem!r}; "
                                     f"{len(one.said)} chunks, (seen, cuts, last) {views}") from problem
            cuts.update({watcher.dialect: watcher.cuts for watcher in one.watchers})
            chunks += len(one.said)

    async def everything():
        await asyncio.gather(*(rounds(first) for first in range(AT_ONCE)))

    asyncio.run(everything())
    print(f"{ROUNDS} sessions, {chunks} chunks to each of their watchers, {sum(cuts.values())} cuts: {dict(cuts)}")
    assert sum(cuts.values()) > 10 * ROUNDS
