"""session/fork in containers: the fork has a container, a workspace and a home of its own."""
import contextlib
import os
import signal
import stat

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError
from harness.processes import command_line, descendants

STATEFUL = ["/bin/acp-demo-agent", "--state", "/home/agent/state"]
FORKED = {"cwd": "/workspace", "mcpServers": []}


@pytest.fixture
def relay(make_container_relay):
    return make_container_relay({"command": STATEFUL})


def fork(client, session, **params):
    return client.result("session/fork", sessionId=session, **params)["sessionId"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fork_has_a_container_of_its_own_and_knows_what_was_said(relay, transport):
    with contextlib.closing(open_client(transport, acp_url(relay, transport))) as client:
        assert client.initialized["agentCapabilities"]["sessionCapabilities"]["fork"] == {}
        parent = client.new("/workspace")
        client.prompt("one")
        client.prompt("/write made.txt before")
        child = fork(client, parent, **FORKED)
        assert client.prompt("/recall", child)[1] == "one\n/write made.txt before\n/recall\n"
        assert relay.container(child)["Id"] != relay.container(parent)["Id"]
        client.prompt("/write made.txt after", child)
        assert "before" in client.prompt("/read made.txt", parent)[1]
        assert "after" in client.prompt("/read made.txt", child)[1]
        for session in (parent, child):
            client.result("session/close", sessionId=session)
    wait_until(lambda: relay.directories() == [], lambda: f"{relay.directories()}")


def test_what_is_copied_is_as_it_was(relay):
    client = relay.http()
    parent = client.new("/workspace/below")
    tree = relay.host_workspace(parent)
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o4755)
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep").chmod(0o750)
    (tree / "out").symlink_to("/etc/passwd")
    (tree / "in").symlink_to("deep/er")
    os.mkfifo(tree / "fifo", 0o600)
    with open(tree / "holes", "wb") as holes:
        holes.truncate(1 << 40)
        holes.seek(1 << 30)
        holes.write(b"data")
    for path in (tree / "run.sh", tree / "deep", tree / "deep" / "er", tree / "out"):
        os.chown(path, 1000, 1000, follow_symlinks=False)
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)
    child = fork(client, parent)
    copy = relay.host_workspace(child)
    assert client.prompt_text(child, "/cwd").endswith("session: /workspace/below\n")
    assert sorted(os.listdir(copy)) == sorted(os.listdir(tree))
    assert os.readlink(copy / "out") == "/etc/passwd" and os.readlink(copy / "in") == "deep/er"
    for name in ("run.sh", "deep", "deep/er", "out"):
        old, new = os.lstat(tree / name), os.lstat(copy / name)
        assert (new.st_uid, new.st_gid, int(new.st_mtime)) == (1000, 1000, 1_000_000_000), name
        assert stat.S_IMODE(new.st_mode) == stat.S_IMODE(old.st_mode) & 0o1777, "no set-user-id"
    assert stat.S_ISFIFO(os.lstat(copy / "fifo").st_mode)
    holes = os.lstat(copy / "holes")
    assert holes.st_size == 1 << 40 and holes.st_blocks * 512 < 1 << 20
    with open(copy / "holes", "rb") as file:
        file.seek(1 << 30)
        assert file.read(4) == b"data"


def test_a_directory_of_the_host_is_shared_and_not_copied(make_container_relay, tmp_path):
    project = tmp_path / "roots" / "project"
    project.mkdir(parents=True)
    os.chown(project, 1000, 1000)
    relay = make_container_relay({"command": STATEFUL, "mount_roots": [str(tmp_path / "roots")]})
    client = relay.http()
    parent = client.new(project)
    client.prompt_text(parent, "/write shared.txt one")
    child = fork(client, parent)
    assert "one" in client.prompt_text(child, "/read shared.txt")
    assert client.prompt_text(child, "/recall").startswith("/write shared.txt one\n")
    assert not (relay.host_workspace(child) / "shared.txt").exists()


def test_too_much_is_refused_by_its_key_and_nothing_is_left(make_container_relay):
    relay = make_container_relay({"command": STATEFUL, "max_fork_bytes": "1Mi"})
    client = relay.http()
    parent = client.new("/workspace")
    client.prompt_text(parent, "fits")
    assert client.prompt_text(fork(client, parent), "/recall") == "fits\n/recall\n"
    (relay.host_workspace(parent) / "large").write_bytes(os.urandom(1 << 20))
    before = relay.directories()
    with pytest.raises(RelayError) as refused:
        fork(client, parent)
    assert refused.value.type == "workspace_unavailable" and "max_fork_bytes" in str(refused.value.data)
    assert len(client.result("session/list")["sessions"]) == 2
    wait_until(lambda: relay.directories() == before, lambda: f"{relay.directories()}")


