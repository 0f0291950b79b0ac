"""Many sessions, one after another: what each of them leaves behind adds up here."""
import asyncio

from harness.deadline import wait_until
from keep_alive import KeepAlive

AT_ONCE = 8
TALKS = 10  # every tenth session has a turn


async def one(trial, client, number):
    created, error = await client.call("session/new", workingDirectory=str(trial.relay.workspace))
    if error:
        trial.problem(f"session/new: {error['message']}")
        return
    session = created["sessionId"]
    if number % TALKS == 0:
        result, error = await client.call("session/prompt", sessionId=session,
                                          content=[{"type": "text", "text": f"session {number}"}])
        if error or result["stopReason"] != "end_turn":
            trial.problem(f"session/prompt: {error or result}")
    _, error = await client.call("session/close", sessionId=session)
    if error:
        trial.problem(f"session/close: {error['message']}")


async def all_of_them(trial):
    numbers = iter(range(trial.part))
    done = 0

    async def work():
        nonlocal done
        client = KeepAlive(trial.relay.config["server"]["http_port"])
        try:
            for number in numbers:
                if trial.time_is_up():
                    return
                await one(trial, client, number)
                done += 1
                trial.progress(done, "sessions")
        finally:
            client.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done


def run(trial):
    relay = trial.start()
    relay.assert_serves()
    trial.measure()
    done = sum(trial.in_rounds(lambda: asyncio.run(all_of_them(trial))))
    # The database follows a moment later.
    wait_until(lambda: relay.query("SELECT count(*) FROM sessions WHERE closed_at IS NOT NULL")[0][0] >= done,
               f"the database has {done} closed sessions")
    size = sum(file.stat().st_size for file in relay.directory.glob("relay.db*")) / (1 << 20)
    return f"{done:,} of {trial.size:,} sessions, {done // TALKS:,} of them with a turn; database {size:.0f} MiB"
