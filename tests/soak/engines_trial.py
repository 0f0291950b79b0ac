"""A hostile Docker Engine: each session/new ends in time, with a session or an error, and no container stays."""
import asyncio
import collections
import os
import subprocess
import tempfile
import time

from harness import containers
from harness.deadline import SCALE, wait_until
from harness.engine import Engine
from harness.relay import ROOT
from hostile_engine import HostileEngine, told
from keep_alive import KeepAlive
from trial import GIVES_BACK

AT_ONCE = 12
ONE_IN = 10          # answers, and pieces of streams, that are harmed; a session needs some ten
STARTUP_SECONDS = 10
CALL_SECONDS = 150 * SCALE  # several calls to the Engine after another, each at most 30 s where it is silent
CALM_SECONDS = 120 * SCALE  # after the last harm: everything is removed


async def call(trial, client, outcome, number, method, **params):
    """The result, or None; the outcome is counted."""
    begun = time.monotonic()
    try:
        result, error = await client.call(method, seconds=CALL_SECONDS, **params)
    except (TimeoutError, asyncio.TimeoutError):
        trial.problem(f"session {number}: {method} is not answered within {CALL_SECONDS:.0f} s")
        client.close()
        return None
    except (OSError, asyncio.IncompleteReadError) as failure:
        trial.problem(f"session {number}: {method}: {failure!r}")
        client.close()
        return None
    finally:
        outcome["slowest " + method] = max(outcome["slowest " + method], time.monotonic() - begun)
    if error:
        data = trial.check_error(error, f"session {number}: {method}", by_relay=True)  # the agent is a good one
        outcome[method + ": " + data.get("error_type", "the agent's own error")] += 1
    return result


async def one(trial, client, outcome, number):
    created = await call(trial, client, outcome, number, "session/new")
    if not created:
        return
    session = created["sessionId"]
    outcome["sessions"] += 1
    asked = asyncio.create_task(call(trial, client, outcome, number, "session/prompt", sessionId=session,
                                     content=[{"type": "text", "text": "hello"}]))
    await asyncio.wait([asked], timeout=STARTUP_SECONDS)  # what the agent was to read, or said, may be lost
    other = KeepAlive(client.port)
    await call(trial, other, outcome, number, "session/close", sessionId=session)
    other.close()
    result = await asked
    outcome["turns: " + result["stopReason"] if result else "turns: failed"] += 1


async def all_of_them(trial, outcome):
    numbers = iter(range(trial.part))
    done = 0

    async def work():
        nonlocal done
        client = KeepAlive(trial.relay.config["server"]["http_port"])
        for number in numbers:
            if trial.time_is_up() or not trial.relay.running():
                return
            await one(trial, client, outcome, number)
            done += 1
            trial.progress(done, "sessions")
        client.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done


def names(relay):
    return [one["Names"] for one in relay.containers()]


def serves(relay):
    client = relay.http()
    session = wait_until(lambda: client.call("session/new")[0].get("result"), "a session", 60)
    assert client.prompt_text(session["sessionId"], "still alive") == "still alive"
    client.result("session/close", sessionId=session["sessionId"])


def engine():
    """One that answers; scripts/soak.sh ends the one that is started where none does."""
    told = subprocess.run([ROOT / "scripts/engine.sh", "ensure", os.environ["ACP_SOAK_ENGINE"]], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    return Engine(told.strip().removeprefix("DOCKER_HOST="))


def run(trial):
    real = engine()
    image = containers.import_demo(real)
    short = trial.cleanup.enter_context(tempfile.TemporaryDirectory(prefix="acp-e.", dir="/tmp"))  # for a socket
    hostile = HostileEngine(real, f"{short}/engine.sock", trial.seed, ONE_IN)
    trial.cleanup.callback(hostile.stop)
    relay = trial.start({
        "server": {"max_message_bytes": "1M"},
        "agent": {"max_concurrent_sessions": AT_ONCE * 2, "max_inbox_bytes": "4M"},
        "container": {"docker_host": hostile.address, "startup_timeout": f"{STARTUP_SECONDS}s",
                      "shutdown_timeout": "1s"}},
        kind=containers.ContainerRelay, engine=real, image=image, env=GIVES_BACK)
    serves(relay)
    relay.wait_until_empty()
    trial.measure()
    outcome = collections.Counter()

    def harmed():
        hostile.harms = True
        done = asyncio.run(all_of_them(trial, outcome))
        hostile.harms = False
        wait_until(lambda: not relay.containers(), lambda: f"no container is left: {names(relay)}", CALM_SECONDS)
        return done

    done = sum(trial.in_rounds(harmed))
    trial.still_serves = serves
    slowest = {what: seconds for what, seconds in outcome.items() if what.startswith("slowest")}
    counts = collections.Counter({what: count for what, count in outcome.items() if what not in slowest})
    return (f"{done} of {trial.size} sessions; the Engine was asked {sum(hostile.asked.values()):,} times "
            f"({told(hostile.asked)}), harmed were {sum(hostile.done.values()):,} answers ({told(hostile.done)}); "
            f"outcome: {told(counts)}; " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in slowest.items()))
