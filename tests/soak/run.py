#!/usr/bin/env python3
"""Holds a relay under load and under attack, and measures what is left of it afterwards.

Started by scripts/soak.sh. Exit code 0: every trial passed.
"""
import argparse
import faulthandler
import importlib
import random
import sys

NAMES = ("sessions", "sockets", "turns", "mutations", "agents", "engines")
SIZES = {  # normal, quick
    "sessions": (30_000, 300), "sockets": (5_000, 200), "turns": (300, 30),
    "mutations": (16_000, 300), "agents": (600, 99), "engines": (300, 24)}
WHAT = {
    "sessions": "sessions opened and closed, eight at a time",
    "sockets": "WebSocket and event-stream connections held at once, three times",
    "turns": "turns in flight when SIGTERM comes, and what the next start knows of them",
    "mutations": "mutated requests and frames to the three ports",
    "agents": "sessions of agents that flood, hang, die, babble, ignore signals and fork",
    "engines": "sessions in containers of a Docker Engine whose answers are harmed"}


def parse_arguments():
    lines = [f"  {name:10} {SIZES[name][0]:,} (quick: {SIZES[name][1]:,}) {WHAT[name]}" for name in NAMES]
    parser = argparse.ArgumentParser(
        prog="scripts/soak.sh", description=__doc__.split("\n\n", maxsplit=1)[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="trials:\n" + "\n".join(lines) + "\n\nACP_RELAY_BIN and ACP_DEMO_AGENT name other programs than "
        "those of build/release.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these trials (all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, seconds each")
    parser.add_argument("--size", type=int, help="another size for the trials that run")
    parser.add_argument("--seed", type=int, help="repeats what is random (a random seed, which is printed)")
    parser.add_argument("--seconds", type=int, default=1200,
                        help="a trial that takes longer ends early, fails and says how far it came (1200)")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"no trial is named {name}; there are: {', '.join(NAMES)}")
    if arguments.size is not None and arguments.size < 1:
        parser.error("--size has to be at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    from trial import Trial  # after --help, which needs no program that was built
    seed = random.SystemRandom().randrange(10 ** 6) if arguments.seed is None else arguments.seed
    passed = []
    for name in arguments.names or NAMES:
        size = arguments.size or SIZES[name][arguments.quick]
        # Whatever hangs is ended, and says where it was.
        faulthandler.dump_traceback_later(arguments.seconds + 180, exit=True)
        passed.append(Trial(name, size, seed, arguments.seconds).run(importlib.import_module(f"{name}_trial").run))
        faulthandler.cancel_dump_traceback_later()
    print(f"{sum(passed)} of {len(passed)} trials passed; repeat what is random with --seed {seed}")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
