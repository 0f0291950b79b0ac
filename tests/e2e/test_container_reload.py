"""What the next container is made of may change while the relay runs: reload and containers."""
import pytest

from harness.containers import SHELL, shell
from harness.deadline import wait_until
from harness.relay import change, reload, run_cli

MIB = 1 << 20
STATEFUL = ["/bin/acp-demo-agent", "--state", "/home/agent/state"]
UNREACHABLE = "127.0.0.1:1/nobody/agent:1"


@pytest.fixture
def relay(make_container_relay):
    return make_container_relay({"memory_limit": "96Mi", "command": STATEFUL},
                                {"agents": {"small": {"pids_limit": 40}}})


def made_of(relay, session):
    """(image, memory, processes) as the Engine has it."""
    container = relay.container(session)
    limits = container["HostConfig"]
    return container["Config"]["Image"], limits["Memory"] // MIB, limits["PidsLimit"]


def test_containers_that_are_made_later_are_made_as_it_says_then(relay, demo_image, tools_image):
    client = relay.websocket()
    first = client.new("/workspace")
    assert client.prompt("remember", first)[1] == "remember"
    assert relay.management("/api/drain").json()["ending"] == [first]
    change(relay, {"container": {"image": tools_image, "memory_limit": "128Mi"}, "sessions": {"on_shutdown": "detach"},
                   "agents": {"small": {"pids_limit": 50, "command": SHELL}}})
    assert reload(relay) == ("changed: sessions.on_shutdown, container.image, container.memory_limit, "
                             "agents.small.command, agents.small.pids_limit\n")
    second = client.new("/workspace")
    small = client.new("/workspace", agent="small")
    assert made_of(relay, first) == (demo_image, 96, 512)
    assert made_of(relay, second) == (tools_image, 128, 512)
    assert made_of(relay, small) == (tools_image, 128, 50)
    assert shell(client, "echo in it", small) == (0, "in it\n")
    listed = {item["id"]: item for item in client.result("session/list")["sessions"]}
    assert [listed[session]["image"] for session in (first, second, small)] == [demo_image, tools_image, tools_image]
    assert listed[first]["imageId"] == relay.container(first)["Image"] != listed[second]["imageId"]
    assert client.prompt("still here", first)[1] == "still here"
    assert relay.management("/api/drain").json()["ending"] == []
    # Another agent for the same session is started as others are.
    relay.engine.kill(f"acp-agent-{first}")
    wait_until(lambda: relay.container(first) is None, "its container is removed")
    assert client.prompt("/recall", first)[1].startswith("remember\n")
    assert made_of(relay, first) == (tools_image, 128, 512)
    change(relay, {"sessions": {"on_shutdown": "stop"}})
    reload(relay)


def test_what_no_container_can_be_made_of_changes_nothing(relay, demo_image, tmp_path):
    base = relay.config["container"]["workspace_base_dir"]
    (tmp_path / "link").symlink_to(base)
    for wrong, told in [({"image": UNREACHABLE}, ["container.image", UNREACHABLE, "container.pull_policy"]),
                        ({"image": demo_image, "runtime": "no-such"}, ["container.runtime", "no-such"]),
                        ({"runtime": "", "user": "nobody-there"}, ["container.user", "nobody-there"]),
                        ({"user": "", "extra_volumes": [f"{tmp_path}/link:/out:rw"]}, ["container.extra_volumes", base])]:
        change(relay, {"container": {**wrong, "memory_limit": "128Mi"}, "log": {"level": "info"}})
        code, out, err = run_cli("reload", relay=relay)
        assert (code, out) == (1, ""), wrong
        assert [word for word in told if word not in err] == [], err
    assert relay.management("/api/config").json()["log"]["level"] == "debug"
    client = relay.http()
    assert made_of(relay, client.new("/workspace")) == (demo_image, 96, 512)
    assert made_of(relay, client.new("/workspace", agent="small")) == (demo_image, 96, 40)
    change(relay, {"container": {"extra_volumes": []}, "agents": {"small": {"image": UNREACHABLE}}})
    code, _, err = run_cli("reload", relay=relay)
    assert code == 1 and "the agent small" in err and UNREACHABLE in err
    assert made_of(relay, client.new("/workspace")) == (demo_image, 96, 512)
