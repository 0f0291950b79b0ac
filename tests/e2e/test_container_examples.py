"""The container blocks of the configuration files that people start from: each makes a session."""
import json
import os
import subprocess

import pytest

from harness.relay import BINARY, ROOT

FILES = ["config.development.yaml", "config.production.yaml", "config.debug.yaml", "config.container.yaml",
         "tests/fixtures/config/earlier-config.development.yaml",
         "tests/fixtures/config/earlier-config.production.yaml",
         "tests/fixtures/config/earlier-config.debug.yaml"]


def effective(name):
    """The configuration in force, as the relay itself reads the file."""
    env = {"PATH": os.environ["PATH"], "RELAY_TOKEN_SHA256": "0" * 64, "RELAY_OPERATOR_TOKEN_SHA256": "1" * 64,
           "ANTHROPIC_API_KEY": "x-of-nobody"}
    done = subprocess.run([BINARY, "check-config", "--json", ROOT / name], capture_output=True, text=True,
                          check=False, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", FILES)
def test_a_session_starts_with_the_container_block_of(name, make_container_relay):
    block = effective(name)["container"]
    assert block["enabled"], f"{name} is not about containers"
    # What a test must not touch or can't have: the image, the Engine's address, the directory, other mounts.
    for key in ("image", "docker_host", "workspace_base_dir", "extra_volumes", "pull_policy", "required"):
        block.pop(key, None)
    relay = make_container_relay(block)
    relay.keeps_directories = not block["auto_remove"]
    client = relay.http()
    session = client.new("/workspace")
    client.prompt(session, "/write made.txt by the example")
    assert (relay.host_workspace(session) / "made.txt").read_text("utf-8").startswith("by the example")
    inside = relay.container(session)["HostConfig"]
    assert inside["Memory"] == inside["MemorySwap"] > 0
    assert inside["NetworkMode"] == block["network_mode"]
    assert inside["ReadonlyRootfs"] == block["readonly_rootfs"]
    client.result("session/close", sessionId=session)
    if not block["auto_remove"]:
        assert relay.container(session)["State"]["Status"] == "exited"
        relay.engine.remove(relay.container(session)["Id"])
