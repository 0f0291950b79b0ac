"""A relay that is not root, beside agents of another uid: workspaces are made, owned and removed all the same."""
import os
import pathlib
import shutil
import stat
import tempfile

import pytest

from harness import containers
from harness.containers import shell
from harness.relay import BINARY

RELAY_UID = 4711


@pytest.fixture
def public_directory():
    """Below /tmp itself, because only root may enter the directories of the test run."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-e2e-", dir="/tmp"))
    os.chmod(directory, 0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def make_unprivileged(engine, tools_image, public_directory, make_relay):
    """The directory comes before make_relay, so that it is there when the relay ends and is looked at."""
    directory = public_directory
    for program in ("acp-relay", "acp-workspace-helper"):  # the build may lie where only root may go
        shutil.copy(BINARY.with_name(program), directory)
    group = os.stat(engine.socket).st_gid
    assert group != 0, f"{engine.socket} belongs to group root, so only root may use it"

    def make(container=None):
        relay = make_relay({"container": {"command": containers.SHELL, **(container or {})}}, start=False,
                           kind=containers.ContainerRelay, engine=engine, image=tools_image,
                           directory=str(directory / "relay"))
        relay.binary = directory / "acp-relay"
        for path in (relay.directory, relay.workspace, relay.config_file):
            os.chown(path, RELAY_UID, RELAY_UID)
        return relay.start(prefix=("setpriv", f"--reuid={RELAY_UID}", f"--regid={RELAY_UID}", f"--groups={group}",
                                   "--no-new-privs", "--inh-caps=-all"))
    return make


@pytest.mark.parametrize("user, uid", [("", 1000), ("0", 0), (str(RELAY_UID), RELAY_UID), ("12345:54321", 12345)])
def test_workspaces_of_any_owner(make_unprivileged, user, uid):
    relay = make_unprivileged({"user": user})
    assert os.stat(f"/proc/{relay.pid}").st_uid == RELAY_UID
    client = relay.websocket()
    session = client.new("/workspace")
    for name in ("workspace", "home"):
        facts = os.stat(relay.base / session / name)
        assert (facts.st_uid, stat.S_IMODE(facts.st_mode)) == (uid, 0o700), name
    assert shell(client, "mkdir -p a/b; echo mine > a/b/file; chmod 0 a/b; chmod 500 a; id -u") == (0, f"{uid}\n")
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_a_fork_gets_what_belongs_to_others(make_unprivileged):
    relay = make_unprivileged({"command": ["/bin/acp-demo-agent", "--state", "/home/agent/state"]})
    client = relay.http()
    parent = client.new("/workspace")
    client.prompt_text(parent, "/write kept.txt x")
    child = client.result("session/fork", sessionId=parent)["sessionId"]
    facts = os.stat(relay.base / child / "workspace" / "kept.txt")
    assert (facts.st_uid, facts.st_gid) == (1000, 1000)
    assert client.prompt_text(child, "/recall") == "/write kept.txt x\n/recall\n"
    for session in (parent, child):
        client.result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_a_new_home_has_what_the_image_has_there(make_unprivileged, settings_image):
    relay = make_unprivileged({"image": settings_image})
    client = relay.websocket()
    client.new("/workspace")
    assert shell(client, "cd; stat -c '%a %u:%g %n' . .settings; cat .link") == (
        0, "700 1000:1000 .\n640 1000:1000 .settings\nthe image's\n")
    client.result("session/close", sessionId=client.session)
    relay.wait_until_empty()


def test_links_do_not_lead_the_clearing_up_astray(make_unprivileged, tmp_path):
    (tmp_path / "canary").write_text("x")
    relay = make_unprivileged({"user": "0"})
    client = relay.websocket()
    client.new("/workspace")
    shell(client, f"ln -s {tmp_path} link; ln -s / root; ln {tmp_path}/canary hard; ln -s ../../../.. up")
    client.result("session/close", sessionId=client.session)
    relay.wait_until_empty()
    assert (tmp_path / "canary").read_text() == "x"
    assert relay.directory.is_dir()


def test_a_killed_relay_is_followed_by_one_that_goes_on_and_cleans_up(make_unprivileged, engine):
    relay = make_unprivileged()
    client = relay.websocket()
    session = client.new("/workspace")
    shell(client, "echo x > file")
    relay.may_leave_open_rows = True
    relay.process.kill()
    relay.wait()
    assert relay.container(session)["State"]["Running"]
    group = os.stat(engine.socket).st_gid
    relay.start(prefix=("setpriv", f"--reuid={RELAY_UID}", f"--regid={RELAY_UID}", f"--groups={group}"))
    relay.may_leave_open_rows = False
    relay.http().result("session/close", sessionId=session)
    relay.wait_until_empty()
