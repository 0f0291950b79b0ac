#!/usr/bin/env python3
"""Kills a relay with SIGKILL while agents in containers talk, starts it again, and counts what was lost.

Started by scripts/chaos.sh, which sees to the build and to a Docker Engine. Exit code 0: nothing was lost, doubled or
left over in any round.
"""
import argparse
import asyncio
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import containers  # noqa: E402  the path above must come first
from harness.chaos import Chaos, container_leftovers  # noqa: E402
from harness.engine import Engine  # noqa: E402
from harness.viewers import DIALECTS, call  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh", description=__doc__.split("\n\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=50, help="how many sessions (50)")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; those after it count up")
    parser.add_argument("--dialect", action="append", choices=sorted(DIALECTS), help="only these (all)")
    parser.add_argument("--bystanders", type=int, default=2, help="sessions that live through all kills (2)")
    return parser.parse_args()


async def bystanders_of(ports, relay, count):
    return [(await call(ports["http_port"], "session/new", workingDirectory=str(relay.workspace)))["sessionId"]
            for _ in range(count)]


async def still_answers(ports, session):
    result = await call(ports["http_port"], "session/prompt", sessionId=session,
                        content=[{"type": "text", "text": "still here"}])
    return result["stopReason"] == "end_turn"


async def run(relay, rounds, seed, dialects, bystanders):
    ports = relay.config["server"]
    chaos = Chaos(relay, container_leftovers(relay))
    idle = await bystanders_of(ports, relay, bystanders)
    outcomes = []
    for number in range(1, rounds + 1):
        outcome = await chaos.round(seed + number - 1, dialects)
        print(outcome.line(number), flush=True)
        outcomes.append(outcome)
    lost_bystanders = 0
    for session in idle:
        try:
            answered = await still_answers(ports, session)
        except AssertionError as problem:
            answered = False
            print(f"a session that had lived through all kills: {problem}")
        lost_bystanders += not answered
        await call(ports["http_port"], "session/close", sessionId=session)
    return outcomes, lost_bystanders


def table(outcomes, lost_bystanders, left_over, seconds):
    total = {name: sum(getattr(one, name) for one in outcomes)
             for name in ("kills", "chunks", "lost", "doubled", "disordered", "left_over", "asked_again")}
    rows = [("rounds", len(outcomes)), ("kills", total["kills"]), ("chunks", total["chunks"]),
            ("lost", total["lost"]), ("doubled", total["doubled"]), ("out of order", total["disordered"]),
            ("left over", total["left_over"] + left_over), ("sessions that did not live on", lost_bystanders),
            ("prompts to be sent again", total["asked_again"]),
            ("rounds with other problems", sum(bool(one.problems) for one in outcomes)), ("seconds", round(seconds))]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value:8}" for name, value in rows)


def main():
    arguments = parse_arguments()
    seed = random.SystemRandom().randrange(10 ** 6) if arguments.seed is None else arguments.seed
    engine = Engine.of_environment()
    image = containers.import_demo(engine)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-chaos."))
    relay = containers.ContainerRelay(directory, {"log": {"level": "info"}}, engine=engine, image=image)
    print(f"seed {seed}; the relay's log is {relay.log_file} until this ends", flush=True)
    begun, bad = time.monotonic(), True
    try:
        relay.start()
        outcomes, lost_bystanders = asyncio.run(run(relay, arguments.rounds, seed, arguments.dialect,
                                                    arguments.bystanders))
        left_over = len(relay.containers()) + len(relay.directories())
        print("\n" + table(outcomes, lost_bystanders, left_over, time.monotonic() - begun))
        bad = any(one.bad() for one in outcomes) or lost_bystanders or left_over
    finally:
        relay.kill()
        if bad:
            print(f"kept for you: {directory}")
        else:
            shutil.rmtree(directory)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
