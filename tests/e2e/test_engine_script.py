"""scripts/engine.sh: the directories that it does not take, and what it installs."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import path
from harness.deadline import PATIENCE
from harness.relay import ROOT

MARKER = ".acp-relay-engine"


@pytest.fixture
def place():
    """A short path, because that of a socket has to be."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-e2e-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def refusal(action, directory):
    done = subprocess.run([ROOT / "scripts/engine.sh", action, directory], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    return done.stderr


@pytest.mark.parametrize("action", ["start", "stop"])
def test_one_of_another_user_is_left_alone(place, action):
    precious = place / "precious"
    precious.write_text("kept")
    directory = place / "engine"
    directory.mkdir(mode=0o700)
    (directory / MARKER).symlink_to(precious)
    os.chown(directory, 65534, 65534)
    assert f"{directory} belongs to " in refusal(action, directory)
    assert precious.read_text() == "kept"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert os.listdir(directory) == [MARKER]


@pytest.mark.parametrize("action", ["start", "stop"])
@pytest.mark.parametrize("end", ["", "/", "//"])
def test_a_link_is_not_followed(place, action, end):
    directory = place / "engine"
    directory.mkdir(mode=0o700)
    (directory / MARKER).write_text("kept")
    (place / "link").symlink_to(directory)
    assert f"{place}/link is a symbolic link" in refusal(action, f"{place}/link{end}")
    assert (directory / MARKER).read_text() == "kept"
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("there, missing, asked_for", [("dockerd", "ip", "namespace"), ("ip", "dockerd", "engine")])
def test_what_is_missing_is_installed_and_nothing_besides(place, there, missing, asked_for):
    """A docker-ce has a dockerd, and would go where docker.io comes."""
    (place / "scripts").mkdir()
    for name in ("engine.sh", "lib.sh"):
        shutil.copy(ROOT / "scripts" / name, place / "scripts")
    programs = path.without(place / "bin", there, missing)
    for file, text in ((place / "bin" / there, ""), (place / "scripts/install.sh", "echo install: $*\nexit 1\n")):
        file.write_text("#!/bin/sh\n" + text)
        file.chmod(0o755)
    done = subprocess.run([place / "scripts/engine.sh", "start", place / "engine"], capture_output=True, text=True,
                          timeout=PATIENCE, check=False, env={"PATH": programs})
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"install: {asked_for}\n")
