"""Measurements in containers: one call of engine_floor for each scenario and repeat.

The floor makes the same container as the relay: the body of its create call is what the relay sent
for a session of its own, with placeholders for what differs between two sessions.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from contenders import BenchError, Relay
from engine import USER, Engine, Recorder
from report import FLOOR, LOG_ON

CLIENT_SECONDS = 900
LEAN_PROFILE = Path(__file__).resolve().parent.parent / "docker/seccomp-lean.json"
# What a container with its processes takes, with room to spare.
MIB_A_SESSION = 16

RELAY_CONTAINERS = """\
container:
  enabled: true
  required: true
  image: {image}
  pull_policy: never
  docker_host: unix://{socket}
  workspace_base_dir: {base}
  labels: {{{label}}}
"""


class ContainerBench:
    """Made on first use; close() ends and removes everything."""

    def __init__(self, relay, programs, pinning):
        self._relay = relay
        self._programs = programs
        self._pinning = pinning
        self._engine = None
        self._directory = None
        self._bodies = {}  # contender -> file

    def measure(self, scenario):
        """{contender: numbers}, all from the same run."""
        if not self._bodies:
            self._prepare()
        try:
            with self._contender(self._engine.socket).start(scenario) as server:
                if scenario.kind == "container_idle":
                    return {LOG_ON: self._idle(scenario, server)}
                return self._floor(scenario, server)
        finally:
            self._engine.remove_containers()

    def close(self):
        if self._engine:
            self._engine.close()
        if self._directory:
            self._directory.cleanup()

    def _prepare(self):
        needed = [self._relay, *(self._programs / name for name in ("engine_floor", "echo_agent")),
                  self._relay.parent / "acp-workspace-helper"]
        if missing := [str(path) for path in needed if not path.exists()]:
            raise BenchError(f"not built: {', '.join(missing)}")
        self._engine = self._engine or Engine(self._programs / "echo_agent")
        self._directory = self._directory or tempfile.TemporaryDirectory(prefix="relay-bench-")
        for name in ("bare", "relay"):
            Path(self._directory.name, name).mkdir(exist_ok=True)
        body = json.loads(self._record_body())
        variants = {FLOOR: None, "floor, no seccomp": "unconfined"}
        if LEAN_PROFILE.exists():
            profile = json.loads(LEAN_PROFILE.read_text())
            variants["floor, lean seccomp"] = json.dumps(profile, separators=(",", ":"))
        security = list(body["HostConfig"].get("SecurityOpt") or [])
        bodies = {}
        for number, (name, profile) in enumerate(variants.items()):
            extra = [f"seccomp={profile}"] if profile else []
            body["HostConfig"]["SecurityOpt"] = security + extra
            bodies[name] = Path(self._directory.name, f"body{number}.json")
            bodies[name].write_text(json.dumps(body))
        self._bodies = bodies

    def _contender(self, socket):
        name, value = self._engine.label.split("=")
        block = RELAY_CONTAINERS.format(image=self._engine.image, socket=socket,
                                        base=Path(self._directory.name, "relay"),
                                        label=f'{name}: "{value}"')
        return Relay(LOG_ON, self._relay, self._programs, self._pinning, log=True, container=block)

    def _record_body(self):
        path = str(Path(self._directory.name, "recorder.sock"))
        recorder = Recorder(self._engine.socket, path)
        try:
            with self._contender(path).start(None) as server:
                port = server.client_arguments[server.client_arguments.index("--port") + 1]
                answer = post(port, "session/new", {})
                session = answer["result"]["sessionId"]
                post(port, "session/close", {"sessionId": session})
        except (OSError, KeyError) as error:
            raise BenchError(f"the relay made no session in a container: {error}") from None
        finally:
            recorder.close()
            os.unlink(path)
        for name, body in recorder.create_calls:
            if not name.endswith(session):
                continue
            body = body.replace(session, "@SESSION@")
            base = re.search(r'"Source":"([^"]*)/@SESSION@/workspace"', body)
            if base:
                return body.replace(base.group(1), "@BASE@")
        raise BenchError("the relay's create call was not seen, or is not as expected")

    def _idle(self, scenario, server):
        arguments = dict(scenario.arguments)
        arguments["count"] = min(arguments["count"], room_for_sessions())
        output = self._run(["load_client", "idle_sessions", *options(arguments),
                            *server.client_arguments], scenario, server)
        return {**json.loads(output), "sessions": arguments["count"]}

    def _floor(self, scenario, server):
        framing_port = server.client_arguments[server.client_arguments.index("--port") + 1]
        command = ["engine_floor", scenario.kind.removeprefix("container_"),
                   "--socket", self._engine.socket,
                   "--base", str(Path(self._directory.name, "bare")), "--user", str(USER),
                   "--port", framing_port, "--relay", LOG_ON, *options(scenario.arguments)]
        for name, path in self._bodies.items():
            command += ["--bare", f"{name}={path}"]
        if scenario.kind == "container_start" and (docker := shutil.which("docker")):
            command += ["--cli", docker, "--image", self._engine.image,
                        "--label", self._engine.label]
        lines = self._run(command, scenario, server).splitlines()
        return {name: json.loads(numbers) for name, numbers in (line.split("\t") for line in lines)}

    def _run(self, command, scenario, server):
        try:
            done = subprocess.run([str(self._programs / command[0]), *command[1:]],
                                  capture_output=True, text=True, check=False,
                                  timeout=CLIENT_SECONDS,
                                  env={**os.environ, "DOCKER_HOST": self._engine.host},
                                  preexec_fn=functools.partial(self._pinning.pin_client, scenario))
        except subprocess.TimeoutExpired:
            raise BenchError(f"no result within {CLIENT_SECONDS} s; {server.output()}") from None
        if done.returncode != 0:
            raise BenchError(f"{done.stderr.strip()} {server.output()}".strip())
        return done.stdout


def options(arguments):
    return [part for name, value in arguments.items() for part in (f"--{name}", str(value))]


def post(port, method, params):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{method}", method="POST",
        data=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
        headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def room_for_sessions():
    """How many idle containers the machine can hold; 50 at least, as a trial costs little."""
    with open("/proc/meminfo", encoding="utf-8") as info:
        values = dict(line.split(":", 1) for line in info)
    return max(50, int(values["MemAvailable"].split()[0]) // 1024 // MIB_A_SESSION)
