"""Agents of others, each by its preset alone: in a container without a network and without a key they finish a turn.

scripts/test.sh full installs them (tests/agents/package.json) and runs this. Their model is fake_model.py, over TLS.
"""
import json
import pathlib

import pytest

from fake_model import ECHO
from presets import KEY, check_no_key_is_kept, contained_relay, over_websocket

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = ("claude", "gemini", "opencode", "qwen")  # in these the model writes a file, too


@pytest.fixture(scope="module")
def relay(tmp_path_factory, model, certificate, request):
    with contained_relay(tmp_path_factory.mktemp("relay"), model, certificate, request.param, {
            "opencode-openai": ("opencode", {"upstreams": ["openai"]}),
            "codex-ws": ("codex", over_websocket())}) as relay:
        yield relay


def check_isolation(relay, session):
    container = relay.container(session)
    host = container["HostConfig"]
    assert host["NetworkMode"] == "none" and container["Config"]["NetworkDisabled"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and "no-new-privileges" in host["SecurityOpt"]
    code, out = relay.engine.exec(f"acp-agent-{session}", "/bin/sh", "-c",
                                  "id -u; ls /sys/class/net; grep CapEff /proc/self/status; touch /opt/x 2>&1")
    assert code != 0 and out.splitlines()[:2] == ["1000", "lo"], out
    assert "0000000000000000" in out and "Read-only" in out, out


def check_no_key(relay, session):
    assert KEY not in json.dumps(relay.container(session))
    in_two = f"'{KEY[:9]}''{KEY[9:]}'"  # or the script would find itself
    _, out = relay.engine.exec(
        f"acp-agent-{session}", "/bin/sh", "-c",
        "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; ls -laR /acp-relay; "
        # Programs are larger.
        f"find /home /tmp /run /var /workspace /etc -type f -size -8000k -exec grep -sl {in_two} {{}} + "
        "| sed 's/^/FOU''ND /'")
    assert "acp-agent-init" in out and "placeholder" in out
    assert "FOUND" not in out and KEY not in out


def test_the_images_have_the_versions_that_are_tried_here():
    lines = (HERE.parents[1] / "docker/agent/packages").read_text().splitlines()
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert {package: version for _, package, version, *_ in map(str.split, lines) if package in wanted} == wanted


@pytest.mark.parametrize("relay, agent", [
    *(("unix", agent) for agent in ("claude", "codex", "gemini", "opencode", "opencode-openai", "qwen", "codex-ws")),
    *(("stdio", agent) for agent in ("claude", "codex-ws"))], indirect=["relay"])
def test_finishes_a_turn_without_a_network_and_without_a_key(relay, model, agent):
    model.requests.clear()
    websockets = model.websockets
    client = relay.http()
    session = client.new("/workspace", agent=agent)
    said = client.prompt_text(session, f"hello from {agent}")
    assert ECHO in said and f"hello from {agent}" in said
    assert model.requests and {credential for _, credential, _ in model.requests} <= {KEY, f"Bearer {KEY}"}
    assert (model.websockets > websockets) == (agent == "codex-ws")
    if agent in TOOLS:
        client.prompt_text(session, "write the file /workspace/made.txt")
        assert (relay.host_workspace(session) / "made.txt").read_text().strip() == "written"
    check_isolation(relay, session)
    check_no_key(relay, session)
    client.result("session/close", sessionId=session)
    assert "is in no allow rule" not in relay.log_text()
    check_no_key_is_kept(relay)
