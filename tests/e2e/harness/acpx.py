"""acpx, a command-line client that starts agents on stdio, with `acp-relay connect` as its agent."""
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess

from . import processes, sdk
from .acp_endpoint import acp_url
from .deadline import PATIENCE, wait_until
from .relay import BINARY


class Acpx:
    """acpx in a directory of its own, which is also its home."""

    def __init__(self, relay, directory, *connect, against="demo agent, process"):
        directory.mkdir()
        self.directory = directory
        self.relay = relay
        self.against = against
        self.agent = shlex.join([str(BINARY), "connect", "--url", acp_url(relay, "ws"), *connect])

    def command(self, *arguments):
        sdk.installed()
        # An owner of sessions stays in the background for the time to live.
        return [sdk.NODE, sdk.ACPX, "--cwd", self.directory, "--ttl", "1", "--agent", self.agent, *arguments]

    def run(self, *arguments, code=0):
        for _ in range(5):
            done = subprocess.run(self.command(*arguments), env=sdk.environment(HOME=str(self.directory)), text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=2 * PATIENCE)
            # Its owner of sessions ends when its time to live is over, and says so to who comes just then.
            if "QUEUE_OWNER_CLOSED" not in done.stdout:
                break
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        sdk.note_played(f"acpx {sdk.version('acpx')}", "acp-relay connect", self.against)
        return done.stdout

    def messages(self, *arguments, code=0):
        """Every message of a run, of both sides."""
        lines = self.run("--format", "json", *arguments, code=code).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def touching(self):
        """acpx and its bridges; the relay's agents work in the same directory and stay."""
        agents = {pid for pid, _ in self.relay.agents()}
        return [one for one in processes.touching(self.directory) if one[0] not in agents]

    def wait_gone(self):
        wait_until(lambda: not self.touching(), lambda: f"acpx and its bridges are gone: {self.touching()}")

    def kill(self):
        for pid, _ in self.touching():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Its sockets have a directory of its own for each home.
        home = hashlib.sha256(str(self.directory).encode()).hexdigest()[:10]
        shutil.rmtree(f"/tmp/acpx-{home}", ignore_errors=True)


def words(messages):
    updates = [message["params"]["update"] for message in messages if message.get("method") == "session/update"]
    return "".join(update["content"]["text"] for update in updates
                   if update["sessionUpdate"] == "agent_message_chunk")


def sessions_of(messages, method):
    return {message["params"]["sessionId"] for message in messages if message.get("method") == method}
