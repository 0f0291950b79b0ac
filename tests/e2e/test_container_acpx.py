"""acpx through `acp-relay connect`, with agents in containers."""
import pytest

from harness.acpx import Acpx, words


@pytest.fixture
def acpx(make_container_relay, tmp_path):
    made = []

    def make(against, **container):
        relay = make_container_relay(container)
        made.append(Acpx(relay, tmp_path / f"acpx{len(made)}", against=against))
        return made[-1]

    yield make
    try:
        for one in made:
            one.wait_gone()
    finally:
        for one in made:
            one.kill()


def test_with_the_demo_agent(acpx):
    client = acpx("demo agent, container")
    assert words(client.messages("--approve-all", "exec", "/permission")) == "Permission: allow"
    session = client.run("sessions", "new").split()[-1]
    client.messages("prompt", "one")
    client.wait_gone()
    again = client.messages("prompt", "two")
    assert words(again).endswith("two") and session in str(again)
    client.run("sessions", "close")
    client.relay.management(f"/api/sessions/{session}", "DELETE")


def test_with_the_example_agent(acpx, example_image):
    client = acpx("SDK example agent, container", image=example_image)
    messages = client.messages("--approve-all", "exec", "go on")
    assert "I've successfully updated the configuration" in words(messages)
    assert any(message.get("method") == "session/request_permission" for message in messages)
