"""Relays whose sessions run in containers, and the images they use.

A test may rely on: the workspaces lie in a directory of the test's own, and stop() fails when a container
or a directory of a session is left, also by the next start where the Engine was slow.
"""
import base64
import contextlib
import fcntl
import hashlib
import http.client
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from . import sdk
from .deadline import wait_until
from .engine import EngineError
from .relay import DEMO_AGENT, ROOT, Relay

BUSYBOX = pathlib.Path("/bin/busybox")
SHELL_AGENT = pathlib.Path(__file__).parent / "shell_agent.sh"
SHELL = ["/bin/shell-agent"]  # container.command of the tools image for shell()
PASSWD = b"root:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"
GROUP = b"root:x:0:\nagent:x:1000:\n"
SHUTDOWN_LIMIT = 5  # seconds; what is not over then a relay leaves to its next start
MOST_SECOND_ENDS = 5  # of a worker: an Engine may be slow now and then
# What calls of an Engine come to that was ended, or is a bad one.
NO_ENGINE = (OSError, EngineError, http.client.HTTPException)
IMAGES = pathlib.Path(tempfile.gettempdir()) / f"acp-relay-test-images-{os.getuid()}.lock"  # held to make one


def _static_demo_agent():
    """A sanitized one needs libraries, which the image has not."""
    path = DEMO_AGENT if b"/ld-linux" not in DEMO_AGENT.read_bytes()[:65536] else (
        ROOT / "build/release/acp-demo-agent")
    assert path.is_file(), f"{path} is missing; run scripts/build.sh"
    return path.read_bytes()


def made_once(engine, tag, make):
    """The tag; when there is no such image one of the tests' processes makes it, and the others wait for that."""
    if engine.image(tag) is None:
        with IMAGES.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if engine.image(tag) is None:
                make()
    return tag


def import_files(engine, name, files, *changes):
    """An image of these files, made once; its name has a digest of them."""
    digest = hashlib.sha256(repr(changes).encode())
    for path, (mode, uid, content) in sorted(files.items()):
        digest.update(repr((path, mode, uid, len(content or ""))).encode())
        digest.update(content.encode() if isinstance(content, str) else content or b"")
    tag = f"acp-relay-test/{name}:{digest.hexdigest()[:12]}"
    return made_once(engine, tag, lambda: engine.import_image(tag, files, *changes))


def _import(engine, name, files, *changes):
    return import_files(engine, name, files, "USER 1000:1000", "WORKDIR /workspace", "ENV PATH=/bin", *changes)


def demo_files():
    return {"etc/passwd": (0o644, 0, PASSWD), "etc/group": (0o644, 0, GROUP),
            "bin/acp-demo-agent": (0o755, 0, _static_demo_agent()),
            "home/agent": (0o700, 1000, None), "workspace": (0o755, 1000, None)}


def import_demo(engine):
    """The demo agent alone, as docker/demo/Dockerfile makes it."""
    return _import(engine, "demo", demo_files(), 'CMD ["/bin/acp-demo-agent"]')


def tools_files():
    """The demo agent, busybox, and an agent that runs shell scripts."""
    assert BUSYBOX.is_file(), "busybox-static is missing; run scripts/install.sh"
    files = {**demo_files(), "bin/busybox": (0o755, 0, BUSYBOX.read_bytes()),
             "bin/shell-agent": (0o755, 0, SHELL_AGENT.read_bytes()), "tmp": (0o1777, 0, None),
             "etc/nsswitch.conf": (0o644, 0, b"hosts: files dns\n")}
    for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        files.setdefault(f"bin/{applet}", (0o777, 0, "busybox"))
    return files


def import_tools(engine):
    return _import(engine, "tools", tools_files(), 'CMD ["/bin/acp-demo-agent"]')


def import_settings(engine):
    """The tools, and a home with what agents' images have there: files, root's too, and links."""
    home = "home/agent"
    files = {**tools_files(), home: (0o755, 1000, None), f"{home}/.settings": (0o640, 1000, b"the image's\n"),
             f"{home}/.config": (0o750, 0, None), f"{home}/.config/agent.json": (0o600, 0, b"{}\n"),
             f"{home}/.link": (0o777, 0, ".settings"), f"{home}/.cache": (0o777, 0, "/var/cache")}
    return _import(engine, "settings", files, 'CMD ["/bin/shell-agent"]')


def import_example(engine):
    """The SDK's example agent on Node.js."""
    files = {**demo_files(), **sdk.example_agent_files(), "tmp": (0o1777, 0, None)}
    del files["bin/acp-demo-agent"]
    return _import(engine, "example", files,
                   'CMD ["/bin/node", "/opt/node_modules/acp-sdk-examples/dist/examples/agent.js"]')


def shell(client, script, session=None):
    """(exit code, output) of a script that the agent of SHELL runs."""
    result, text = client.prompt(base64.b64encode(script.encode()).decode(), session)
    assert result["stopReason"] == "end_turn", result
    output, code = base64.b64decode(text).decode("utf-8", "replace").rsplit("exit ", 1)
    return int(code), output


class ContainerRelay(Relay):
    second_ends = 0  # of all relays of this worker

    def __init__(self, directory, config=None, env=None, engine=None, image=None, base=None, **options):
        self.engine = engine
        self.base = pathlib.Path(base or pathlib.Path(directory) / "sessions")
        container = {"enabled": True, "required": True, "image": image, "docker_host": engine.address,
                     "workspace_base_dir": str(self.base), "pull_policy": "never"}
        config = dict(config or {})
        config["container"] = {**container, **config.get("container", {})}
        config.setdefault("agent", {})
        super().__init__(directory, config, env, **options)
        self.keeps_directories = False  # the test wants sessions' directories to stay

    def containers(self, running_only=False):
        """Summaries of everything that mounts something of this relay's workspaces."""
        return self.engine.mounting(self.base, running_only)

    def wait_for_containers(self, count):
        return wait_until(lambda: [found for found in [self.containers()] if len(found) == count],
                          lambda: f"{count} containers; there are {[c['Names'] for c in self.containers()]}")[0]

    def container(self, session):
        """What the Engine says about a session's container; None when there is none."""
        return self.engine.inspect(f"acp-agent-{session}")

    def host_workspace(self, session):
        return self.base / session / "workspace"

    def directories(self):
        return sorted(os.listdir(self.base)) if self.base.is_dir() else []

    def wait_until_empty(self):
        """No container and no directory of a session is left."""
        self.wait_for_containers(0)
        if not self.keeps_directories:
            wait_until(lambda: self.directories() == [], lambda: f"no directory is left: {self.directories()}")

    def end(self):
        self.close_clients()
        was_running, began = self.running(), time.monotonic()
        super().end()
        if was_running and time.monotonic() - began >= SHUTDOWN_LIMIT and not self.is_empty():
            ContainerRelay.second_ends += 1
            assert ContainerRelay.second_ends <= MOST_SECOND_ENDS, "relays that stop leave containers again and again"
            self.start()
            self.wait_until_empty()
            super().end()

    def is_empty(self):
        return self.containers() == [] and (self.keeps_directories or self.directories() == [])

    def check_nothing_left(self):
        self.wait_until_empty()
        super().check_nothing_left()

    def _containers_left(self):
        with contextlib.suppress(*NO_ENGINE):
            return self.containers()
        return []

    def kill(self):
        super().kill()
        for left in self._containers_left():
            with contextlib.suppress(*NO_ENGINE):
                self.engine.remove(left["Id"])
        shutil.rmtree(self.base, ignore_errors=True)
