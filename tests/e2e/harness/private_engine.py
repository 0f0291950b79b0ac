"""A Docker Engine of one test's own, which it may end, freeze and start again."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from .deadline import PATIENCE, wait_until
from .engine import Engine
from .relay import ROOT


class PrivateEngine(Engine):
    """A dockerd of the test's own, which it may end."""

    def __init__(self, *flags):
        self.flags = flags
        # The path of a socket has to be short.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-e2e-", dir="/tmp"))
        super().__init__(f"unix://{self.directory}/docker.sock")

    def run(self, *arguments):
        done = subprocess.run([str(ROOT / "scripts/engine.sh"), *arguments], capture_output=True, text=True,
                              timeout=3 * PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        assert self.run("start", str(self.directory), *self.flags).strip() == f"DOCKER_HOST={self.address}"

    def end_daemon(self, signal=15):
        pid = int((self.directory / "pid").read_text())
        os.kill(pid, signal)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "dockerd ends")

    @contextlib.contextmanager
    def frozen(self):
        """It takes connections, and says nothing."""
        pid = int((self.directory / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def clear(self):
        self.run("stop", str(self.directory))
        shutil.rmtree(self.directory, ignore_errors=True)


def running(*flags):
    engine = PrivateEngine(*flags)
    try:
        engine.start()
        yield engine
    finally:
        engine.clear()
