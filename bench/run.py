#!/usr/bin/env python3
"""Measures the relay against the floor and prints tables. See README.md beside this file."""

import argparse
import functools
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

from containers import ContainerBench
from contenders import BenchError, Floor, Pinning, Relay
from report import LOG_OFF, LOG_ON, render
from scenarios import all_scenarios

CLIENT_SECONDS = 300


def parse_arguments():
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=root / "build/release",
                        help="build directory with acp-relay and bench/ (default: build/release)")
    parser.add_argument("--relay", type=Path, help="the relay's binary (default: in --build)")
    parser.add_argument("--repeats", type=int, help="default: 5, with --quick 1")
    parser.add_argument("--quick", action="store_true",
                        help="small counts, one repeat: shows that everything works")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="run scenarios with this in their name (may be repeated)")
    parser.add_argument("--without", action="append", default=[], metavar="NAME",
                        help="leave out scenarios with this in their name (may be repeated)")
    parser.add_argument("--contenders", default="floor,log-on,log-off",
                        help="of floor, log-on and log-off (default: all, separated by commas)")
    parser.add_argument("--one-core", action="store_true",
                        help="keep the relay's log thread on the shared core, too")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    parser.add_argument("--json", type=Path, help="write every measured number to this file")
    arguments = parser.parse_args()
    arguments.relay = arguments.relay or arguments.build / "acp-relay"
    arguments.repeats = arguments.repeats or (1 if arguments.quick else 5)
    return arguments


def make_contenders(arguments, pinning):
    programs = arguments.build.resolve() / "bench"
    relay = arguments.relay.resolve()
    known = {
        "floor": Floor(programs, pinning),
        "log-on": Relay(LOG_ON, relay, programs, pinning, log=True),
        "log-off": Relay(LOG_OFF, relay, programs, pinning, log=False),
    }
    wanted = arguments.contenders.split(",")
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"no contender {unknown[0]}; there are {', '.join(known)}")
    needed = [programs / name for name in ("load_client", "echo_agent", "pipe_forwarder")]
    if wanted != ["floor"]:
        needed.append(relay)
    if missing := [str(path) for path in needed if not path.exists()]:
        sys.exit(f"not built: {', '.join(missing)}; run `scripts/build.sh bench` "
                 "or name another build with --build")
    return [known[name] for name in wanted]


def measure(scenario, contender, programs, pinning):
    """One call of the load client against a fresh server; its numbers."""
    with contender.start(scenario) as server:
        command = [str(programs / "load_client"), scenario.kind,
                   *scenario.client_arguments(), *server.client_arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=CLIENT_SECONDS,
                                  preexec_fn=functools.partial(pinning.pin_client, scenario))
        except subprocess.TimeoutExpired:
            raise BenchError(f"no result within {CLIENT_SECONDS} s; {server.output()}") from None
        if done.returncode != 0:
            raise BenchError(f"{done.stderr.strip()} {server.output()}".strip())
    return json.loads(done.stdout)


def steps_of(scenario, contenders, containers, programs, pinning):
    """For each step of a repeat: its name, a function that gives {contender: numbers}, and what
    stands for these after a failure, so that repeats stay beside each other."""
    if scenario.kind.startswith("container_"):
        if any(contender.name == LOG_ON for contender in contenders):
            yield "all in turn", lambda: containers.measure(scenario), {}
        return
    for contender in contenders:
        if contender.can_run(scenario):
            yield contender.name, lambda contender=contender: {
                contender.name: measure(scenario, contender, programs, pinning)
            }, {contender.name: None}


def run_all(repeats, scenarios, steps):
    """All repeats: (results, how many failed). `steps` is steps_of for a scenario."""
    results = {}
    failures = 0
    for repeat in range(1, repeats + 1):
        for scenario in scenarios:
            table = results.setdefault(scenario.name, {})
            for name, step, gap in steps(scenario):
                label = f"{repeat}/{repeats} {scenario.name}, {name}"
                print(label, file=sys.stderr, flush=True)
                try:
                    measured = step()
                except BenchError as error:
                    failures += 1
                    measured = gap
                    print(f"{label} FAILED: {error}", file=sys.stderr, flush=True)
                for contender, numbers in measured.items():
                    table.setdefault(contender, []).append(numbers)
    return results, failures


def hand_out(arguments, tables, results):
    print(tables)
    if arguments.output:
        arguments.output.write_text(tables + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def main():
    # What a benchmark made is removed on the way out, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = parse_arguments()
    scenarios = [scenario for scenario in all_scenarios(arguments.quick)
                 if not arguments.only or any(part in scenario.name for part in arguments.only)]
    scenarios = [scenario for scenario in scenarios
                 if not any(part in scenario.name for part in arguments.without)]
    if arguments.list:
        print("\n".join(scenario.name for scenario in scenarios))
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pinning = Pinning(arguments.one_core)
    contenders = make_contenders(arguments, pinning)
    programs = arguments.build.resolve() / "bench"

    containers = ContainerBench(arguments.relay.resolve(), programs, pinning)
    try:
        results, failures = run_all(
            arguments.repeats, scenarios,
            lambda scenario: steps_of(scenario, contenders, containers, programs, pinning))
    finally:
        containers.close()

    hand_out(arguments, render(scenarios, results, arguments.repeats, arguments.quick), results)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
