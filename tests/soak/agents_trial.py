"""Hostile agents, mixed: each session gets an answer or an error in time, and nothing of its agent stays."""
import asyncio
import collections
import pathlib
import random
import shutil
import time

from harness.deadline import SCALE
from hostile_agent import WAYS
from keep_alive import KeepAlive
from trial import GIVES_BACK

AGENT = pathlib.Path(__file__).parent / "hostile_agent.py"
AT_ONCE = 12
CALL_SECONDS = 30 * SCALE  # for the answer of any call; most take far less
PROMPT_TIMEOUT = "1s"
TURN_SECONDS = 3 * SCALE


async def call(trial, client, outcome, number, method, **params):
    """The result, or None; the outcome is counted."""
    begun = time.monotonic()
    try:
        result, error = await client.call(method, seconds=CALL_SECONDS, **params)
    except (TimeoutError, asyncio.TimeoutError):
        trial.problem(f"session {number}: {method} is not answered within {CALL_SECONDS:.0f} s")
        client.close()
        return None
    finally:
        outcome["slowest"] = max(outcome["slowest"], time.monotonic() - begun)
    if error:
        data = trial.check_error(error, f"session {number}: {method}")
        outcome[method + ": " + data.get("error_type", "the agent's own error")] += 1
    return result


async def one(trial, client, other, outcome, number):
    directory = trial.relay.workspace / f"agent-{number}"
    directory.mkdir()
    created = await call(trial, client, outcome, number, "session/new", workingDirectory=str(directory))
    if created:
        session = created["sessionId"]
        prompt = {"sessionId": session, "content": [{"type": "text", "text": "hello"}]}
        # An agent that does not listen is not ended by a time limit: its client closes the session.
        asked = asyncio.create_task(call(trial, client, outcome, number, "session/prompt", **prompt))
        await asyncio.wait([asked], timeout=TURN_SECONDS)
        if asked.done() and random.Random(number).random() < 0.3:  # to what may be gone, hung or alive
            asked = asyncio.create_task(call(trial, client, outcome, number, "session/prompt", **prompt))
            await asyncio.wait([asked], timeout=TURN_SECONDS)
        await call(trial, other, outcome, number, "session/close", sessionId=session)
        result = await asked
        outcome["turns: " + result["stopReason"] if result else "turns: failed"] += 1
    shutil.rmtree(directory, ignore_errors=True)


async def all_of_them(trial, outcome):
    numbers = iter(range(trial.part))  # the same in every round
    done = 0

    async def work():
        nonlocal done
        port = trial.relay.config["server"]["http_port"]
        client, other = KeepAlive(port), KeepAlive(port)
        for number in numbers:
            if trial.time_is_up() or not trial.relay.running():
                return
            await one(trial, client, other, outcome, number)
            done += 1
            trial.progress(done, "agents")
        client.close()
        other.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done


def serves(relay):
    """Agent 0 is a good one."""
    directory = relay.workspace / "agent-0"
    directory.mkdir()
    client = relay.http()
    session = client.new(directory)
    assert client.prompt_text(session, "still alive") == "still alive"
    client.result("session/close", sessionId=session)


def run(trial):
    relay = trial.start({
        "server": {"max_message_bytes": "1M"},
        "agent": {"command": "/usr/bin/python3", "args": [str(AGENT), str(trial.seed)], "startup_timeout_seconds": 3,
                  "stop_grace": "200ms", "max_inbox_bytes": "4M"},
        "sessions": {"prompt_timeout": PROMPT_TIMEOUT, "max_pending_bytes": "4M"}}, env=GIVES_BACK)
    # The first way is a good agent: what it leaves is the measure.
    trial.measure()
    outcome = collections.Counter(slowest=0)
    done = sum(trial.in_rounds(lambda: asyncio.run(all_of_them(trial, outcome))))
    slowest = outcome.pop("slowest")
    trial.still_serves = serves
    told = ", ".join(f"{count} {what}" for what, count in outcome.most_common(8))
    return (f"{done} of {trial.size} hostile agents of {len(WAYS) - 1} kinds ({told}); the slowest call took "
            f"{slowest:.1f} s")
