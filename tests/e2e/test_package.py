"""The Debian package, built from the binaries under test and installed for real: over this machine's own
files, in a mount namespace whose changes are memory and go away with it."""
import os
import pathlib
import re
import subprocess

import pytest

from harness.deadline import PATIENCE
from harness.ports import free_port
from harness.relay import BINARY, ROOT

# As root: $1 is the package. What follows runs in a copy of this machine that nobody else sees.
COPY = r"""
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
cp "$1" "$2/root/package.deb"
exec chroot "$2/root" sh -e -c "$3"
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    directory = tmp_path_factory.mktemp("package")
    settings = BINARY.parent / "CPackConfig.cmake"
    done = subprocess.run(["cpack", "-G", "DEB", "-B", str(directory), "--config", str(settings)],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "error" not in done.stderr.lower(), done.stdout + done.stderr
    found = list(directory.glob("acp-relay_*.deb"))
    assert len(found) == 1, done.stdout
    return found[0]


@pytest.fixture
def installed(package, tmp_path):
    """installed(script): runs it in a copy of this machine in which /package.deb lies; what it printed."""
    def run(script):
        done = subprocess.run(["unshare", "--mount", "--fork", "--pid", "--kill-child", "bash", "-c", COPY, "copy",
                               str(package), str(tmp_path), script], capture_output=True, text=True,
                              timeout=10 * PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run


def test_the_package_has_what_belongs_to_it_and_names_its_libraries(package):
    listing = subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True).stdout
    modes = {path: mode for mode, path in re.findall(r"^-(\S+) root/root .* \.(/\S+)$", listing, re.M)}
    for program in ("acp-relay", "acp-demo-agent", "acp-workspace-helper", "acp-agent-init"):
        assert modes[f"/usr/bin/{program}"] == "rwxr-xr-x"
    assert modes["/etc/acp-relay/config.yaml"] == "rw-r-----"
    assert modes["/lib/systemd/system/acp-relay.service"] == "rw-r--r--"
    for document in ("README.md", "LICENSE", "docs/configuration.md", "examples/prometheus/alerts.yml"):
        assert f"/usr/share/doc/acp-relay/{document}" in modes
    assert {pathlib.Path(path).parts[1] for path in modes} == {"usr", "etc", "lib"}

    def field(name):
        return subprocess.run(["dpkg-deb", "-f", str(package), name], capture_output=True, text=True,
                              check=True).stdout.strip()
    version = subprocess.run([str(BINARY), "--version"], capture_output=True, text=True, check=True).stdout
    assert version == f"acp-relay {field('Version')}\n"
    for needed in ("ca-certificates", "libc6", "libsqlite3-0", "libssl3", "libyaml-cpp0.7"):
        assert needed in field("Depends")
    assert field("Recommends") == "docker.io | docker-ce", "a docker-ce that is there stays"


def test_a_second_installation_keeps_the_configuration(tmp_path):
    def install():
        subprocess.run(["cmake", "--install", str(BINARY.parent), "--prefix", "/usr/local"], check=True,
                       capture_output=True, env={**os.environ, "DESTDIR": str(tmp_path)})
    file = tmp_path / "etc/acp-relay/config.yaml"
    install()
    assert file.read_bytes() == (ROOT / "config.yaml").read_bytes() and file.stat().st_mode & 0o777 == 0o640
    file.write_text("# mine\n")
    install()
    assert file.read_text() == "# mine\n"


def test_it_is_installed_serves_as_its_own_user_and_goes_without_a_trace(installed):
    http, websocket, management = free_port(), free_port(), free_port()
    said = installed(fr"""
        groupadd --force docker
        dpkg -i /package.deb
        id acp-relay
        stat -c '%n %a %U %G' /etc/acp-relay/config.yaml /var/lib/acp-relay
        cd /var/lib/acp-relay
        # What the unit does.
        export ACP_RELAY_SERVER_HTTP_PORT={http} ACP_RELAY_SERVER_WEBSOCKET_PORT={websocket} \
               ACP_RELAY_SERVER_MANAGEMENT_PORT={management} HOME=/var/lib/acp-relay
        setpriv --reuid acp-relay --regid acp-relay --init-groups --no-new-privs \
            acp-relay serve --config /etc/acp-relay/config.yaml &
        curl -fsS --retry 100 --retry-connrefused --retry-delay 1 http://127.0.0.1:{management}/api/ready
        acp-relay prompt --url http://127.0.0.1:{http} "hello from a package"
        kill $!
        wait $!
        echo "ended: $?"
        # What another start would not mend starts no other one.
        ACP_RELAY_SERVER_HTTP_PORT=none acp-relay serve --config /etc/acp-relay/config.yaml || refused=$?
        grep -E "^RestartPreventExitStatus=.*\b$refused\b" /lib/systemd/system/acp-relay.service
        stat -c '%n %U' /var/lib/acp-relay/relay-messages.db
        # An upgrade leaves the configuration, the log and the user's groups alone.
        echo "# mine" >> /etc/acp-relay/config.yaml
        gpasswd --delete acp-relay docker
        dpkg -i /package.deb
        tail -1 /etc/acp-relay/config.yaml
        id --groups --name acp-relay | sed 's/^/groups: /'
        dpkg -r acp-relay
        test -f /etc/acp-relay/config.yaml && test -f /var/lib/acp-relay/relay-messages.db && echo "kept"
        dpkg -P acp-relay
        test ! -e /etc/acp-relay && test ! -e /var/lib/acp-relay && ! getent passwd acp-relay && echo "gone"
    """)
    for line in (r"^uid=\d+\(acp-relay\) .*\(docker\)", r"^/etc/acp-relay/config.yaml 640 root acp-relay$",
                 r"^/var/lib/acp-relay 750 acp-relay acp-relay$",
                 r"^The user acp-relay is in the group docker", r"^groups: acp-relay$",
                 r"hello from a package", r"^ended: 0$",
                 r"^RestartPreventExitStatus=", r"^/var/lib/acp-relay/relay-messages.db acp-relay$",
                 r"^# mine$", r"^kept$", r"^gone$"):
        assert re.search(line, said, re.M), f"{line} is not in\n{said}"


def test_a_purge_empties_a_file_system_of_its_own_and_takes_the_user_along(installed):
    said = installed("""
        dpkg -i /package.deb
        mkdir /var/lib/acp-relay/workspaces
        mount -t tmpfs tmpfs /var/lib/acp-relay/workspaces
        touch /var/lib/acp-relay/relay-messages.db /var/lib/acp-relay/workspaces/file
        dpkg -P acp-relay
        find /var/lib/acp-relay | sed 's/^/left: /'
        ! getent passwd acp-relay && echo "gone"
    """)
    assert re.findall("^left: (.*)", said, re.M) == ["/var/lib/acp-relay", "/var/lib/acp-relay/workspaces"]
    assert said.endswith("gone\n")


def test_a_removal_names_the_containers_that_go_on_and_needs_no_engine_for_it(installed):
    said = installed(r"""
        mkdir /stub
        export PATH="/stub:$PATH"
        dpkg -i /package.deb
        printf '%s\n' '#!/bin/sh' 'echo "acp-agent-sess_1 $*"' >/stub/docker
        chmod +x /stub/docker
        dpkg -r acp-relay
        dpkg -i /package.deb
        printf '%s\n' '#!/bin/sh' 'echo "half an answer"' 'exit 1' >/stub/docker
        dpkg -r acp-relay && echo "removed"
    """)
    assert re.search(r"^Containers of agents that go on.*\nacp-agent-sess_1 ps .*label=acp\.relay=true", said, re.M), said
    assert "half an answer" not in said and said.endswith("removed\n")


def test_the_unit_is_one_that_systemd_takes_and_finds_little_exposed(installed):
    said = installed("""
        dpkg -i /package.deb
        systemd-analyze verify acp-relay.service 2>&1 | sed 's/^/complaint: /'
        systemd-analyze security --offline=yes --threshold=25 --no-pager acp-relay.service
    """)
    assert "Overall exposure level for acp-relay.service" in said
    assert "complaint" not in said
