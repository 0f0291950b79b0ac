"""The servers that are measured: each is started fresh, pinned, and stopped again.

A contender is used as `with contender.start(scenario) as server:`; `server.client_arguments` then
tells the load client where it is. Everything it writes lies in a temporary directory of its own.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS = 15
STOP_SECONDS = 30

RELAY_CONFIG = """\
server:
  http_port: {http}
  http_host: 127.0.0.1
  websocket_port: {websocket}
  websocket_host: 127.0.0.1
  management_port: {management}
  management_host: 127.0.0.1
auth:
  mode: none
agent:
  command: {agent}
  max_concurrent_sessions: 5000
sessions:
  idle_timeout: 2h
  max_clients: 5000
{container}database:
  {database}
log:
  level: warn
"""


PROCESSES = """\
container:
  enabled: false
"""


class BenchError(Exception):
    """A measurement that could not be made; its text is the cause."""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Server:
    """A running program; leaving the `with` block ends it and removes its files."""

    def __init__(self, command, ports, client_arguments, directory, pinning):
        self.client_arguments = client_arguments
        self._directory = directory
        self._output = Path(directory.name, "output.txt")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=directory.name, preexec_fn=pinning.pin_server)
        try:
            self._wait_until_listening(ports)
            pinning.pin_threads(self._process.pid)
        except BaseException:
            self.__exit__()
            raise
        self.client_arguments += ["--pid", str(self._process.pid)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._directory.cleanup()

    def output(self):
        """The last lines it printed, for an error report."""
        return self._output.read_text(errors="replace")[-1500:]

    def _wait_until_listening(self, ports):
        deadline = time.monotonic() + START_SECONDS
        for port in ports:
            while not can_connect(port):
                if self._process.poll() is not None:
                    raise BenchError(f"ended at start: {self.output()}")
                if time.monotonic() > deadline:
                    raise BenchError(f"nothing listens on port {port}: {self.output()}")
                time.sleep(0.02)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class NoServer:
    """Stands for the bare posix_spawn, which the load client does itself."""

    def __init__(self, client_arguments):
        self.client_arguments = client_arguments

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def output(self):
        return ""


class Floor:
    """Bytes between TCP and pipes by bare epoll; for session starts, posix_spawn alone."""

    name = "floor"

    def __init__(self, programs, pinning):
        self._programs = programs
        self._pinning = pinning

    def can_run(self, scenario):
        return not scenario.kind.startswith("idle")

    def start(self, scenario):
        agent = str(self._programs / "echo_agent")
        if scenario.kind == "session_start":
            return NoServer(["--agent", agent])
        (port,) = free_ports(1)
        command = [str(self._programs / "pipe_forwarder"), str(port), agent]
        # In the shared form a connection starts nothing, so the test connection does no harm.
        if scenario.kind == "fan_out":
            command.append("shared")
        return Server(command, [port], ["--framing", "lines", "--port", str(port)],
                      tempfile.TemporaryDirectory(prefix="relay-bench-"), self._pinning)


class Relay:
    """acp-relay with its default settings but for the log."""

    def __init__(self, name, binary, programs, pinning, log, container=PROCESSES):
        self.name = name
        self._container = container
        self._binary = binary
        self._programs = programs
        self._pinning = pinning
        self._log = log

    def can_run(self, _):
        return True

    def start(self, scenario):
        directory = tempfile.TemporaryDirectory(prefix="relay-bench-")
        http, websocket, management = free_ports(3)
        config = Path(directory.name, "config.yaml")
        database = Path(directory.name, "messages.db")
        config.write_text(RELAY_CONFIG.format(
            http=http, websocket=websocket, management=management,
            agent=self._programs / "echo_agent", container=self._container,
            database=f"path: {database}" if self._log else "enabled: false"))
        framing = scenario.framing if scenario else "http"
        port = http if framing == "http" else websocket
        return Server([str(self._binary), "serve", "--config", str(config)],
                      [http, websocket], ["--framing", framing, "--port", str(port)],
                      directory, self._pinning)


class Pinning:
    """Where everything runs.

    Server and agents share one core with the client, which makes one-in-flight latencies
    repeatable. The server's threads other than its main one (the log's writer) get the other
    cores, as they would have them in use, unless `all_on_one` is set.
    """

    def __init__(self, all_on_one=False):
        cores = sorted(os.sched_getaffinity(0))
        self._core = {cores[-1]}
        self._others = set(cores[:-1]) or self._core
        self._all_on_one = all_on_one

    def pin_server(self):
        os.sched_setaffinity(0, self._core)

    def server_core(self):
        return str(next(iter(self._core)))

    def pin_client(self, scenario):
        """A fan-out's client gets another core: it alone would fill the shared one."""
        if scenario.kind == "fan_out":
            self.pin_elsewhere()
        else:
            self.pin_server()

    def pin_elsewhere(self):
        os.sched_setaffinity(0, self._others)

    def pin_threads(self, pid):
        if self._all_on_one:
            return
        for thread in os.listdir(f"/proc/{pid}/task"):
            if int(thread) != pid:
                os.sched_setaffinity(int(thread), self._others)
