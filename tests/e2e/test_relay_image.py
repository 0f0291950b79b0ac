"""The relay's own image, and docker-compose.yaml: a relay in a container, with its sessions in containers beside it."""
import json
import os
import re
import subprocess

import pytest
import yaml

from harness import relay_container
from harness.compose import FILE, interpolated, nanoseconds
from harness.deadline import wait_until
from harness.relay import BINARY, ROOT

MOST_BYTES = 40_000_000


def test_the_image_adds_little_to_its_base_and_says_how_much(engine, debian_base, own_tag):
    said = relay_container.build_relay(engine, debian_base, own_tag)
    added = engine.image(own_tag)["Size"] - engine.image(debian_base)["Size"]
    print(said)
    assert 5_000_000 < added <= MOST_BYTES
    assert re.fullmatch(rf"{own_tag}: [\d.]+ MB, {added / 1e6:.1f} MB more than {debian_base}\.", said.splitlines()[-1])


DOCKER_THAT_LISTS_NO_BASE = """#!/bin/sh
[ "$1" != image ] || { [ "$5" = mine:1 ] && echo 41000000; }
"""


def test_a_base_that_is_not_listed_leaves_its_size_out(engine, tmp_path, monkeypatch):
    """As with BuildKit, which keeps what it builds on to itself."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER_THAT_LISTS_NO_BASE)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = relay_container.build_relay(engine, "not/listed:1", "mine:1")
    assert said.splitlines()[-1] == "mine:1: 41.0 MB."


def test_what_the_image_is(engine, relay_image):
    config = engine.image(relay_image)["Config"]
    assert config["User"] == f"{relay_container.RELAY_UID}:{relay_container.RELAY_UID}"
    assert config["Entrypoint"] == ["acp-relay"]
    assert config["Healthcheck"]["Test"] == ["CMD", "acp-relay", "alive", "--config", "/etc/acp-relay/config.yaml"]
    assert config["Labels"]["org.opencontainers.image.title"] == "acp-relay"


def test_what_the_compose_file_says():
    """What nobody may change in passing."""
    needed = {"SOCKET_GID": "998", "RELAY_TOKEN_SHA256": "0" * 64, "RELAY_OPERATOR_TOKEN_SHA256": "1" * 64}
    with pytest.raises(AssertionError, match="SOCKET_GID is needed"):
        interpolated(yaml.safe_load(FILE.read_text("utf-8")), {})
    relay = interpolated(yaml.safe_load(FILE.read_text("utf-8")), needed)["services"]["relay"]
    assert relay["ports"] == ["8080:8080", "8081:8081", "127.0.0.1:8082:8082"]
    config_file, workspaces = [volume for volume in relay["volumes"] if isinstance(volume, dict)]
    assert workspaces["source"] == workspaces["target"] == relay["environment"]["WORKSPACES"]
    assert (config_file["source"], config_file["read_only"]) == ("./config.container.yaml", True)
    done = subprocess.run([BINARY, "check-config", "--json", ROOT / "config.container.yaml"], capture_output=True,
                          text=True, check=True,
                          env={**relay["environment"], "PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": "x-of-nobody"})
    config = json.loads(done.stdout)
    assert config["sessions"]["on_shutdown"] == "detach"
    assert config["container"]["workspace_base_dir"] == workspaces["target"]
    assert (config["container"]["network_mode"], config["agent"]["upstreams"]) == ("none", ["anthropic"])
    ends = config["server"]["shutdown_timeout"]
    assert nanoseconds(relay["stop_grace_period"]) > nanoseconds(ends), "it has to end by itself"


@pytest.fixture
def relay_of(engine, tmp_path, relay_image, demo_image):
    """relay_of(further keys of container): one that is not started yet."""
    relays = []

    def make(container=None):
        relays.append(relay_container.RelayInContainer(engine, tmp_path, relay_image, demo_image, container=container))
        return relays[-1]
    yield make
    for made in relays:
        made.down()


@pytest.fixture
def relay(relay_of):
    return relay_of().up()


def test_its_sessions_get_containers_beside_it(relay):
    client = relay.http()
    session = client.new("/workspace")
    client.prompt(session, "/write hello.txt from a container beside")
    written = relay.workspaces / session / "workspace" / "hello.txt"
    assert written.read_text("utf-8").startswith("from a container beside") and written.stat().st_uid == 1000
    own = relay.project.inspect("relay")
    assert own["HostConfig"]["ReadonlyRootfs"] and own["Config"]["User"].startswith(f"{relay_container.RELAY_UID}:")
    [mount] = [one for one in relay.agent(session)["Mounts"] if one["Destination"] == "/workspace"]
    assert mount["Source"] == str(written.parent)
    wait_until(lambda: relay.health() == "healthy", lambda: f"it is healthy: {own['State']}\n{relay.log_text()}")
    client.result("session/close", sessionId=session)
    wait_until(lambda: relay.agent(session) is None and not written.parent.parent.exists(), "nothing is left of it")


def test_it_has_authorities_where_openssl_looks(relay):
    """Which its user can read: without them it trusts no upstream."""
    told = subprocess.run(["openssl", "version", "-d"], capture_output=True, text=True, check=True).stdout
    place = re.search('OPENSSLDIR: "(.+)"', told)[1]
    code, text = relay.engine.exec(relay.project.container("relay"), "cat", f"{place}/cert.pem")
    assert code == 0 and text.count("-----BEGIN CERTIFICATE-----") > 10, text[:1000]
    code, text = relay.engine.exec(relay.project.container("relay"), "cat", "/var/lib/dpkg/status.d/ca-certificates")
    assert code == 0 and "Package: ca-certificates" in text


def ends(client, session):
    """How often the log says that a turn has ended by itself."""
    return json.dumps(client.result("session/history", sessionId=session)).count("end_turn")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_new_container_goes_on_with_the_sessions_of_the_one_before(relay, how):
    client = relay.http()
    session = client.new("/workspace")
    assert client.prompt_text(session, "before") == "before"
    told_of_one = ends(client, session)
    assert told_of_one > 0
    agent = relay.agent(session)["Id"]
    first = relay.project.inspect("relay")
    with client.stream(session, "/sleep 1.5"):
        if how == "killed":
            relay.engine.kill(first["Id"])
        else:
            relay.engine.request("POST", f"/containers/{first['Id']}/stop")
            assert relay.project.inspect("relay")["State"]["ExitCode"] == 0
    client.close()
    relay.engine.remove(first["Id"])
    assert relay.agent(session)["State"]["Running"]
    relay.up("relay")
    assert relay.project.inspect("relay")["Id"] != first["Id"]
    client = relay.http()
    wait_until(lambda: ends(client, session) == 2 * told_of_one, "the turn that was under way ends like the one before")
    assert client.prompt_text(session, "after") == "after"
    assert relay.agent(session)["Id"] == agent
    client.result("session/close", sessionId=session)
    wait_until(lambda: relay.agent(session) is None, "the agent's container is gone")


@pytest.mark.parametrize("container, said", [
    (lambda workspaces: {"extra_volumes": [f"{workspaces}:/all:ro"]}, "the workspaces of all sessions"),
    (lambda workspaces: {"mount_roots": [str(workspaces.parent)]}, "holds the workspaces of all sessions"),
    (lambda workspaces: {"extra_volumes": ["/var/run:/run/host"]}, "docker.sock")])
def test_what_gives_the_host_away_is_refused_in_a_container_too(relay_of, container, said):
    """The paths of the host are those that the relay sees, which is what its check goes by."""
    relay = relay_of(container)
    relay.project.up()
    wait_until(lambda: said in relay.log_text(), lambda: f"it is refused: {relay.log_text()}")
    wait_until(lambda: not relay.project.inspect("relay")["State"]["Running"]
               or relay.project.inspect("relay")["RestartCount"] > 0, "it has ended")
