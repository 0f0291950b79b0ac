"""A Docker Engine for the benchmark: one that answers, or a private one for as long as it runs."""

import http.client
import io
import json
import os
import secrets
import socket
import subprocess
import tarfile
import tempfile
import threading
import urllib.parse
from pathlib import Path

from contenders import BenchError

API = "/v1.41"
LABEL = "relay-bench"
# Whoever the agent runs as in the image; not root, as in any image that is meant for use.
USER = 1000
SCRIPT = Path(__file__).resolve().parent.parent / "scripts/engine.sh"
START_SECONDS = 300  # installing the Engine included


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """An Engine with an image of `agent`; close() removes all that was made in it by this run."""

    def __init__(self, agent):
        self.run = secrets.token_hex(4)
        self.label = f"{LABEL}={self.run}"
        self.image = f"acp-relay-bench:{self.run}"
        self._directory = None
        self.host = self._find_or_start()
        self.socket = self.host.removeprefix("unix://")
        try:
            self._import_image(agent)
        except BaseException:
            self.close()
            raise

    def call(self, method, path, body=None, content_type="application/json"):
        """The answer's text; BenchError with the Engine's own words for what it refuses."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, API + path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            raise BenchError(f"the Engine at {self.host}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise BenchError(f"{method} {path}: {answer.status} {text.strip()}")
        return text

    def remove_containers(self):
        filters = urllib.parse.quote(json.dumps({"label": [self.label]}))
        for container in json.loads(self.call("GET", f"/containers/json?all=1&filters={filters}")):
            try:
                self.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
            except BenchError:
                pass  # it is going by itself

    def close(self):
        try:
            self.remove_containers()
            self.call("DELETE", f"/images/{self.image}?force=1")
        except BenchError:
            pass  # no Engine any more, or no image yet
        self._stop()

    def _stop(self):
        if self._directory:
            subprocess.run([SCRIPT, "stop", self._directory], check=False)
            if os.path.isdir(self._directory) and not os.listdir(self._directory):
                os.rmdir(self._directory)
            self._directory = None

    def _find_or_start(self):
        probe = subprocess.run([SCRIPT, "probe"], capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            return probe.stdout.strip().removeprefix("DOCKER_HOST=")
        self._directory = tempfile.mkdtemp(prefix="acp-bench-engine-")
        ensure = subprocess.run([SCRIPT, "ensure", self._directory], capture_output=True, text=True,
                                check=False, timeout=START_SECONDS)
        if ensure.returncode != 0:
            self._stop()
            raise BenchError("no Docker Engine: " + ensure.stderr.strip())
        return ensure.stdout.strip().removeprefix("DOCKER_HOST=")

    def _import_image(self, agent):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            def add(name, data, mode):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), mode
                tar.addfile(entry, io.BytesIO(data))
            add("agent", agent.read_bytes(), 0o755)
            add("etc/passwd", f"agent:x:{USER}:{USER}::/home/agent:\n".encode(), 0o644)
        changes = [f"USER {USER}:{USER}", 'CMD ["/agent"]']
        query = urllib.parse.urlencode([("fromSrc", "-"), ("repo", "acp-relay-bench"),
                                        ("tag", self.run), *(("changes", c) for c in changes)])
        said = self.call("POST", f"/images/create?{query}", content.getvalue(), "application/x-tar")
        if '"error"' in said:
            raise BenchError(f"the image could not be made: {said.strip()}")


class Recorder:
    """Stands between a relay and the Engine to learn the body of the relay's create calls."""

    def __init__(self, engine_socket, path):
        self.create_calls = []  # (name of the container, body)
        self._engine_socket = engine_socket
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._engine_socket)
            for source, target, sees in ((client, engine, self._see), (engine, client, None)):
                threading.Thread(target=pump, args=(source, target, sees), daemon=True).start()

    def _see(self, sent):
        """A create call has a connection of its own, so it is the first thing sent there."""
        head, _, body = bytes(sent).partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 3 or words[0] != b"POST" or b"/containers/create?" not in words[1]:
            return
        try:
            json.loads(body)
        except ValueError:
            return  # not all of it is here
        query = urllib.parse.urlsplit(words[1].decode()).query
        self.create_calls.append((urllib.parse.parse_qs(query)["name"][0], body.decode()))


def pump(source, target, sees):
    sent = bytearray()
    try:
        while data := source.recv(65536):
            target.sendall(data)
            if sees:
                sent += data
                sees(sent)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
