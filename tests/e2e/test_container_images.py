"""Images: there, not there, pulled or not, built without a registry."""
import hashlib
import json
import os
import signal
import subprocess

import pytest

from harness import path
from harness.containers import GROUP, PASSWD, demo_files, shell, tools_files
from harness.deadline import PATIENCE, wait_until
from harness.http_client import RelayError
from harness.relay import DEMO_AGENT, ROOT, run_cli

# Nothing answers there, in whatever network the Engine is.
UNREACHABLE = "127.0.0.1:1/nobody/agent:1"


@pytest.mark.parametrize("policy", ["never", "missing", "always"])
def test_a_missing_image_keeps_a_relay_that_needs_it_from_starting(make_container_relay, policy):
    relay = make_container_relay({"image": UNREACHABLE, "pull_policy": policy}, start=False).launch()
    assert relay.wait() == 1
    text = relay.log_text()
    assert UNREACHABLE in text
    if policy == "never":
        assert "container.pull_policy" in text
    else:
        assert "127.0.0.1:1" in text and "refused" in text, "the registry's trouble is told"


@pytest.mark.parametrize("policy", ["never", "missing"])
def test_without_the_image_a_relay_with_a_command_uses_processes_and_says_so(make_container_relay, policy):
    relay = make_container_relay({"image": UNREACHABLE, "pull_policy": policy, "required": False},
                                 {"agent": {"command": str(DEMO_AGENT)}})
    result = relay.http().result("session/new", workingDirectory=str(relay.workspace))
    assert result["isolation"] == "process"
    assert relay.management("/api/health").json()["isolation"] == "process"
    relay.wait_logged(UNREACHABLE)
    relay.wait_logged("process")


def test_a_name_that_no_image_can_have(make_container_relay):
    relay = make_container_relay({"image": "Not An Image"}, start=False).launch()
    assert relay.wait() != 0
    relay.wait_logged("container.image")


def test_an_image_that_is_removed_under_the_relay(own_tag, make_container_relay, engine):
    engine.import_image(own_tag, demo_files(), 'CMD ["/bin/acp-demo-agent"]', "USER 1000:1000")
    relay = make_container_relay({"image": own_tag})
    client = relay.http()
    client.result("session/close", sessionId=client.new("/workspace"))
    relay.wait_until_empty()
    engine.remove_image(own_tag)
    with pytest.raises(RelayError) as caught:
        client.new("/workspace")
    assert caught.value.type == "image_not_found"
    assert own_tag in json.dumps(caught.value.data)
    relay.wait_until_empty()
    wait_until(lambda: relay.management("/api/ready").json()["reasons"] == ["image_not_found"], "ready is red")
    engine.import_image(own_tag, demo_files(), 'CMD ["/bin/acp-demo-agent"]', "USER 1000:1000")
    wait_until(lambda: relay.management("/api/ready").status_code == 200, "ready is green again")
    relay.assert_serves()


def test_an_image_without_a_command(own_tag, make_container_relay, engine):
    engine.import_image(own_tag, demo_files())
    relay = make_container_relay({"image": own_tag}, start=False).launch()
    if relay.wait_ready_or_end():
        with pytest.raises(RelayError) as caught:
            relay.http().new("/workspace")
        assert caught.value.type == "container_start_failed"
        assert "container.command" in json.dumps(caught.value.data)
        relay.wait_until_empty()
    else:
        relay.wait_logged("container.command")


@pytest.fixture
def without_docker_command(tmp_path):
    return path.without(tmp_path / "bin", "docker")


def digest_of(program):
    return hashlib.sha256(program.read_bytes()).hexdigest()


def test_the_demo_image_needs_neither_registry_nor_docker_command(
        own_tag, make_container_relay, engine, demo_image, without_docker_command):
    built = subprocess.run([str(ROOT / "docker/build.sh"), "demo", own_tag], capture_output=True, text=True,
                           env={"PATH": without_docker_command, "DOCKER_HOST": engine.address,
                                "ACP_DEMO_AGENT": str(ROOT / "build/release/acp-demo-agent")},
                           timeout=5 * PATIENCE, check=False)
    assert built.returncode == 0, built.stderr
    assert own_tag in built.stdout and "MB" in built.stdout and "answers" in built.stdout
    facts = engine.image(own_tag)
    assert facts["Config"]["User"] == "1000:1000"
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "acp-demo-agent"
    assert labels["acp-demo-agent.sha256"] == digest_of(ROOT / "build/release/acp-demo-agent")
    relay = make_container_relay({"image": own_tag})
    client = relay.http()
    session = client.new("/workspace")
    client.prompt(session, "/write hello.txt hi")
    assert (relay.host_workspace(session) / "hello.txt").read_text("utf-8").startswith("hi")


DOCKER_THAT_NOTES_BUILDS = """#!/bin/sh
case $1 in
  buildx) exit 1 ;;
  build)
    for context; do :; done
    if [ -e "$context/agent-health" ]; then echo agent "$@"; else echo demo "$@"; fi >"$NOTES"
    ;;
  run) echo '{"result":{}}'; cat >/dev/null ;;
  image) echo 1000000 ;;
esac
"""


