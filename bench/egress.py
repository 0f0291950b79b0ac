#!/usr/bin/env python3
"""Measures what an agent's way to its upstream costs: first byte, streams, many at once, session start. See README.md.

Scenarios are first, events, events_gathered, blocks, sessions and start. Needs scripts/build.sh bench, the openssl
command and, for `start`, a Docker Engine.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from containers import RELAY_CONTAINERS, options, post
from contenders import BenchError, PROCESSES, RELAY_CONFIG, Pinning, Server, free_ports
from engine import Engine
from report import FLOOR, LOG_ON, Results, machine, number, table, with_ratio
from run import hand_out, run_all
from scenarios import Scenario

ROOT = Path(__file__).resolve().parent.parent
CLIENT_SECONDS = 300
PROGRAMS = ("model_server", "tls_forwarder", "stream_client", "echo_agent")
WARM_UP_STARTS = 2

# What a configuration for real has: a credential and a rule.
UPSTREAM = """\
egress:
  upstreams:
    own:
      url: https://localhost:{port}
      ca_file: {ca_file}
      credential: {{header: x-api-key, value: sk-bench-0123456789abcdef}}
      allow:
        - {{methods: [POST], path: /v1/**}}
"""

# Stands at the place of the agent's program: it says where its upstream is and becomes the echo agent.
AGENT_WITH_A_WAY = """\
/bin/sh
  args: [-c, 'echo "$BASE $KEY" > "$WAYS/$$"; exec "$0"', {agent}]
  env: {{BASE: "{{upstream:own}}", KEY: "{{upstream_key}}", WAYS: {ways}}}
  upstreams: [own]"""

CONTAINED_AGENTS = """\
agents:
  without:
    upstreams: []
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release",
                        help="build directory with acp-relay and bench/ (default: build/release)")
    parser.add_argument("--relay", type=Path, help="the relay's binary (default: in --build)")
    parser.add_argument("--repeats", type=int, help="default: 5, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="small counts, one repeat: shows that everything works")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="run scenarios with this in their name (may be repeated)")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    parser.add_argument("--json", type=Path, help="write every measured number to this file")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    arguments.relay = (arguments.relay or arguments.build / "acp-relay").resolve()
    arguments.repeats = arguments.repeats or (1 if arguments.quick else 5)
    return arguments


def all_scenarios(quick):
    def rate(name, title, count, **arguments):
        return Scenario(name, "rate", title, {**arguments, "count": count // 50 if quick else count})
    return [
        Scenario("first", "first_byte", "1 KiB up, one event of 64 B down",
                 {"size": 64, "gather": 1, "seconds": 0.3 if quick else 2}),
        rate("events", "64 B events, each written by itself", 400_000, size=64, gather=0),
        rate("events_gathered", "64 B events, written in 16 KiB", 1_000_000, size=64, gather=1),
        rate("blocks", "64 KiB blocks", 20_000, size=65536, gather=1),
        Scenario("sessions", "shares", "100 sessions, 1 KiB events", {"size": 1024, "gather": 1,
                                                                      "seconds": 2 if quick else 10}),
        Scenario("start", "start", "session/new to its answer, in a container", {"count": 3 if quick else 30}),
    ]


class Placed:
    """For a server with its own place; whatever threads it makes stay there."""

    def __init__(self, pin):
        self.pin_server = pin

    def pin_threads(self, _):
        pass


class EgressBench:
    """close() ends and removes everything."""

    def __init__(self, arguments):
        self.programs = arguments.build / "bench"
        self.binary = arguments.relay
        self.pinning = Pinning()
        self._stack = contextlib.ExitStack()
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-")))
        self._certificate = self._directory / "cert.pem"
        self._key = self._directory / "key.pem"
        self._engine = None

    def close(self):
        self._stack.close()

    def steps(self, scenario):
        """As steps_of() of run.py."""
        if scenario.kind == "start":
            yield "in turn", lambda: self._starts(scenario), {FLOOR: None, LOG_ON: None}
            return
        for name, start in ((FLOOR, self._floor), (LOG_ON, self._relay)):
            yield name, lambda name=name, start=start: {name: self._stream(scenario, start)}, {name: None}

    def _stream(self, scenario, start):
        """One call of the client against a fresh model and forwarder or relay."""
        ways = 100 if scenario.kind == "shares" else 1
        # In a stream model and client work as much as what is between them, which has a core of its own.
        place = self.pinning.pin_server if scenario.kind == "first_byte" else self.pinning.pin_elsewhere
        with contextlib.ExitStack() as stack:
            upstream = self._model(self._behind_the_client if scenario.kind == "shares" else place, stack)
            server, addresses = start(upstream, ways, stack)
            if len(addresses) != ways:
                raise BenchError(f"{len(addresses)} ways instead of {ways}; {server.output()}")
            listed = self._directory / "ways.txt"
            listed.write_text("\n".join(addresses) + "\n")
            command = [str(self.programs / "stream_client"), scenario.kind, "--ways", str(listed),
                       *options(scenario.arguments), *server.client_arguments]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CLIENT_SECONDS,
                                      preexec_fn=place)
            except subprocess.TimeoutExpired:
                raise BenchError(f"no result within {CLIENT_SECONDS} s; {server.output()}") from None
            if done.returncode != 0:
                raise BenchError(f"{done.stderr.strip()} {server.output()}".strip())
        return json.loads(done.stdout)

    def _behind_the_client(self):
        """Or a hundred threads that have something to send would hardly let the client read."""
        self.pinning.pin_elsewhere()
        os.nice(10)

    def _model(self, place, stack):
        """A model's port."""
        if not self._certificate.exists():
            make_certificate(self._certificate, self._key)
        (port,) = free_ports(1)
        directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
        command = [str(self.programs / "model_server"), str(port), str(self._certificate), str(self._key)]
        stack.enter_context(Server(command, [port], [], directory, Placed(place)))
        return port

    def _floor(self, upstream, ways, stack):
        (port,) = free_ports(1)
        directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
        command = [str(self.programs / "tls_forwarder"), str(port), str(upstream), str(self._certificate)]
        server = stack.enter_context(Server(command, [port], [], directory, Placed(self.pinning.pin_server)))
        return server, [f"http://127.0.0.1:{port}"] * ways

    def _relay(self, upstream, ways, stack):
        """Each way is that of a session of its own."""
        said = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-")))
        agent = AGENT_WITH_A_WAY.format(agent=self.programs / "echo_agent", ways=said)
        server, http_port = self._start_relay(agent, PROCESSES, upstream, stack)
        for _ in range(ways):
            new_session(http_port, {"workingDirectory": str(said)})
        return server, [path.read_text().strip() for path in said.iterdir()]

    def _start_relay(self, agent, containers, upstream, stack):
        directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
        http_port, websocket, management = free_ports(3)
        config = Path(directory.name, "config.yaml")
        config.write_text(RELAY_CONFIG.format(
            http=http_port, websocket=websocket, management=management, agent=agent,
            container=containers + UPSTREAM.format(port=upstream, ca_file=self._certificate),
            database=f"path: {Path(directory.name, 'messages.db')}"))
        command = [str(self.binary), "serve", "--config", str(config)]
        return stack.enter_context(Server(command, [http_port, websocket], [], directory, self.pinning)), http_port

    def _starts(self, scenario):
        """Two agents of one relay in turns, the default one with an upstream and one without."""
        if not self._engine:
            self._engine = Engine(self.programs / "echo_agent")
            self._stack.callback(self._engine.close)
        label, value = self._engine.label.split("=")
        contenders = {FLOOR: {"agent": "without"}, LOG_ON: {}}
        times = {name: [] for name in contenders}
        with contextlib.ExitStack() as stack:
            stack.callback(self._engine.remove_containers)
            base = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
            block = RELAY_CONTAINERS.format(image=self._engine.image, socket=self._engine.socket, base=base,
                                            label=f'{label}: "{value}"')
            agent = f"{self.programs / 'echo_agent'}\n  upstreams: [own]"
            _, http_port = self._start_relay(agent, block + CONTAINED_AGENTS,
                                             self._model(self.pinning.pin_elsewhere, stack), stack)
            for turn in range(WARM_UP_STARTS + scenario.arguments["count"]):
                for name in list(contenders)[:: 1 if turn % 2 else -1]:
                    begin = time.perf_counter()
                    answer = new_session(http_port, contenders[name])
                    elapsed = (time.perf_counter() - begin) * 1e6
                    if ("egress" in answer) != (name == LOG_ON):
                        raise BenchError(f"{name}: unexpected answer {answer}")
                    call(http_port, "session/close", {"sessionId": answer["sessionId"]})
                    if turn >= WARM_UP_STARTS:
                        times[name].append(elapsed)
        return {name: {"p50_us": statistics.median(all_of), "slowest_us": max(all_of)}
                for name, all_of in times.items()}


def make_certificate(certificate, key):
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"no certificate for the model: {error}") from None


def call(port, method, params):
    try:
        answer = post(port, method, params)
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{method}: {error}") from None
    if "error" in answer:
        raise BenchError(f"{method}: {answer['error']['message']}")
    return answer["result"]


def new_session(port, params):
    return call(port, "session/new", params)


COLUMNS = {
    "first_byte": ("One request after the other on a kept connection", [
        ("first byte p50 us", "first_us"), ("p99 us", "first_p99_us"), ("whole answer p50 us", "whole_us"),
        ("requests/s", "requests_per_s"), ("CPU us a request", "cpu_us")]),
    "rate": ("One stream", [("MiB/s", "mib_per_s"), ("CPU us a MiB", "cpu_us")]),
    "shares": ("Streams of 100 sessions at once", [
        ("least MiB", "least_mib"), ("most MiB", "most_mib"), ("least below most", "spread"),
        ("MiB/s of all", "mib_per_s"), ("CPU us a MiB", "cpu_us")]),
    "start": ("Session start; the floor is an agent without upstreams", [
        ("p50 us", "p50_us"), ("slowest us", "slowest_us")]),
}

# Text, limit, whether at least that much, scenario, number; a ratio to the floor unless `plain`.
GOALS = [
    ("first byte: p50 to the floor", 1.15, False, "first", "first_us", False),
    ("64 B events, each by itself: bytes/s to the floor", 0.8, True, "events", "mib_per_s", False),
    ("64 B events, in 16 KiB: bytes/s to the floor", 0.8, True, "events_gathered", "mib_per_s", False),
    ("64 KiB blocks: bytes/s to the floor", 0.8, True, "blocks", "mib_per_s", False),
    ("100 sessions: how far the least is below the most", 0.1, False, "sessions", "spread", True),
    ("session start: p50 to one without upstreams", 1.1, False, "start", "p50_us", False),
]


def goal_rows(results):
    for text, limit, at_least, scenario, key, plain in GOALS:
        value = (results.median if plain else results.ratio)(scenario, LOG_ON, key)
        reached = value is not None and (value >= limit if at_least else value <= limit)
        verdict = "not measured" if value is None else "yes" if reached else "no"
        bound = f"at {'least' if at_least else 'most'} {limit:g}"
        yield [text, bound, "-" if value is None else f"{value:.2f}", verdict]


def cell(results, scenario, contender, key):
    # A share of bytes; its ratio to the floor's would say nothing.
    if key == "spread":
        return number(results.median(scenario, contender, key))
    return with_ratio(results, scenario, contender, key)


def render(scenarios, measured, arguments):
    results = Results(measured)
    lines = [f"Machine: {machine()}. Medians of {arguments.repeats} interleaved repeats; "
             "(n x) is the ratio to the floor of the same repeat.", ""]
    if arguments.quick:
        lines += ["**A quick run shows that everything works; its numbers mean nothing.**", ""]
    for kind, (title, columns) in COLUMNS.items():
        rows = [[scenario.title, contender, *(cell(results, scenario.name, contender, key) for _, key in columns)]
                for scenario in scenarios if scenario.kind == kind
                for contender in results.contenders(scenario.name)]
        if rows:
            lines += [f"## {title}", "", *table(["", "contender", *(name for name, _ in columns)], rows)]
    lines += ["## Goals", "", *table(["goal", "limit", "measured", "reached"], goal_rows(results))]
    return "\n".join(lines)


def main():
    # What a benchmark made is removed on the way out, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = parse_arguments()
    scenarios = [scenario for scenario in all_scenarios(arguments.quick)
                 if not arguments.only or any(part in scenario.name for part in arguments.only)]
    if arguments.list:
        print("\n".join(scenario.name for scenario in scenarios))
        return 0
    needed = [arguments.relay, *(arguments.build / "bench" / name for name in PROGRAMS)]
    if missing := [str(path) for path in needed if not path.exists()]:
        sys.exit(f"not built: {', '.join(missing)}; run `scripts/build.sh bench` or name another build with --build")
    bench = EgressBench(arguments)
    try:
        results, failures = run_all(arguments.repeats, scenarios, bench.steps)
    finally:
        bench.close()
    hand_out(arguments, render(scenarios, results, arguments), results)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
