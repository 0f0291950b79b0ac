"""What agent.preset and upstreams make of a container. The agents themselves are run in tests/agents."""
import pytest

from harness import containers
from harness.relay import run_cli

KEY = "sk-of-the-upstream-5c1e"
UPSTREAMS = {"upstreams": {"anthropic": {"credential": {"value": KEY}}, "openai": {"credential": {"value": KEY}}}}


@pytest.fixture
def root_image(engine):
    return containers.import_files(engine, "root", containers.tools_files(), "WORKDIR /workspace", "ENV PATH=/bin",
                                   f'CMD ["{containers.SHELL[0]}"]')


def test_a_preset_is_environment_in_a_hardened_container(make_shell_relay, tools_image):
    of_image = {"image": tools_image, "command": containers.SHELL}
    relay = make_shell_relay(config={"egress": {"port": 9999, **UPSTREAMS}, "agents": {
        "claude": {"preset": "claude", **of_image, "env": {"DISABLE_AUTOUPDATER": "no"}},
        "codex": {"preset": "codex", **of_image},
        "soft": {"preset": "claude", **of_image, "readonly_rootfs": False, "drop_capabilities": []}}})
    client = relay.websocket()
    look = "env; id -u; grep CapBnd /proc/self/status; touch /opt 2>&1; cp /bin/busybox /tmp/echo && /tmp/echo ran"

    made = client.result("session/new", agent="claude")
    assert made["egress"]["upstreams"] == ["anthropic"] and made["network"] == "none"
    code, out = containers.shell(client, look, made["sessionId"])
    lines = out.splitlines()
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:9999/anthropic" in lines and "ANTHROPIC_API_KEY=placeholder" in lines
    assert "DISABLE_AUTOUPDATER=no" in lines and "DISABLE_AUTOUPDATER=1" not in lines
    assert code == 0 and "CapBnd:\t0000000000000000" in lines and "Read-only file system" in out and {"1000", "ran"} <= {*lines}
    assert KEY not in out

    code, out = containers.shell(client, look, client.new("/workspace", agent="codex"))
    assert '"base_url":"http://127.0.0.1:9999/openai/v1"' in out and "OPENAI_API_KEY=placeholder" in out

    soft = relay.container(client.new("/workspace", agent="soft"))["HostConfig"]
    assert not soft["ReadonlyRootfs"] and not soft["CapDrop"]


def test_an_agent_with_upstreams_is_root_only_when_somebody_says_so(make_container_relay, root_image):
    config = {"agent": {"upstreams": ["openai"]}, "egress": UPSTREAMS}
    relay = make_container_relay(config=config, image=root_image, start=False)
    assert relay.launch().wait() != 0
    said = relay.log_text()
    assert "container.user says so" in said and 'set container.user: "1000:1000"' in said
    relay = make_container_relay({"user": "root"}, config=config, image=root_image)
    client = relay.websocket()
    assert containers.shell(client, "id -u", client.new("/workspace"))[1].strip() == "0"


def test_what_a_preset_decides_is_shown(tmp_path):
    file = tmp_path / "relay.yaml"
    file.write_text("egress: {upstreams: {anthropic: {credential: {value: '${KEY}'}}}}\nagents: {a: {preset: claude}}\n")
    code, out, err = run_cli("check-config", str(file), env={"KEY": KEY})
    shown = out[out.index("\nagents:"):]
    assert code == 0 and KEY not in out + err, err
    for line in ('image: "acp-agent:latest"', '- "anthropic"', "readonly_rootfs: true", '- "ALL"'):
        assert line in shown
    file.write_text("agents: {a: {preset: claude}}\n")
    code, _, err = run_cli("check-config", str(file))
    assert code == 78 and "egress: {upstreams: {anthropic: {credential:" in err
