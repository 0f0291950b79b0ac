"""Starts the relay's binary with a configuration of the test's own, and ends it.

What a test may rely on: the relay runs in an empty directory, its log is in `log_text()`, and stop()
leaves nothing behind or fails.
"""
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

import httpx

from . import journal, processes
from .deadline import PATIENCE, key_of, wait_until
from .http_client import HttpClient
from .ports import free_port
from .ws_client import WebSocketClient

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("ACP_RELAY_BIN", ROOT / "build/release/acp-relay"))
DEMO_AGENT = pathlib.Path(os.environ.get("ACP_DEMO_AGENT", ROOT / "build/release/acp-demo-agent"))
SCRIPTED_AGENT = pathlib.Path(__file__).parent / "scripted_agent.py"


SHUTDOWN_SECONDS = 120  # a busy Engine takes its time for many containers

# What only a fault of the relay ends it with: tests kill it by other signals.
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


def deep_update(target, changes):
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            deep_update(target[key], value)
        else:
            target[key] = value
    return target


def default_config(directory):
    ports = set()
    while len(ports) < 3:
        ports.add(free_port())
    http, websocket, management = ports
    return {
        "server": {"http_port": http, "websocket_port": websocket, "management_port": management,
                   "shutdown_timeout": key_of(SHUTDOWN_SECONDS)},
        "agent": {"command": str(DEMO_AGENT)},
        "database": {"path": str(directory / "relay.db")},
        "container": {"enabled": False},
        "log": {"level": "debug"},
    }


def scripted(mode, *arguments):
    """The `agent` section for tests/e2e/harness/scripted_agent.py."""
    return {"command": "/usr/bin/python3", "args": [str(SCRIPTED_AGENT), mode, *map(str, arguments)]}


