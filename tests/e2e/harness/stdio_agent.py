"""A program that speaks ACP on its standard streams, and the steps that requirements of it share."""
import json
import os
import subprocess
import threading

from .deadline import PATIENCE
from .http_client import text_block
from .inbox import Inbox


class NotApplicable(Exception):
    """The agent does not offer what the requirement is about."""


class Agent(Inbox):
    """A program that speaks ACP on its standard streams."""

    def __init__(self, command, env, cwd):
        super().__init__()
        self.cwd = str(cwd)
        self.lines = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env={**os.environ, **env}, cwd=cwd)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            try:
                self.deliver(json.loads(line))
            except ValueError:
                self.deliver({"odd": repr(line)})
        self.deliver_end()

    def send(self, message):
        self.send_raw(json.dumps(message))

    def send_raw(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    # Steps that requirements share.
    def initialize(self, **params):
        self.initialized = self.result("initialize", **{"protocolVersion": 1, "clientCapabilities": {}, **params})
        return self.initialized

    def new(self, **params):
        self.initialize()
        return self.result("session/new", **{"cwd": self.cwd, "mcpServers": [], **params})

    def ask(self, text, session, blocks=None):
        return self.start("session/prompt", {"sessionId": session, "prompt": blocks or text_block(text)})

    def turn(self, text):
        """The session of a whole turn, its answer, and the updates before that."""
        session = self.new()["sessionId"]
        answer = self.answer(self.ask(text, session))
        position = self.messages.index(answer)
        return session, answer, [m["params"] for m in self.messages[:position] if m.get("method") == "session/update"]

    def updates(self, text, kind):
        found = [one["update"] for one in self.turn(text)[2] if one["update"]["sessionUpdate"] == kind]
        if not found:
            raise NotApplicable
        return found

    def capability(self, *path):
        value = self.initialize()["agentCapabilities"]
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None or value is False:
            raise NotApplicable

    def refused(self, method, code, **params):
        refusal = self.error(method, **params)
        assert refusal.code in (code if isinstance(code, tuple) else (code,)), refusal.error

    def still_works(self):
        assert self.result("session/new", cwd=self.cwd, mcpServers=[])["sessionId"]

    def says_nothing_to(self, *texts):
        """None of the messages is answered, and the agent goes on."""
        before = self.count()
        for text in texts:
            self.send_raw(text)
        self.still_works()
        answers = [m for m in self.messages[before:] if "method" not in m]
        assert len(answers) == 1, answers

    def refuses_raw(self, text, *codes, id=None):
        before = self.count()
        self.send_raw(text)
        answer = self.wait_for(lambda m: "error" in m and m.get("id") == id, start=before)
        assert answer["error"]["code"] in codes, answer
        self.still_works()


def named(items, *members):
    return all(isinstance(item[member], str) and item[member] for item in items for member in members)
