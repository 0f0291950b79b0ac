#!/usr/bin/python3
"""An ACP agent that does harm: hostile_agent.py SEED. The seed and the name of its directory decide in which way.

The ways are those of tests/e2e/harness/scripted_agent.py that need no argument, and the functions `way_` here.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e/harness"))

import scripted_agent  # noqa: E402  the path above must come first
from scripted_agent import Agent, send, write  # noqa: E402

SCRIPTED = ["plain", "exit_in_initialize", "exit_at_once", "error_in_new", "never_initialize", "never_new", "deaf",
            "stubborn", "deaf_after_new", "garbage", "unknown_ids", "twice", "duplicate_keys", "dies_in_turn",
            "never_prompt", "error_without_id", "closes_stdin", "asks_and_never_reads", "says_other_things"]
FLOOD = 1 << 26  # bytes; the relay may end it earlier


def in_prompt(act):
    """A good agent that does this in a turn."""
    agent = Agent()
    agent.prompt = act
    return agent


def way_flood_without_newline(_):
    def flood(message):
        for _ in range(FLOOD >> 16):
            write(b"x" * 65536)
    return in_prompt(flood)


def way_flood_at_once(_):
    for _ in range(FLOOD >> 16):
        write(b'{"jsonrpc":' * 6000)
    return Agent()


def way_flood_of_updates(_):
    def flood(message):
        for number in range(20_000):
            scripted_agent.say(message["params"]["sessionId"], "x" * 100 + str(number))
        send({"id": message["id"], "result": {"stopReason": "end_turn"}})
    return in_prompt(flood)


def way_flood_of_stderr(_):
    def flood(message):
        for _ in range(200):
            os.write(2, b"y" * 65536)
        Agent.prompt(None, message)
    return in_prompt(flood)


def way_giant_message(draw):
    size = draw.choice([1 << 19, (1 << 20) - 300, 1 << 21, 1 << 25])

    def giant(message):
        scripted_agent.say(message["params"]["sessionId"], "g" * size)
        Agent.prompt(None, message)
    return in_prompt(giant)


def way_binary(draw):
    def noise(message):
        for _ in range(50):
            write(draw.randbytes(draw.randrange(1, 20_000)) + b"\n")
        Agent.prompt(None, message)
    return in_prompt(noise)


def way_deep(_):
    def deep(message):
        write(b'{"jsonrpc":"2.0","method":"session/update","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
        Agent.prompt(None, message)
    return in_prompt(deep)


def way_exit_at_random(draw):
    """After any of its lines, in the middle of any of its writes."""
    agent, left = Agent(), draw.randrange(4)
    line = agent.line

    def dying(text):
        nonlocal left
        if not left:
            write(b'{"jsonrpc":"2.0","id":1,"resu')
            draw.choice([lambda: os._exit(draw.randrange(256)), lambda: os.kill(os.getpid(), signal.SIGKILL),
                         lambda: os.kill(os.getpid(), signal.SIGSEGV)])()
        left -= 1
        line(text)

    agent.line = dying
    return agent


def way_closes_stdout(_):
    def close(message):
        os.close(1)
        signal.pause()
    return in_prompt(close)


def way_closes_everything(_):
    def close(message):
        os.closerange(0, 3)
        time.sleep(1000)
    return in_prompt(close)


def way_stops_itself(_):
    return in_prompt(lambda message: os.kill(os.getpid(), signal.SIGSTOP))


def way_forks(draw):
    """Children that ignore SIGTERM and hold the pipes."""
    agent = Agent()

    def new(message):
        for _ in range(draw.randrange(1, 6)):
            subprocess.Popen(["/bin/sh", "-c", "trap '' TERM HUP INT; sleep 1000 & wait; sleep 1000"])
        Agent.new(agent, message)

    agent.new = new
    if draw.random() < 0.5:
        agent.prompt = lambda message: os._exit(0)
    return agent


def way_same_id_for_all(_):
    """Requests with one id, again and again, and answers that nobody asked for."""
    def ask(message):
        session = message["params"]["sessionId"]
        for _ in range(200):
            send({"id": 1, "method": "fs/read_text_file", "params": {"sessionId": session, "path": "/etc/passwd"}})
            send({"id": message["id"], "method": "session/request_permission", "params": {"sessionId": session}})
        Agent.prompt(None, message)
    return in_prompt(ask)


def way_slow(_):
    """A byte at a time."""
    def slow(message):
        for byte in b'{"jsonrpc":"2.0","id":%d,"result":{"stopReason":"end_turn"}}\n' % message["id"]:
            write(bytes([byte]))
            time.sleep(0.005)
    return in_prompt(slow)


WAYS = SCRIPTED + sorted(name for name in list(globals()) if name.startswith("way_"))


def way_of(seed, name):
    """(the name of the way, what is left to draw from)."""
    number = int(name.rsplit("-", 1)[1])
    draw = random.Random(f"{seed} {number}")
    # Every way once, then at random.
    return (WAYS[number] if number < len(WAYS) else draw.choice(WAYS)), draw


def main():
    way, draw = way_of(sys.argv[1], os.path.basename(os.getcwd()))
    if way.startswith("way_"):
        agent = globals()[way](draw)
    else:
        agent = getattr(scripted_agent, "mode_" + way)()
    agent.run()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, OSError):
        os._exit(0)
