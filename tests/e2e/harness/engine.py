"""A small client of the Docker Engine API, apart from the relay's own, over the Engine's Unix socket."""
import contextlib
import functools
import http.client
import io
import json
import os
import socket
import struct
import tarfile
import urllib.parse

from .deadline import PATIENCE, wait_until

API = "/v1.41"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=PATIENCE * 3)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class EngineError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Engine:
    """An Engine at an address like unix:///var/run/docker.sock."""

    def __init__(self, address):
        assert address.startswith("unix:///"), (
            f"tests need an Engine on this machine, by a Unix socket; DOCKER_HOST is {address}")
        self.address = address
        self.socket = address.removeprefix("unix://")

    @classmethod
    def of_environment(cls):
        """The Engine that scripts/test.sh found or started. Without one, tests fail."""
        engine = cls(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
        problem = engine.problem()
        assert problem is None, (
            f"{problem}: these tests need a Docker Engine. export \"$(scripts/engine.sh ensure)\" finds or starts one")
        return engine

    def problem(self):
        """Why it does not answer, or None."""
        try:
            self.request("GET", "/_ping")
        except (OSError, http.client.HTTPException) as failure:
            return f"no Engine answers at {self.address} ({failure})"
        except EngineError as failure:
            return f"the Engine at {self.address} is not well ({failure})"
        return None

    @functools.cached_property
    def is_podman(self):
        return any(one["Name"].startswith("Podman") for one in self.json("GET", "/version")["Components"])

    def podman_cannot(self, reason):
        """Whether this is Podman, so that a test asserts what is seen there instead; the reason is printed."""
        if self.is_podman:
            print(f"Podman cannot {reason}")
        return self.is_podman

    def request(self, method, path, body=None, content_type="application/json", **query):
        """The body of the answer; EngineError when it is a refusal."""
        connection = _Connection(self.socket)
        with contextlib.closing(connection):
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            target = API + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
            connection.request(method, target, body, {"Content-Type": content_type})
            response = connection.getresponse()
            content = response.read()
        if response.status >= 400:
            with contextlib.suppress(ValueError, AttributeError):
                content = json.loads(content).get("message", content)
            raise EngineError(response.status, content)
        return content

    def json(self, method, path, body=None, **query):
        return json.loads(self.request(method, path, body, **query))

    # Containers.
    def containers(self, *labels, running_only=False):
        """Summaries of the containers that have all of these labels ("name" or "name=value")."""
        filters = json.dumps({"label": list(labels)})
        return self.json("GET", "/containers/json", all="0" if running_only else "1", filters=filters)

    def mounting(self, directory, running_only=False):
        """Summaries of containers that mount something of a directory of the host."""
        prefix = str(directory).rstrip("/") + "/"
        return [one for one in self.containers(running_only=running_only)
                if any((mount.get("Source", "") + "/").startswith(prefix) for mount in one.get("Mounts", ()))]

    def inspect(self, container):
        """None: no such container."""
        try:
            return self.json("GET", f"/containers/{container}/json")
        except EngineError as failure:
            if failure.status == 404:
                return None
            raise

    def kill(self, container, signal="KILL"):
        self.request("POST", f"/containers/{container}/kill", signal=signal)

    def remove(self, container):
        """By force; one that is gone, or going, is fine."""
        path = f"/containers/{container}"
        try:
            try:
                self.request("DELETE", path, force="1", v="1")
            except EngineError as failure:
                # It ended by itself before it was killed: there is nothing to kill the next time.
                if "is not running" not in str(failure.message):
                    raise
                self.request("DELETE", path, force="1", v="1")
        except EngineError as failure:
            if failure.status not in (404, 409):
                raise

    def pause(self, container):
        self.request("POST", f"/containers/{container}/pause")

    def unpause(self, container):
        self.request("POST", f"/containers/{container}/unpause")

    def exec(self, container, *command, user=""):
        """(exit code, output) of a command in a running container."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "User": user}
        run = self.json("POST", f"/containers/{container}/exec", body)["Id"]
        stream = self.request("POST", f"/exec/{run}/start", {"Detach": False, "Tty": False})
        output = b"".join(payload for _, payload in demultiplexed(stream))
        code = wait_until(lambda: [self.json("GET", f"/exec/{run}/json")["ExitCode"]], "the exit code of an exec")
        return code[0], output.decode("utf-8", "replace")

    def logs(self, container):
        """What it wrote, to either stream."""
        stream = self.request("GET", f"/containers/{container}/logs", stdout="1", stderr="1")
        return b"".join(payload for _, payload in demultiplexed(stream)).decode("utf-8", "replace")

    def remove_volume(self, name):
        with contextlib.suppress(EngineError):
            self.request("DELETE", f"/volumes/{name}", force="1")

    # Images.
    def image(self, tag):
        """None: no such image."""
        try:
            return self.json("GET", f"/images/{tag}/json")
        except EngineError as failure:
            if failure.status == 404:
                return None
            raise

    def import_image(self, tag, files, *changes):
        """An image out of {path: (mode, uid, content)}; content None is a directory, a text a link's target."""
        # Podman ignores the parameter tag; both take it as a part of repo.
        self.request("POST", "/images/create", archive(files), "application/x-tar", fromSrc="-", repo=tag,
                     changes=list(changes))

    def remove_image(self, tag):
        with contextlib.suppress(EngineError):
            self.request("DELETE", f"/images/{tag}", force="1")


def archive(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, (mode, uid, content) in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.uid, entry.gid = mode, uid, uid
            if content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def demultiplexed(stream):
    """(stream number, bytes) of the Engine's frames."""
    position = 0
    while position + 8 <= len(stream):
        number, length = struct.unpack(">B3xL", stream[position:position + 8])
        yield number, stream[position + 8:position + 8 + length]
        position += 8 + length
