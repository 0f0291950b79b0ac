"""Several agents, some of them in containers: limits, secrets and directories of each are its own."""
import json
import signal
import socket

import pytest

from harness.containers import SHELL, shell
from harness.deadline import wait_until
from harness.relay import DEMO_AGENT

MIB = 1 << 20
MEMORY = "cat $(ls -d /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -n 1)"
PIDS = "cat $(ls -d /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -n 1)"


@pytest.fixture
def mixed(make_container_relay, tools_image):
    """By default containers; `outside` is a process, the others have containers of their own."""
    return make_container_relay(
        {"memory_limit": "200Mi", "pids_limit": 50},
        {"agent": {"env": {"KEY_OF_DEFAULT": "canary-of-the-default"}, "client_env": ["EDITOR"]},
         "agents": {
             "outside": {"isolation": "process", "command": str(DEMO_AGENT), "env": {"KEY_OF_OUTSIDE": "canary-o"}},
             "small": {"image": tools_image, "command": SHELL, "memory_limit": "96Mi",
                       "env": {"KEY_OF_SMALL": "canary-of-small"}},
             "inherits": {"image": tools_image, "command": SHELL, "pids_limit": 33},
         }})


def test_limits_are_the_agents_own_or_inherited(mixed):
    small, inherits = mixed.websocket(), mixed.websocket()
    small.new("/workspace", agent="small")
    inherits.new("/workspace", agent="inherits")
    assert shell(small, MEMORY) == (0, f"{96 * MIB}\n")
    assert shell(small, PIDS) == (0, "50\n")
    assert shell(inherits, MEMORY) == (0, f"{200 * MIB}\n")
    assert shell(inherits, PIDS) == (0, "33\n")


def test_secrets_of_one_agent_are_not_another_s(mixed):
    client = mixed.websocket()
    client.new("/workspace", agent="small")
    names = {line.split("=")[0] for line in shell(client, "env")[1].splitlines()}
    assert {name for name in names if name.startswith("KEY_OF_")} == {"KEY_OF_SMALL"}
    http = mixed.http()
    for agent, key in ((None, "KEY_OF_DEFAULT"), ("outside", "KEY_OF_OUTSIDE")):
        session = http.new(mixed.workspace if agent else "/workspace", **({"agent": agent} if agent else {}))
        lines = http.prompt_text(session, "/env").split("\n")
        assert {line.split("=")[0] for line in lines if line.startswith("KEY_OF_")} == {key}
    other = mixed.websocket()
    other.new("/workspace", agent="inherits")
    assert "KEY_OF_" not in shell(other, "env")[1]


def test_a_process_and_containers_run_side_by_side(mixed):
    client = mixed.http()
    outside = client.new(mixed.workspace, agent="outside")
    inside = client.new("/workspace", agent="small")
    standard = client.new("/workspace")
    listed = {item["id"]: (item["agent"], item["isolation"])
              for item in client.result("session/list")["sessions"]}
    assert listed == {outside: ("outside", "process"), inside: ("small", "container"), standard: (None, "container")}
    mixed.wait_for_containers(2)
    assert mixed.container(outside) is None
    for session in (outside, inside, standard):
        client.result("session/close", sessionId=session)
    mixed.wait_until_empty()


def test_the_directories_of_a_session_go_when_its_agent_has_ended_by_itself(mixed):
    client = mixed.http()
    session = client.new("/workspace", agent="small")
    mixed.engine.kill(mixed.container(session)["Id"])
    mixed.wait_for_containers(0)
    assert mixed.directories() == [session], "nobody has given it up"
    client.result("session/close", sessionId=session)
    mixed.wait_until_empty()


def test_sessions_of_every_agent_live_through_a_killed_relay(mixed):
    client = mixed.http()
    sessions = [client.new("/workspace", agent=agent) for agent in ("small", "inherits")]
    sessions.append(client.new("/workspace"))
    mixed.wait_for_containers(3)
    mixed.may_leave_open_rows = True
    mixed.send_signal(signal.SIGKILL)
    mixed.wait()
    mixed.start()
    mixed.may_leave_open_rows = False
    client = mixed.http()
    for session in sessions:
        assert mixed.container(session)["State"]["Running"]
        client.result("session/close", sessionId=session)
    mixed.wait_until_empty()


@pytest.mark.parametrize("change", ["taken away", "a process now"])
def test_an_agent_that_is_not_there_any_more_ends_with_its_container(mixed, change):
    client = mixed.websocket()
    session = client.new("/workspace", agent="small")
    mixed.send_signal(signal.SIGKILL)
    mixed.wait()
    if change == "taken away":
        del mixed.config["agents"]["small"]
    else:
        mixed.config["agents"]["small"] = {"isolation": "process", "command": str(DEMO_AGENT)}
    mixed.config_file.write_text(json.dumps(mixed.config), "utf-8")
    with socket.create_server(("127.0.0.1", mixed.config["server"]["management_port"])):
        mixed.launch()
        assert mixed.wait() == 1
    assert mixed.container(session)["State"]["Running"], "a start that fails ends nothing"
    mixed.start()
    wait_until(lambda: mixed.container(session) is None, "its container is gone")
    assert mixed.directories() == [session], "nobody has given it up"
    cause = mixed.management(f"/api/sessions/{session}").json()["cause"]
    assert cause.startswith("relay_restarted: ")
    assert {"taken away": "agent small is not configured any more",
            "a process now": "agent small runs as a process now"}[change] in cause
    mixed.http().result("session/close", sessionId=session)


def test_one_agent_may_need_containers_where_the_default_one_does_not(make_container_relay, tools_image):
    relay = make_container_relay({"enabled": False, "required": False},
                                 {"agent": {"command": str(DEMO_AGENT)},
                                  "agents": {"inside": {"image": tools_image, "command": SHELL}}})
    http = relay.http()
    http.new(relay.workspace)
    assert relay.containers() == []
    client = relay.websocket()
    session = client.new("/workspace", agent="inside")
    assert shell(client, "echo $HOME") == (0, "/home/agent\n")
    assert relay.container(session) is not None


def test_an_agent_that_needs_containers_never_runs_as_a_process(make_relay):
    relay = make_relay({"container": {"docker_host": "unix:///nowhere/docker.sock"},
                        "agents": {"inside": {"image": "agents/inside:1", "command": str(DEMO_AGENT)}}}, start=False)
    relay.launch()
    assert relay.wait() != 0
    relay.wait_logged("the agent inside can't be used")
    relay.wait_logged("agents.inside.isolation: process")


def test_a_missing_image_names_its_agent(make_container_relay):
    relay = make_container_relay({}, {"agents": {"inside": {"image": "acp-relay-test/none:1"}}}, start=False)
    relay.launch()
    assert relay.wait() != 0
    relay.wait_logged("the agent inside can't be used")
    relay.wait_logged("acp-relay-test/none:1")
