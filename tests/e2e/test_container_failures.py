"""Everything that ends or hinders an agent's container, each with its real cause."""
import json
import subprocess

import pytest

from harness import raw
from harness.containers import demo_files, shell
from harness.deadline import key_of, wait_until
from harness.http_client import RelayError, text_of

SMALL = {"memory_limit": "48M"}
STARTED = key_of(15)  # the Engine's part of the start is within startup_timeout too


def refused(relay):
    """The error of a session/new, which leaves nothing behind."""
    with pytest.raises(RelayError) as caught:
        relay.http().new("/workspace")
    relay.wait_for_containers(0)
    wait_until(lambda: relay.directories() == [], lambda: f"no directory is left: {relay.directories()}")
    wait_until(lambda: relay.open_rows() == [], "no row claims to be open")
    return caught.value


def end_of_turn(relay, client, prompt, act=None):
    """The error that the first turn ends with, after `act` was done in its middle."""
    id = client.start_prompt(prompt)
    if act:
        relay.wait_for_prompts()
        act()
    return RelayError(client.answer(id)["error"])


def goes_on(relay, client, session):
    """The next prompt to the session starts another agent in its directories; a new session works, too."""
    directories_stay(relay, session)
    assert client.prompt("another agent")[1] == "another agent"
    assert relay.container(session)["State"]["Running"]
    client.new("/workspace")
    assert client.prompt("the next one")[1] == "the next one"


def directories_stay(relay, session):
    """When an agent ends by itself its work stays for the user to look at."""
    wait_until(lambda: relay.container(session) is None, "its container is removed")
    assert relay.host_workspace(session).is_dir()
    relay.keeps_directories = True


@pytest.mark.parametrize("init", [True, False], ids=["with init", "as process 1"])
def test_an_agent_over_its_memory(make_container_relay, init):
    relay = make_container_relay({**SMALL, "init": init})
    client = relay.websocket()
    session = client.new("/workspace")
    error = end_of_turn(relay, client, "/oom")
    assert error.type == "container_resource_exceeded"
    assert "memory" in error.data["explanation"]
    assert "container.memory_limit" in json.dumps(error.data["suggested_actions"])
    assert "48" in json.dumps(error.data), "the limit is named"
    closed = client.incoming("_acp-relay/session_closed")["params"]
    assert closed["error"]["data"]["error_type"] == "container_resource_exceeded"
    goes_on(relay, client, session)


def test_a_child_over_the_memory_of_the_container(make_shell_relay):
    relay = make_shell_relay(SMALL)
    client = relay.websocket()
    session = client.new("/workspace")
    code, _ = shell(client, "dd if=/dev/zero of=/dev/null bs=200M count=1")
    assert code == 137
    notice = client.incoming("_acp-relay/agent_notice")["params"]
    assert notice["sessionId"] == session
    assert notice["error"]["data"]["error_type"] == "container_resource_exceeded"
    assert "container.memory_limit" in json.dumps(notice["error"]["data"]["suggested_actions"])
    assert shell(client, "echo the agent lives on") == (0, "the agent lives on\n")


def test_an_agent_that_ends_by_itself_after_a_child_was_killed_for_memory(make_shell_relay):
    relay = make_shell_relay(SMALL)
    client = relay.websocket()
    session = client.new("/workspace")
    with pytest.raises(RelayError) as caught:
        shell(client, "dd if=/dev/zero of=/dev/null bs=200M count=1; echo 0 > /tmp/end")
    assert caught.value.type == "container_resource_exceeded"
    closed = client.incoming("_acp-relay/session_closed")["params"]
    assert closed["error"]["data"]["error_type"] == "container_resource_exceeded"
    directories_stay(relay, session)


def test_a_child_killed_for_memory_before_the_first_answer(make_shell_relay):
    relay = make_shell_relay({**SMALL, "command": [
        "/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1; exit 0"]})
    error = refused(relay)
    assert error.type == "container_resource_exceeded"
    assert "container.memory_limit" in json.dumps(error.data["suggested_actions"])


