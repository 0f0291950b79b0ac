"""A session's container from its first to its last moment, seen through the Engine.

scripts/test.sh runs this file against Docker and against Podman. Where Podman differs, the test asks
engine.podman_cannot("...") and asserts what is seen there.
"""
import os
import stat

import pytest

from harness.containers import SHELL, shell
from harness.deadline import wait_until
from harness.http_client import text_of
from harness.relay import ROOT


def new(client, **params):
    return client.result("session/new", **params)


def test_a_session_is_a_container_of_its_own(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    made = [new(client), new(client)]
    assert [(one["isolation"], one["cwd"]) for one in made] == [("container", "/workspace")] * 2
    assert len(relay.wait_for_containers(2)) == 2
    instances = set()
    for one in made:
        facts = relay.container(one["sessionId"])
        assert facts["State"]["Running"]
        assert facts["Config"]["Hostname"] == f"acp-agent-{one['sessionId']}"[:63]
        labels = facts["Config"]["Labels"]
        assert labels["acp.relay"] == "true"
        assert labels["acp.session"] == one["sessionId"]
        assert labels["acp.created"].endswith("Z") and labels["acp.created"][10] == "T"
        instances.add(labels["acp.relay.instance"])
        assert facts["Config"]["OpenStdin"] and not facts["Config"]["StdinOnce"]
        assert not facts["Config"]["Tty"] and not facts["HostConfig"]["AutoRemove"]
        assert facts["HostConfig"]["Init"] and facts["HostConfig"]["NetworkMode"] == "none"
        assert not facts["HostConfig"]["Privileged"]
    assert len(instances) == 1
    assert client.prompt_text(made[0]["sessionId"], "hello there") == "hello there"


def test_the_environment_is_that_of_the_session_and_nothing_of_the_relay(make_container_relay):
    relay = make_container_relay(config={"agent": {"env": {"GREETING": "hi"}}},
                                 env={"SECRET_OF_THE_RELAY": "do not tell"})
    client = relay.http()
    session = client.new("/workspace")
    lines = client.prompt_text(session, "/env").split("\n")
    assert {f"SESSION_ID={session}", "AGENT_CONTAINER=true", "WORKSPACE=/workspace", "GREETING=hi"} <= set(lines)
    assert "SECRET_OF_THE_RELAY" not in "\n".join(lines)


def test_directories_belong_to_the_user_of_the_image(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    session = client.new("/workspace")
    for name in ("workspace", "home"):
        facts = os.stat(relay.base / session / name)
        assert stat.S_IMODE(facts.st_mode) == 0o700, name
        assert facts.st_uid == 1000, name
    client.prompt_text(session, "/write hello.txt hi there")
    assert (relay.host_workspace(session) / "hello.txt").read_text() == "hi there"
    client.prompt_text(session, "/write /home/agent/note.txt kept")
    assert (relay.base / session / "home" / "note.txt").read_text() == "kept"


@pytest.mark.parametrize("end", ["close", "management", "shutdown"])
def test_the_end_of_a_session_leaves_neither_container_nor_directory(make_container_relay, end):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    client.prompt("/write c.txt x")
    if end == "management":
        assert relay.management(f"/api/sessions/{session}", method="DELETE").status_code == 200
    elif end == "shutdown":
        relay.stop()
    else:
        client.result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_an_idle_session_ends_by_itself(make_container_relay):
    relay = make_container_relay(config={"sessions": {"idle_timeout": "300ms"}})
    relay.http().new("/workspace")
    relay.wait_until_empty()


def test_a_session_ends_in_the_middle_of_a_turn(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    client.new("/workspace")
    id = client.start_prompt("/sleep 600")
    client.result("session/close", sessionId=client.session)
    client.answer(id)
    relay.wait_until_empty()


def test_agents_that_ignore_sigterm_are_killed(make_shell_relay):
    command = ["/bin/sh", "-c", "trap '' TERM; . /bin/shell-agent; while :; do sleep 9; done"]
    relay = make_shell_relay({"command": command, "shutdown_timeout": "500ms"})
    client = relay.http()
    client.result("session/close", sessionId=client.new("/workspace"))
    relay.wait_until_empty()


def test_an_agent_behind_a_shell_ends_at_sigterm(make_shell_relay, engine):
    """As npm does it: the container's first process waits for the agent and passes no signal on."""
    ends_alone = engine.podman_cannot("tell more than the first process of the end")
    command = ["/bin/sh", "-c", "trap : TERM; /bin/acp-demo-agent; exit 7"]
    relay = make_shell_relay({"command": command, "auto_remove": False,
                              "shutdown_timeout": "500ms" if ends_alone else "60s"})
    relay.keeps_directories = True
    client = relay.http()
    session = client.new("/workspace")
    client.result("session/close", sessionId=session)
    state = wait_until(lambda: [one for one in [relay.container(session)["State"]] if not one["Running"]],
                       "the container has ended")[0]
    assert state["ExitCode"] == (137 if ends_alone else 7)
    engine.remove(f"acp-agent-{session}")


def test_container_and_directories_stay_without_auto_remove(make_container_relay, engine):
    relay = make_container_relay({"auto_remove": False})
    relay.keeps_directories = True
    client = relay.http()
    session = client.new("/workspace")
    client.prompt_text(session, "/write kept.txt x")
    client.result("session/close", sessionId=session)
    relay.wait_logged(str(relay.base / session))  # what is kept
    assert (relay.host_workspace(session) / "kept.txt").read_text() == "x"
    assert not relay.container(session)["State"]["Running"]
    engine.remove(f"acp-agent-{session}")


def test_a_session_goes_on_where_the_container_of_its_agent_before_was_kept(make_container_relay, engine):
    relay = make_container_relay({"auto_remove": False})
    relay.keeps_directories = True
    client = relay.websocket()
    session = client.new("/workspace")
    kept = relay.container(session)["Id"]
    engine.request("POST", f"/containers/{kept}/kill")
    client.incoming("_acp-relay/session_closed")
    assert client.prompt("another agent")[1] == "another agent"
    assert relay.container(session)["Id"] != kept
    client.result("session/close", sessionId=session)
    engine.remove(f"acp-agent-{session}")


def test_a_directory_that_the_relay_did_not_make_stays(make_container_relay):
    relay = make_container_relay(start=False)
    foreign = relay.base / "sess_of_somebody_else"
    foreign.mkdir(parents=True)
    (foreign / "file").write_text("x")
    relay.keeps_directories = True
    relay.start()
    client = relay.http()
    client.result("session/close", sessionId=client.new("/workspace"))
    wait_until(lambda: relay.directories() == ["sess_of_somebody_else"], lambda: f"{relay.directories()}")
    assert (foreign / "file").read_text() == "x"


@pytest.mark.parametrize("asked, given", [("/workspace", "/workspace"), ("/", "/workspace"), ("/etc", "/workspace"),
                                          ("/workspace/../etc", "/workspace"), ("/no/such/place", "/workspace")])
def test_working_directories_lie_in_the_workspace(make_container_relay, asked, given):
    relay = make_container_relay()
    client = relay.http()
    result = new(client, workingDirectory=asked)
    assert result["cwd"] == given
    assert given in client.prompt_text(result["sessionId"], "/cwd")


def test_a_directory_below_a_mount_root_is_the_working_directory(make_container_relay, tmp_path):
    project = tmp_path / "roots" / "project"
    project.mkdir(parents=True)
    (project / "main.c").write_text("int main;")
    os.chmod(tmp_path, 0o755)
    os.chown(project, 1000, 1000)
    secret = tmp_path / "secret"
    secret.mkdir()
    (tmp_path / "roots" / "link").symlink_to(secret)
    relay = make_container_relay({"mount_roots": [str(tmp_path / "roots")]})
    client = relay.http()
    result = new(client, workingDirectory=str(project))
    assert result["cwd"] == str(project)
    assert "int main;" in client.prompt_text(result["sessionId"], "/read main.c")
    client.prompt_text(result["sessionId"], "/write made.txt by the agent")
    assert (project / "made.txt").read_text() == "by the agent"
    for escape in (tmp_path / "roots" / "link", secret, tmp_path / "roots" / ".." / "secret"):
        assert new(client, workingDirectory=str(escape))["cwd"] == "/workspace"
    client.result("session/close", sessionId=result["sessionId"])
    wait_until(lambda: relay.container(result["sessionId"]) is None, "its container is gone")
    assert (project / "made.txt").is_file(), "a project is never deleted"


@pytest.mark.parametrize("home", ["keep", "tmpfs", "image"])
def test_homes(make_shell_relay, home):
    relay = make_shell_relay({"home": home})
    client = relay.websocket()
    session = client.new("/workspace")
    assert shell(client, "cd; pwd; echo x > kept; grep -c ' /home/agent ' /proc/mounts") == (
        0 if home != "image" else 1, "/home/agent\n" + ("0\n" if home == "image" else "1\n"))
    assert (relay.base / session / "home" / "kept").is_file() == (home == "keep")


def test_a_new_home_has_what_the_image_has_there(make_shell_relay, settings_image, engine):
    relay = make_shell_relay({"image": settings_image, "readonly_rootfs": True, "drop_capabilities": ["ALL"]})
    client = relay.websocket()
    session = client.new("/workspace")
    assert shell(client, "cd; stat -c '%a %u:%g %n' . .settings .config .config/*; cat .link; readlink .cache") == (
        0, "700 1000:1000 .\n640 1000:1000 .settings\n750 1000:1000 .config\n600 1000:1000 .config/agent.json\n"
        "the image's\n/var/cache\n")


def test_a_home_that_an_agent_worked_in_stays_as_it_is(make_container_relay, settings_image, engine):
    relay = make_container_relay(image=settings_image, container={"command": ["/bin/acp-demo-agent"]})
    client = relay.websocket()
    session = client.new("/workspace")
    assert "the image's" in client.prompt("/read /home/agent/.settings")[1]
    client.prompt("/write /home/agent/.settings mine")
    engine.kill(relay.container(session)["Id"])
    client.incoming("_acp-relay/session_closed")
    assert "mine" in client.prompt("/read /home/agent/.settings")[1]
    assert "the image's" in client.prompt("/read /home/agent/.settings", client.new("/workspace"))[1]


def test_what_the_image_has_in_its_home_meets_no_mount(make_shell_relay, settings_image, tmp_path):
    """The Engine would write into the one, and remove what is in the other for the image's link."""
    os.chmod(tmp_path, 0o755)
    for name in ("config", "deep"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    relay = make_shell_relay({"image": settings_image, "user": "4711:4712", "extra_volumes": [
        f"{tmp_path}/config:/home/agent/.config", f"{tmp_path}/deep:/home/agent/.cache/deep:rw"]})
    client = relay.websocket()
    client.new("/workspace")
    assert shell(client, "cd; pwd; stat -c '%a %u:%g' .settings; cat .config/* .cache/deep/*") == (
        0, "/home/agent\n640 4711:4712\nconfigdeep")
    assert (tmp_path / "deep" / "file").read_text() == "deep"


@pytest.mark.parametrize("user, shown", [("", "1000 1000"), ("agent", "1000 1000"), ("0", "0 0"),
                                         ("root:agent", "0 1000"), ("4711:4712", "4711 4712")])
def test_users(make_shell_relay, user, shown):
    relay = make_shell_relay({"user": user})
    client = relay.websocket()
    client.new("/workspace")
    assert shell(client, "echo $(id -u) $(id -g); echo x > /workspace/mine") == (0, shown + "\n")


def test_stderr_is_apart_from_stdout(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    client.new("/workspace")
    result, text = client.prompt("/stderr a line of stderr")
    assert result["stopReason"] == "end_turn"
    assert "a line of stderr" not in text
    assert relay.metric("acp_relay_agent_lines_skipped_total") == 0, "nor was it a line of stdout"
    relay.wait_logged("a line of stderr")


def test_a_line_of_20_mib(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    client.new("/workspace")
    _, text = client.prompt(f"/huge {20 << 20}")
    assert len(text) > (20 << 20) - 1000
    assert client.prompt("still there")[1] == "still there"


def test_a_burst_of_10000_lines_before_the_client_attaches(make_container_relay):
    relay = make_container_relay()
    first = relay.websocket()
    session = first.new("/workspace")
    first.start_prompt("/flood 10000")
    relay.wait_for_prompts()
    first.abort()
    second = relay.websocket()
    second.result("session/load", sessionId=session, cwd="/workspace", mcpServers=[])

    def complete():
        words = text_of(second.all("session/update"))
        return len(words) if len(words) >= 160000 else None
    assert wait_until(complete, "all of the burst", 300, every=0.2) == 160000
    assert second.prompt("and on", session)[1] == "and on"


def test_health_names_the_isolation(make_container_relay):
    relay = make_container_relay()
    assert relay.management("/api/health").json()["isolation"] == "container"
    wait_until(lambda: relay.management("/api/ready").status_code == 200, "it is ready")


def test_the_command_of_the_configuration_replaces_that_of_the_image(make_shell_relay, engine):
    relay = make_shell_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    facts = relay.container(session)
    command = [facts["Path"], *facts["Args"]]
    if engine.podman_cannot("show a command without the init program that runs it"):
        assert command == ["/run/podman-init", "--", *SHELL]
    else:
        assert command == SHELL
    assert shell(client, "echo $0 $SESSION_ID") == (0, f"sh {session}\n")


@pytest.mark.parametrize("made_by", ["make_shell_relay", "make_egress_relay"])
def test_the_images_check_sees_an_agent_that_is_stopped(request, made_by, engine):
    """Whose first process is the Engine's init, or with upstreams acp-agent-init."""
    relay = request.getfixturevalue(made_by)()
    client = relay.http()
    container = f"acp-agent-{client.new('/workspace')}"
    check = (ROOT / "docker/agent/agent-health").read_text("utf-8")

    def health():
        return engine.exec(container, "sh", "-c", check)

    def signal_agent(name):
        of_the_first = "grep -l '^PPid:.1$' /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3"
        assert engine.exec(container, "sh", "-c", f"kill -{name} $({of_the_first})") == (0, "")
    assert health() == (0, "")
    signal_agent("STOP")
    wait_until(lambda: health() == (1, "the agent does not run\n"), lambda: f"it is stopped: {health()}")
    signal_agent("CONT")
    wait_until(lambda: health() == (0, ""), lambda: f"it goes on: {health()}")
