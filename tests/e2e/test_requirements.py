"""What ACP asks of an agent holds through `acp-relay connect` as it does without the relay."""
import pytest

from harness import requirements
from harness.acp_endpoint import acp_url
from harness.relay import BINARY, DEMO_AGENT


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    return requirements.verdicts([DEMO_AGENT], {}, tmp_path_factory.mktemp("direct"))


def test_the_demo_agent_meets_them(direct):
    assert len(direct) >= 56
    assert {name: verdict for name, verdict in direct.items() if verdict != "passed"} == {}


def test_behind_the_relay_each_verdict_is_the_same(make_relay, direct):
    relay = make_relay({"agent": {"max_concurrent_sessions": 1000}})
    env = {"ACP_RELAY_URL": acp_url(relay, "ws")}
    behind = requirements.verdicts([BINARY, "connect"], env, relay.workspace)
    assert behind == direct