def test_a_closed_session_has_nothing_to_copy(relay):
    client = relay.http()
    parent = client.new("/workspace")
    client.prompt_text(parent, "one")
    client.result("session/close", sessionId=parent)
    wait_until(lambda: relay.directories() == [], lambda: f"{relay.directories()}")
    with pytest.raises(RelayError) as refused:
        fork(client, parent)
    assert refused.value.type == "session_closed" and "directories" in str(refused.value)
    wait_until(lambda: relay.directories() == [], lambda: f"{relay.directories()}")


def test_one_whose_agent_ended_by_itself_is_forked_from_what_it_left(relay, engine):
    client = relay.http()
    parent = client.new("/workspace")
    client.prompt_text(parent, "one")
    engine.kill(relay.container(parent)["Id"])
    wait_until(lambda: client.result("session/list")["sessions"][0]["closedAt"], "its end")
    assert client.prompt_text(fork(client, parent), "/recall") == "one\n/recall\n"
    client.result("session/close", sessionId=parent)


@pytest.mark.parametrize("home", ["tmpfs", "image"])
def test_without_a_home_that_stays_it_is_not_offered(make_container_relay, home):
    relay = make_container_relay({"command": STATEFUL, "home": home})
    with contextlib.closing(open_client("ws", acp_url(relay, "ws"))) as client:
        assert "fork" not in client.initialized["agentCapabilities"]["sessionCapabilities"]
        refused = client.error("session/fork", sessionId=client.new("/workspace"), **FORKED)
    assert refused.code == -32601 and "container.home" in str(refused.data)


def test_no_link_of_the_agent_leads_the_relay_elsewhere(relay, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    client = relay.http()
    parent = client.new("/workspace")
    (relay.host_workspace(parent) / "below").symlink_to(outside)
    made = client.result("session/fork", sessionId=parent, cwd="/workspace/below/deeper")
    assert made["cwd"] == "/workspace/below/deeper"
    assert list(outside.iterdir()) == []
    assert (relay.host_workspace(made["sessionId"]) / "below" / "deeper").is_dir()


def copying(relay):
    """The helper that copies, or None."""
    return next((pid for pid, _ in descendants(relay.process.pid) if "copy" in command_line(pid)), None)


@pytest.fixture
def forking(make_container_relay):
    """(relay, client, session, socket, request, go on): a fork is being copied, and stands still until go on()."""
    relay = make_container_relay({"command": STATEFUL, "max_concurrent_starts": 1})
    client = relay.http()
    parent = client.new("/workspace")
    tree = relay.host_workspace(parent)
    for number in range(30_000):
        (tree / str(number)).touch()
    with contextlib.closing(relay.websocket()) as socket:
        asked = socket.start("session/fork", {"sessionId": parent})
        helper = wait_until(lambda: copying(relay), "the copy")
        os.kill(helper, signal.SIGSTOP)

        def go_on():
            with contextlib.suppress(ProcessLookupError):
                os.kill(helper, signal.SIGCONT)
        try:
            yield relay, client, parent, socket, asked, go_on
        finally:
            go_on()


def test_what_a_killed_relay_had_begun_is_gone(forking):
    relay, _, parent, _, _, _ = forking
    os.kill(relay.process.pid, signal.SIGKILL)
    relay.process.wait()
    relay.start()
    wait_until(lambda: relay.directories() == [parent], lambda: f"{relay.directories()}")
    client = relay.http()
    assert [one["id"] for one in client.result("session/list")["sessions"]] == [parent]
    assert client.prompt_text(parent, "goes on") == "goes on"


def test_a_session_that_is_closed_meanwhile_leaves_no_half_fork(forking):
    relay, client, parent, socket, asked, go_on = forking
    client.result("session/close", sessionId=parent)
    wait_until(lambda: not relay.host_workspace(parent).exists(), "what is being copied is removed")
    go_on()
    refused = socket.answer(asked)["error"]["data"]
    assert refused["error_type"] == "session_closed" and "directories" in refused["explanation"]
    wait_until(lambda: relay.directories() == [], lambda: f"{relay.directories()}")
    assert [one["id"] for one in client.result("session/list")["sessions"]] == [parent]


def test_a_client_that_leaves_meanwhile_leaves_nothing(forking):
    relay, client, parent, socket, _, go_on = forking
    socket.close()
    go_on()
    wait_until(lambda: relay.directories() == [parent], lambda: f"{relay.directories()}")
    assert [one["id"] for one in client.result("session/list")["sessions"]] == [parent]
    assert client.prompt_text(fork(client, client.new("/workspace")), "goes on") == "goes on"


def test_others_start_while_a_fork_is_copied(forking):
    _, client, parent, socket, asked, go_on = forking
    assert client.prompt_text(client.new("/workspace"), "meanwhile") == "meanwhile"
    go_on()
    assert socket.answer(asked)["result"]["sessionId"] != parent
