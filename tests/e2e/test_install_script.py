"""scripts/install.sh: what it would install, on machines that are made up."""
import shutil
import subprocess

import pytest

from harness import path
from harness.deadline import PATIENCE
from harness.relay import ROOT

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n'
NOBLE = 'PRETTY_NAME="Ubuntu 24.04 LTS"\nVERSION_CODENAME=noble\n'
APT_GET = """#!/bin/sh
for word; do
  case $word in
    install) installs=yes ;;
    -*) ;;
    *) [ -z "$installs" ] || echo "installed $word" >>"$INSTALLED" ;;
  esac
done
"""


class Machine:
    """One of a release, with these packages and programs and whatever the script itself takes."""

    def __init__(self, directory, release=BOOKWORM, packages=(), programs=()):
        self.directory = directory
        self.installed = directory / "installed"
        self.installed.write_text("".join(f"installed {name}\n" for name in packages))
        (directory / "scripts").mkdir()
        for name in ("lib.sh", "packages.txt"):
            shutil.copy(ROOT / "scripts" / name, directory / "scripts")
        text = (ROOT / "scripts/install.sh").read_text("utf-8")
        assert "source /etc/os-release" in text
        self.script = self.program("scripts/install.sh", text.replace("/etc/os-release", f"{directory}/os-release"))
        (directory / "os-release").write_text(release)
        self.path = path.without(directory / "bin", "apt-get", "dpkg-query", "dockerd", "runc", "sudo", "id")
        self.program("bin/id", "#!/bin/sh\necho 0\n")  # or it would ask sudo for the real apt-get
        self.program("bin/dpkg-query", '#!/bin/sh\ncat "$INSTALLED"\n')
        self.program("bin/apt-get", APT_GET)
        for name in programs:
            self.program(f"bin/{name}", "#!/bin/sh\n")

    def program(self, name, text):
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    def install(self, *groups, **env):
        return subprocess.run([self.script, *groups], capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env={"PATH": self.path, "INSTALLED": str(self.installed), **env})

    def packages(self):
        return [line.split()[1] for line in self.installed.read_text().splitlines()]


def packages_of(group):
    lines = (ROOT / "scripts/packages.txt").read_text("utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith(group + " ")]


@pytest.mark.parametrize("group, programs, installed", [
    ("engine", [], ["docker.io"]), ("engine", ["dockerd"], []), ("namespace", ["dockerd"], ["iproute2", "util-linux"]),
    ("podman", [], ["catatonit", "podman", "runc"]), ("podman", ["runc"], ["catatonit", "podman"])])
def test_a_program_of_another_package_is_not_replaced(tmp_path, group, programs, installed):
    machine = Machine(tmp_path, programs=programs)
    done = machine.install(group)
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.packages() == installed
    assert bool(done.stdout) == bool(installed)


def test_another_release_is_told_what_the_packages_are_for(tmp_path):
    machine = Machine(tmp_path, NOBLE)
    done = machine.install("build")
    assert done.returncode == 1 and machine.packages() == []
    for words in ("are for Debian 12 (bookworm), and this is Ubuntu 24.04 LTS", "docker/build.sh relay",
                  "RELAY_ANY_RELEASE=yes scripts/install.sh build"):
        assert words in done.stderr
    assert machine.install("build", RELAY_ANY_RELEASE="yes").returncode == 0
    assert sorted(machine.packages()) == sorted(packages_of("build"))


@pytest.mark.parametrize("group, packages", [("engine", []), ("build", packages_of("build"))])
def test_another_release_may_have_an_engine_and_what_is_there(tmp_path, group, packages):
    done = Machine(tmp_path, NOBLE, packages).install(group)
    assert done.returncode == 0, done.stderr


def test_a_machine_without_dpkg_is_told_of_the_image(tmp_path):
    machine = Machine(tmp_path)
    (tmp_path / "bin/dpkg-query").unlink()
    done = machine.install("build")
    assert done.returncode == 1
    assert "this machine has no dpkg" in done.stderr and "docker/build.sh relay" in done.stderr
