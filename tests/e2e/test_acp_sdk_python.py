"""The official Python SDK's client against agents that are processes of the relay, over both transports."""
import pytest

from harness import sdk, sdk_checks
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.relay import DEMO_AGENT, Relay

CLIENT = "Python SDK"


def errors(facts, isolation):
    sdk_checks.error(facts["unknownMethod"], -32601)
    sdk_checks.error(facts["badMode"], -32602)
    assert facts["badMode"]["message"] == 'modeId must be "ask" or "code"'
    assert facts["next"]["text"] == "fine"


def sessions(facts, isolation):
    listed = {session["sessionId"]: session for session in facts["listed"]}
    assert set(facts["made"]) <= listed.keys() and facts["elsewhere"] == []
    assert all(listed[id]["cwd"].startswith("/") for id in facts["made"])


SCENARIOS = {
    **{name: sdk_checks.DEMO[name] for name in (
        "initialize", "streaming", "permission", "cancel", "modes", "two_sessions", "two_clients",
        "load_live", "load_closed", "resume_live", "resume_closed", "load_unknown")},
    "agent_errors": errors, "sessions": sessions,
}


@pytest.fixture(scope="module", params=TRANSPORTS)
def demo(request, tmp_path_factory):
    """The facts of all scenarios with the demo agent, played in one go."""
    relay = Relay(tmp_path_factory.mktemp("demo")).start()
    try:
        settings = {"url": acp_url(relay, request.param), "cwd": str(relay.workspace)}
        yield sdk.play("demo agent, process", settings, *SCENARIOS, client=CLIENT)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_with_the_demo_agent(demo, scenario):
    sdk_checks.judge(demo[scenario], SCENARIOS[scenario])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fork(make_relay, tmp_path, transport):
    relay = make_relay({"agent": {"command": str(DEMO_AGENT), "args": ["--state", str(tmp_path / "state")]}})
    settings = {"url": acp_url(relay, transport), "cwd": str(relay.workspace)}
    facts = sdk.play("demo agent, process", settings, "fork", client=CLIENT)["fork"]

    def check(facts, isolation):
        assert facts["forked"]["sessionId"] != facts["session"] and facts["forked"]["modes"]["currentModeId"] == "ask"
        assert facts["next"]["text"] == facts["told"] == "remember me\n/recall\n"

    sdk_checks.judge(facts, check)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_without_a_token_nothing_is_served(make_relay, transport):
    relay = make_relay({"auth": {"mode": "token", "tokens": [{"name": "ada", "token": "token-of-ada-1"}]}})
    settings = {"url": acp_url(relay, transport), "cwd": str(relay.workspace), "token": "token-of-ada-1"}
    facts = sdk.play("demo agent, process", settings, "unauthorized", client=CLIENT)["unauthorized"]
    if isinstance(facts, sdk.Failed):
        raise facts
    assert facts["right"] == 1
    assert facts["attempts"].keys() == {"none", "wrong"}
    for attempt in facts["attempts"].values():
        assert attempt != "served" and "401" in attempt["message"]
