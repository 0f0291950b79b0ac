"""An editor as `acp-relay connect` sees it: a process with three pipes, one message a line."""
import array
import fcntl
import itertools
import json
import os
import re
import subprocess
import termios
import threading

from .deadline import PATIENCE, Late
from .http_client import RelayError, text_block, text_of
from .relay import BINARY

SESSION = re.compile(r"sess_[0-9a-f]{32}")


class Editor:
    """Keeps every line that came, in order, and what each one says.

    While `reads` is not set, the editor leaves what it is told in the pipe.
    """

    def __init__(self, url, *arguments, env=None, cwd="/"):
        environment = {key: value for key, value in os.environ.items()
                       if key.endswith("SAN_OPTIONS") or key in ("PATH", "HOME", "ASAN_SYMBOLIZER_PATH")}
        environment.update(env or {})
        self.process = subprocess.Popen(
            [str(BINARY), "connect", "--url", url, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, cwd=cwd)
        self.lines = []
        self.messages = []
        self.log = ""
        self.ended = False
        self.ids = itertools.count(1)
        self.reads = threading.Event()
        self.reads.set()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_log, daemon=True)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reads.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def _read(self):
        while self.reads.wait() and (line := self.process.stdout.readline()):
            message = json.loads(line)
            with self._changed:
                self.lines.append(line.decode("utf-8"))
                self.messages.append(message)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                self.log += line.decode("utf-8", "replace")
                self._changed.notify_all()

    def exit_code(self):
        """Of the program, with all that it said before it ended."""
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return code

    # Sending.
    def send_raw(self, line):
        self.process.stdin.write(line.encode("utf-8") + b"\n")
        self.process.stdin.flush()

    def send(self, message):
        self.send_raw(json.dumps({"jsonrpc": "2.0", **message}))

    def start(self, method, id=None, **params):
        """Sends a request; returns its id."""
        id = next(self.ids) if id is None else id
        self.send({"id": id, "method": method, "params": params})
        return id

    def notify(self, method, **params):
        self.send({"method": method, "params": params})

    def respond(self, request, result):
        self.send({"id": request["id"], "result": result})

    # Receiving.
    def pipe_is_full(self):
        """Whether what it leaves unread begins to hold up the program."""
        pipe = self.process.stdout.fileno()
        unread = array.array("i", [0])
        fcntl.ioctl(pipe, termios.FIONREAD, unread)
        return unread[0] > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2

    def wait_until(self, condition, what):
        """The first true value of condition(), asked again whenever something came."""
        with self._changed:
            value = None

            def ready():
                nonlocal value
                value = condition()
                return value or self.ended
            timely = self._changed.wait_for(ready, PATIENCE)
        if not value:
            raise Late(f"{'the program ended without' if timely else 'no'} {what}\nlines: {self.lines[-10:]}\n"
                       f"log: {self.log}")
        return value

    def wait_for(self, predicate, what="such message", start=0):
        unseen = start

        def look():
            nonlocal unseen
            first, unseen = unseen, len(self.messages)
            return next(filter(predicate, self.messages[first:]), None)
        return self.wait_until(look, what)

    def wait_for_log(self, text):
        self.wait_until(lambda: text in self.log, f"{text!r} on stderr")

    def answer(self, id):
        """The response to a request."""
        return self.wait_for(lambda message: "method" not in message and message["id"] == id
                             and type(message["id"]) is type(id), f"answer to {id!r}")

    def result(self, id):
        answer = self.answer(id)
        if "error" in answer:
            raise RelayError(answer["error"])
        return answer["result"]

    # What editors do.
    def initialize(self, **capabilities):
        return self.result(self.start("initialize", protocolVersion=1, clientCapabilities=capabilities))

    def new(self, cwd):
        return self.result(self.start("session/new", cwd=str(cwd), mcpServers=[]))["sessionId"]

    def start_prompt(self, session, text):
        return self.start("session/prompt", sessionId=session, prompt=text_block(text))

    def prompt_text(self, session, text):
        start = len(self.lines)
        id = self.start_prompt(session, text)
        assert self.result(id)["stopReason"] == "end_turn"
        return text_of(self.messages[start:])

    def answer_question(self, option, start=0):
        """Waits for a request for permission and answers it."""
        question = self.wait_for(lambda message: message.get("method") == "session/request_permission",
                                 "request for permission", start)
        self.respond(question, {"outcome": {"outcome": "selected", "optionId": option}})
        return question

    def transcript(self):
        """What came, comparable between runs.

        Without the session's id, and without what the relay tells those that have not done something
        themselves, which a client on a second connection has not.
        """
        return [SESSION.sub("sess", line) for line in self.lines
                if '"_acp-relay/' not in line and '"current_mode_update"' not in line]

    def finish(self):
        """Ends stdin; the exit code."""
        self.process.stdin.close()
        return self.exit_code()