@pytest.mark.parametrize("arguments, kind, tag, options", [
    ([], "agent", "acp-agent:latest", ""), (["mine:1"], "agent", "mine:1", ""),
    (["agent"], "agent", "acp-agent:latest", ""), (["agent", "demo"], "agent", "demo", ""),
    (["demo"], "demo", "acp-demo-agent:latest", "--no-cache --build-arg PROGRAM=DIGEST"),
    (["demo", "mine:1"], "demo", "mine:1", "--no-cache --build-arg PROGRAM=DIGEST"),
    (["mine:1", "--build-arg", "A=b c"], "agent", "mine:1", "--build-arg A=b c"),
    (["agent", "--network", "host"], "agent", "acp-agent:latest", "--network host"),
    (["--network", "host"], "agent", "acp-agent:latest", "--network host")])
def test_what_the_images_are_called(tmp_path, arguments, kind, tag, options):
    docker = tmp_path / "docker"
    docker.write_text(DOCKER_THAT_NOTES_BUILDS)
    docker.chmod(0o755)
    built = subprocess.run([str(ROOT / "docker/build.sh"), *arguments], capture_output=True, text=True, timeout=PATIENCE,
                           env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTES": str(tmp_path / "notes"),
                                "ACP_DEMO_AGENT": str(DEMO_AGENT)}, check=False)
    assert built.returncode == 0 and built.stdout.startswith(f"{tag}: "), built.stderr
    words = (tmp_path / "notes").read_text().split()
    assert words[:4] == [kind, "build", "--tag", tag]
    assert " ".join(words[6:-1]) == options.replace("DIGEST", digest_of(DEMO_AGENT))


def test_a_home_that_is_too_much_for_a_copy(own_tag, make_shell_relay, engine):
    engine.import_image(own_tag, {**tools_files(), "home/agent/large": (0o644, 1000, bytes(9 << 20))}, "ENV PATH=/bin",
                        "USER agent")
    relay = make_shell_relay({"image": own_tag})
    client = relay.websocket()
    client.new("/workspace")
    assert shell(client, "ls -A ~") == (0, "")
    relay.wait_logged("more than 8 MiB in /home/agent")
    relay.wait_logged("container.home: image")


def test_users_of_an_image_whose_account_files_are_links(own_tag, make_shell_relay, engine):
    """As Nix makes them: into the store, by a path that an archive has no room for in its header."""
    store = f"nix/store/{'h' * 120}-users/etc"
    files = {**tools_files(), f"{store}/passwd": (0o644, 0, PASSWD.replace(b"1000:1000", b"1234:1235")),
             f"{store}/group": (0o644, 0, GROUP),
             "etc/passwd": (0o777, 0, f"/{store}/passwd"), "etc/group": (0o777, 0, "../etc/to-group"),
             "etc/to-group": (0o777, 0, f"../{store}/group")}
    engine.import_image(own_tag, files, "ENV PATH=/bin", "USER agent", 'CMD ["/bin/acp-demo-agent"]')
    client = make_shell_relay({"image": own_tag}).websocket()
    client.new("/workspace")
    assert shell(client, "id -u; id -g; echo x > /workspace/mine; pwd; cd; pwd") == (
        0, "1234\n1235\n/workspace\n/home/agent\n")


def test_an_image_whose_user_it_does_not_know_itself(own_tag, make_container_relay, engine):
    engine.import_image(own_tag, demo_files(), "USER nobody-knows", 'CMD ["/bin/acp-demo-agent"]')
    relay = make_container_relay({"image": own_tag}, start=False).launch()
    assert relay.wait() == 1
    relay.wait_logged("set container.user to a number")
    assert "leave it empty" not in relay.log_text(), "it is empty"


def test_a_session_keeps_its_image_when_the_tag_moves(own_tag, make_container_relay, engine):
    tag = own_tag

    def point_at(mark):
        files = {**demo_files(), "etc/mark": (0o644, 0, mark.encode())}
        engine.import_image(tag, files, "USER 1000:1000", "WORKDIR /workspace", "ENV PATH=/bin",
                            'CMD ["/bin/acp-demo-agent"]')
        return engine.image(tag)["Id"]

    before = point_at("one")
    relay = make_container_relay({"image": tag}, {"sessions": {"on_shutdown": "detach"}})
    first = relay.http().new("/workspace")
    after = point_at("two")
    second = relay.http().new("/workspace")
    assert before != after
    images = {first: before, second: after}

    def check():
        listed = {one["id"]: one for one in relay.http().result("session/list")["sessions"]}
        shown = {one["id"]: one for one in relay.management("/api/sessions?format=page").json()["sessions"]}
        code, table, err = run_cli("sessions", "list", relay=relay)
        assert code == 0, err
        for session, image in images.items():
            assert relay.container(session)["Image"] == image, "as the Engine has it"
            for one in (listed[session], shown[session]):
                assert (one["image"], one["imageId"]) == (tag, image)
            assert f"{tag}@{image.removeprefix('sha256:')[:12]}" in table
            code, details, err = run_cli("sessions", "show", session, relay=relay)
            assert code == 0 and image in details, err

    check()
    relay.may_leave_open_rows = True
    relay.send_signal(signal.SIGTERM)
    assert relay.wait() == 0
    relay.start()
    check()
    for session in images:
        relay.http().result("session/close", sessionId=session)
    relay.wait_until_empty()
    relay.may_leave_open_rows = False
    engine.remove_image(before)  # it has no name any more