def test_a_kill_from_outside_in_the_middle_of_a_turn(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    error = end_of_turn(relay, client, "/sleep 600", lambda: engine.kill(f"acp-agent-{session}"))
    assert error.type == "agent_exited"
    assert error.data["relevant_state"]["exit_code" if "exit_code" in error.data["relevant_state"] else "signal"] in (
        9, 137)
    goes_on(relay, client, session)


def test_a_removal_from_outside_in_the_middle_of_a_turn(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    error = end_of_turn(relay, client, "/sleep 600", lambda: engine.remove(f"acp-agent-{session}"))
    assert error.type == "agent_exited"
    goes_on(relay, client, session)


def test_words_before_a_kill_are_not_lost(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    _, text = client.prompt("/flood 2000")
    engine.kill(f"acp-agent-{session}")
    client.incoming("_acp-relay/session_closed")
    assert len(text_of(client.all("session/update"))) == len(text) == 32000
    directories_stay(relay, session)


@pytest.mark.parametrize("code", [0, 5])
def test_an_agent_that_exits_in_a_turn(make_container_relay, code):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    error = end_of_turn(relay, client, f"/exit {code}")
    assert error.type == "agent_exited"
    assert error.data["relevant_state"]["exit_code"] == code
    goes_on(relay, client, session)


def test_a_paused_container_delays_and_loses_nothing(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    engine.pause(f"acp-agent-{session}")
    id = client.start_prompt("frozen words")
    other = relay.http()
    assert other.prompt_text(other.new("/workspace"), "others go on") == "others go on"
    engine.unpause(f"acp-agent-{session}")
    assert client.answer(id)["result"]["stopReason"] == "end_turn"
    assert text_of(client.all("session/update")) == "frozen words"


def test_a_paused_container_can_be_closed(make_container_relay, engine):
    relay = make_container_relay({"shutdown_timeout": "500ms"})
    client = relay.http()
    session = client.new("/workspace")
    engine.pause(f"acp-agent-{session}")
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()


@pytest.mark.parametrize("command, init", [
    (["/no/such/agent"], True), (["/no/such/agent"], False), (["no-such-agent"], False), (["/etc/passwd"], True),
    (["/etc/passwd"], False)])
def test_a_command_that_can_not_be_started(make_container_relay, command, init):
    error = refused(make_container_relay({"command": command, "init": init}))
    assert error.type == "container_start_failed"
    assert command[0] in json.dumps(error.data)
    assert "container.command" in json.dumps(error.data["suggested_actions"])


def test_an_agent_that_ends_at_once_tells_code_and_last_words(make_shell_relay):
    error = refused(make_shell_relay({"command": ["/bin/sh", "-c", "echo no key in /etc/agent >&2; exit 3"]}))
    assert error.type in ("agent_exited", "agent_start_failed")
    assert error.data["relevant_state"]["exit_code"] == 3
    assert "no key in /etc/agent" in json.dumps(error.data["relevant_state"])


def test_an_agent_that_never_answers(make_shell_relay):
    relay = make_shell_relay({"command": ["/bin/sleep", "1000"], "startup_timeout": STARTED,
                              "shutdown_timeout": "200ms"})
    error = refused(relay)
    assert error.type == "agent_connection_timeout"
    assert "container.startup_timeout" in json.dumps(error.data["suggested_actions"])


def test_an_agent_without_enough_cpu_to_start(make_shell_relay):
    relay = make_shell_relay({"command": ["/bin/sh", "-c", "while :; do :; done"], "cpu_limit": 0.02,
                              "startup_timeout": STARTED, "shutdown_timeout": "200ms"})
    error = refused(relay)
    assert error.type == "container_resource_exceeded"
    assert "container.cpu_limit" in json.dumps(error.data["suggested_actions"])


def test_an_agent_that_speaks_no_acp(make_shell_relay):
    relay = make_shell_relay({"command": ["/bin/cat"], "startup_timeout": STARTED, "shutdown_timeout": "200ms"})
    assert refused(relay).type in ("agent_connection_timeout", "agent_start_failed", "agent_protocol_error")


def test_a_base_directory_that_can_not_be_made(make_container_relay, tmp_path):
    (tmp_path / "file").write_text("x")
    relay = make_container_relay(base=tmp_path / "file" / "sessions", start=False).launch()
    if relay.wait_ready_or_end():
        error = refused(relay)
        assert error.type == "workspace_unavailable"
        assert "container.workspace_base_dir" in json.dumps(error.data)
    else:
        relay.wait_logged("container.workspace_base_dir")


def test_a_base_directory_that_vanishes_is_made_again_or_named(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    client.result("session/close", sessionId=client.new("/workspace"))
    relay.wait_until_empty()
    relay.base.rmdir()
    try:
        client.result("session/close", sessionId=client.new("/workspace"))
    except RelayError as failure:
        assert failure.type == "workspace_unavailable"
        assert str(relay.base) in json.dumps(failure.data)


def test_clients_that_vanish_while_their_container_starts(make_container_relay):
    relay = make_container_relay(config={"sessions": {"idle_timeout": "200ms"}})
    new = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/new", "params": {"cwd": "/workspace"}}).encode()
    for _ in range(8):
        connection, _ = raw.upgrade(relay.config["server"]["websocket_port"])
        connection.sendall(raw.frame(new))
        connection.close()
    relay.assert_serves_a_watcher()
    relay.wait_until_empty()
    wait_until(lambda: relay.open_rows() == [], "no row claims to be open")


def test_shutdown_while_containers_start(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    for _ in range(6):
        client.start("session/new", {"cwd": "/workspace"})
    wait_until(lambda: relay.directories(), "the first one is being made")
    relay.stop()


def test_directories_that_could_not_be_removed_are_removed_when_they_can_be(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    session = client.new("/workspace")
    in_the_way = relay.host_workspace(session) / "mounted"
    in_the_way.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", in_the_way], check=True)
    try:
        client.result("session/close", sessionId=session)
        relay.wait_logged("directories are left")
    finally:
        subprocess.run(["umount", in_the_way], check=True)
    wait_until(lambda: relay.directories() == [], "the directories are gone")
    relay.wait_logged("removed the directories that were left")


def test_so_are_those_that_a_killed_relay_has_left(make_container_relay):
    relay = make_container_relay()
    session = relay.http().new("/workspace")
    in_the_way = relay.host_workspace(session) / "mounted"
    in_the_way.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", in_the_way], check=True)
    try:
        relay.process.kill()
        relay.process.wait()
        relay.engine.remove(f"acp-agent-{session}")
        relay.start()
        relay.wait_logged("session of an earlier run is closed")
        relay.http().result("session/delete", sessionId=session)
        relay.process.kill()
        relay.process.wait()
        relay.start()
        relay.wait_logged("the directories of an earlier run are left")
    finally:
        subprocess.run(["umount", in_the_way], check=True)
    wait_until(lambda: relay.directories() == [], "the directories are gone")


def test_a_home_that_gets_only_a_part_of_what_the_image_has_starts_no_agent(
        own_tag, make_container_relay, engine, tmp_path):
    files = {**demo_files(), "home/agent/large": (0o644, 1000, bytes(6 << 20))}
    engine.import_image(own_tag, files, "USER 1000:1000", 'CMD ["/bin/acp-demo-agent"]')
    base = tmp_path / "small"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", base], check=True)
    try:
        relay = make_container_relay(base=base, image=own_tag)
        with pytest.raises(RelayError) as caught:
            relay.http().new("/workspace")
        assert caught.value.type == "container_start_failed"
        data = json.dumps(caught.value.data)
        assert "/home/agent" in data and "no space left" in data and "container.home" in data
        relay.stop()
    finally:
        subprocess.run(["umount", "-l", base], check=True)


def test_a_full_disk_of_workspaces_is_not_ready(make_container_relay, tmp_path):
    base = tmp_path / "small"
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", base], check=True)
    try:
        relay = make_container_relay(base=base)
        wait_until(lambda: relay.management("/api/ready").status_code == 200, "it is ready")
        (base / "filler").write_bytes(b"x" * (3 << 20) + b"x" * 800_000)
        wait_until(lambda: "workspace_unavailable" in relay.management("/api/ready").text, "the disk is full")
        assert relay.management("/api/ready").status_code == 503
        (base / "filler").unlink()
        wait_until(lambda: relay.management("/api/ready").status_code == 200, "it is ready again")
        relay.stop()
    finally:
        subprocess.run(["umount", "-l", base], check=True)
