"""The official Rust SDK's client against the demo agent behind the relay, over both transports.

scripts/test.sh full builds it and runs this, where there is a cargo.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from harness import sdk, sdk_checks  # noqa: E402  the path above must come first
from harness.acp_endpoint import TRANSPORTS, acp_url  # noqa: E402
from harness.relay import Relay  # noqa: E402

CLIENT = "Rust SDK"
SCENARIOS = {name: sdk_checks.DEMO[name] for name in (
    "initialize", "streaming", "permission", "cancel", "modes", "two_sessions", "load_live", "load_closed",
    "resume_live", "resume_closed")}


@pytest.fixture(scope="module", params=TRANSPORTS)
def demo(request, tmp_path_factory):
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
def test_without_a_token_nothing_is_served(tmp_path, transport):
    relay = Relay(tmp_path, {"auth": {"mode": "token", "tokens": [{"name": "a", "token": "token-of-ada"}]}}).start()
    try:
        settings = {"url": acp_url(relay, transport), "cwd": str(relay.workspace), "token": "token-of-ada"}
        facts = sdk.play("demo agent, process", settings, "unauthorized", client=CLIENT)["unauthorized"]
        relay.stop()
    finally:
        relay.kill()
    if isinstance(facts, sdk.Failed):
        raise facts
    assert facts["right"] == 1
    assert facts["attempts"].keys() == {"none", "wrong"}
    for attempt in facts["attempts"].values():
        assert attempt != "served" and "401" in attempt["data"], attempt