class Relay:
    def __init__(self, directory, config=None, env=None, config_text=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.workspace = self.directory / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.config = deep_update(default_config(self.directory), config or {})
        self.config_file = self.directory / "config.yaml"
        # JSON is YAML.
        self.config_file.write_text(config_text or json.dumps(self.config, indent=1), "utf-8")
        self.log_file = self.directory / "relay.log"
        self.env = {key: os.environ[key] for key in os.environ if key.endswith("SAN_OPTIONS")
                    or key in ("PATH", "HOME", "LANG", "ASAN_SYMBOLIZER_PATH")}
        self.env.update(env or {})
        self.binary = BINARY
        self.process = None
        self.seen = set()
        self.may_leave_open_rows = False  # after a death that the next start has to clean up
        self.end_was_awaited = False  # by the test, of this process
        self._clients = []

    # Where things are.
    @property
    def http_url(self):
        return self._url("http", "http_port")

    @property
    def management_url(self):
        return self._url("http", "management_port")

    @property
    def ws_url(self):
        return self._url("ws", "websocket_port") + "/"

    def _url(self, scheme, key):
        secure = "s" if self.config["server"].get("tls") else ""
        return f"{scheme}{secure}://127.0.0.1:{self.config['server'][key]}"

    @property
    def database(self):
        return pathlib.Path(self.config["database"]["path"])

    @property
    def pid(self):
        return self.process.pid

    # Life.
    def launch(self, *arguments, prefix=()):
        """Starts the process without waiting for anything."""
        self.check_end()
        self.end_was_awaited = False
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, str(self.binary), "serve", "--config", str(self.config_file), *arguments],
                cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self, *arguments, prefix=()):
        self.launch(*arguments, prefix=prefix)
        wait_until(self._ready, lambda: f"the relay is ready\n{self.log_text()[-4000:]}")
        return self

    def _ready(self):
        assert self.process.poll() is None, f"the relay ended at once:\n{self.log_text()[-4000:]}"
        try:
            return httpx.get(self.management_url + "/api/health", timeout=5, verify=False).status_code in (
                200, 401)
        except httpx.TransportError:
            return False

    def wait_ready_or_end(self):
        """After launch(): whether it became ready; False: it ended."""
        wait_until(lambda: self.process.poll() is not None or self._ready(),
                   lambda: f"the relay is ready or ends\n{self.log_text()[-4000:]}")
        self.end_was_awaited = not self.running()
        return not self.end_was_awaited

    def send_signal(self, number):
        self.remember_children()
        self.process.send_signal(number)

    def wait(self, seconds=SHUTDOWN_SECONDS + 30):
        """Exit code of the relay."""
        wait_until(lambda: self.process.poll() is not None,
                   lambda: f"the relay ends\n{self.log_text()[-4000:]}", seconds)
        self.end_was_awaited = True
        return self.process.returncode

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends the relay in order and checks that nothing is left."""
        self.end()
        self.check_nothing_left()

    def end(self):
        """Ends the relay in order."""
        self.close_clients()
        self.check_end()
        if self.running():
            self.send_signal(signal.SIGTERM)
            code = self.wait()
            assert code == 0, f"exit code {code}:\n{self.log_text()[-6000:]}"

    def kill(self):
        """For teardown after a failure: no questions asked."""
        with contextlib.suppress(AssertionError):
            self.close_clients()
        if self.process is None:
            return
        self.remember_children()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid, start in self.seen:
            if processes.alive((pid, start)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def check_end(self):
        """Of a relay that has ended: not by a fault of its own, and by the test, which killed it or waited for it."""
        code = self.process.poll() if self.process else None
        assert code is None or -code not in CRASHES, f"crashed, {code}:\n{self.log_text()[-6000:]}"
        assert code is None or code < 0 or self.end_was_awaited, (
            f"ended by itself, exit code {code}:\n{self.log_text()[-6000:]}")

    def check_nothing_left(self):
        wait_until(lambda: not any(map(processes.alive, self.seen)),
                   lambda: f"the agents are gone: {[i for i in self.seen if processes.alive(i)]}")
        wait_until(lambda: not processes.touching(self.directory),
                   lambda: f"no process is left: {processes.touching(self.directory)}")
        if not self.may_leave_open_rows:
            assert self.open_rows() == [], "sessions that claim to be open"
        assert "AddressSanitizer" not in self.log_text() and "runtime error:" not in self.log_text(), (
            self.log_text()[-6000:])

    def remember_children(self):
        if self.running():
            self.seen |= processes.descendants(self.pid)

    # Looking inside.
    def agents(self):
        """(pid, start time) of the processes below the relay."""
        found = processes.descendants(self.pid)
        self.seen |= found
        return found

    def wait_for_agents(self, count):
        return wait_until(lambda: len(self.agents()) == count or None,
                          lambda: f"{count} agents run; these do: {self.agents()}")

    def log_text(self):
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def wait_logged(self, words):
        """The relay's log is written by a thread of its own, soon after what it tells of."""
        wait_until(lambda: words in self.log_text(), lambda: f"{words!r} is logged:\n{self.log_text()[-4000:]}")

    def query(self, sql, *parameters):
        """What the files say, also while no relay runs; `messages` has a row for each."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            if "FROM messages" in sql:
                journal.add_messages(connection, self.database)
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def wait_for_prompts(self, count=1):
        """The relay has taken so many, and will answer each of them."""
        wait_until(lambda: len(self.query("SELECT 1 FROM messages WHERE method = 'session/prompt'")) >= count,
                   f"{count} prompts are taken")

    def back_up(self, file, *sessions):
        """What the command printed. It copies what the database has, so that must have these sessions."""
        wait_until(lambda: {row[0] for row in self.query("SELECT id FROM sessions")} >= set(sessions),
                   "the database has followed the journal")
        code, out, err = run_cli("backup", str(file), "--config", str(self.config_file))
        assert code == 0, err
        return out

    def open_rows(self):
        if not self.database.is_file():
            return []
        return [row[0] for row in self.query("SELECT id FROM sessions WHERE closed_at IS NULL")]

    def management(self, path, method="GET", **options):
        return httpx.request(method, self.management_url + path, timeout=PATIENCE, verify=False, **options)

    def metric(self, name, **labels):
        """The sum of a metric's values that have these labels."""
        total = 0.0
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        for line in self.management("/metrics").text.splitlines():
            if line.split("{")[0].split(" ")[0] == name and all(label in line for label in wanted):
                total += float(line.rsplit(" ", 1)[1])
        return total

    # Clients; closed with the relay.
    def close_clients(self):
        with contextlib.ExitStack() as every:
            while self._clients:
                every.callback(self._clients.pop().close)

    def http(self, **options):
        client = HttpClient(self.http_url, **options)
        self._clients.append(client)
        return client

    def websocket(self, **options):
        client = WebSocketClient(self.ws_url, **options)
        self._clients.append(client)
        return client

    def assert_serves(self, **options):
        """The next session works, whatever happened before."""
        client = HttpClient(self.http_url, **options)
        try:
            session = client.new(str(self.workspace))
            assert client.prompt_text(session, "still alive") == "still alive"
            client.result("session/close", sessionId=session)
        finally:
            client.close()

    def assert_serves_a_watcher(self):
        """The same for a session that is watched from its begin on, so that no idle_timeout is too short for it."""
        client = self.websocket()
        client.new(self.workspace)
        assert client.prompt("still alive")[1] == "still alive"
        client.result("session/close", sessionId=client.session)


def run_cli(*arguments, relay=None, env=None, stdin="", cwd=None):
    """Runs the binary as a person would: (exit code, stdout, stderr)."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    environment.update({key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")})
    if relay:
        environment["ACP_RELAY_URL"] = relay.http_url
        environment["ACP_RELAY_MANAGEMENT_URL"] = relay.management_url
    environment.update(env or {})
    done = subprocess.run([str(BINARY), *arguments], input=stdin, env=environment, capture_output=True,
                          text=True, timeout=2 * PATIENCE, cwd=cwd or (relay.directory if relay else "/"))
    return done.returncode, done.stdout, done.stderr


if not BINARY.is_file():
    sys.exit(f"{BINARY} is missing; run scripts/build.sh, or set ACP_RELAY_BIN")


def change(relay, changes):
    """In the file of a relay that runs."""
    deep_update(relay.config, changes)
    relay.config_file.write_text(json.dumps(relay.config, indent=1), "utf-8")


def reload(relay):
    """What `acp-relay reload` prints."""
    code, out, err = run_cli("reload", relay=relay)
    assert code == 0, err
    return out
