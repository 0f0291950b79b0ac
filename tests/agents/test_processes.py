"""Agents of others, each by its preset, as processes of this host: with its network, and without a key either."""
import contextlib
import pathlib

import pytest

from fake_model import ECHO
from harness import sdk
from harness.relay import Relay
from presets import KEY, MODULES, check_no_key_is_kept, commands, egress


@pytest.fixture
def relay(tmp_path, model, certificate, agent):
    sdk.installed()
    home = tmp_path / "home"
    home.mkdir()
    relay = Relay(tmp_path / "relay", env={"HOME": str(home)}, config={
        "agent": {"startup_timeout": "120s"}, "egress": egress(model, certificate), "agents": {agent: {
            "preset": agent, "isolation": "process", "command": commands(node=sdk.NODE, modules=MODULES)[agent]}}})
    try:
        yield relay.start()
        relay.stop()
    finally:
        relay.kill()


def told(relay):
    """Environment and command line of each process of the agent."""
    texts = []
    for pid, _ in relay.agents():
        with contextlib.suppress(OSError):  # it has ended
            process = pathlib.Path(f"/proc/{pid}")
            texts.append((process / "environ").read_text("utf-8", "replace"))
            texts.append((process / "cmdline").read_text("utf-8", "replace"))
    return texts


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_finishes_a_turn_as_a_process_and_has_no_key(relay, tmp_path, model, agent):
    model.requests.clear()
    client = relay.http()
    session = client.new(relay.workspace, agent=agent)
    said = client.prompt_text(session, f"hello from {agent}")
    assert ECHO in said and f"hello from {agent}" in said
    assert model.requests and {credential for _, credential, _ in model.requests} <= {KEY, f"Bearer {KEY}"}
    texts = told(relay)
    assert any("_API_KEY=" in text for text in texts), "a token stands in its place"
    assert not any(KEY in text for text in texts)
    client.result("session/close", sessionId=session)
    for file in (tmp_path / "home").rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
    check_no_key_is_kept(relay)
