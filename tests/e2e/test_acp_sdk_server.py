"""The clients and their checks tried against the SDK's own server, so that a failure against the relay is
the relay's."""
import json

import pytest

from harness import schema, sdk, sdk_checks
from harness.acp_endpoint import TRANSPORTS
from harness.relay import DEMO_AGENT

SCENARIOS = [name for name in sdk_checks.ONE_CONNECTION if name not in ("streaming",)]


@pytest.fixture(scope="module", params=TRANSPORTS)
def played(request, tmp_path_factory):
    with sdk.sdk_server(DEMO_AGENT) as address:
        yield sdk.play("the SDK's server", {
            "url": f"{request.param}://{address}", "cwd": str(tmp_path_factory.mktemp("cwd")), "megabytes": 15,
        }, *SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_scenarios_play_against_the_sdks_own_server(played, scenario):
    if isinstance(played[scenario], sdk.Failed):
        raise played[scenario]
    facts = played[scenario]
    if scenario == "large":
        assert facts["huge"] > 15_000_000
    else:
        sdk_checks.DEMO[scenario](facts, None)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_clients_play_against_the_sdks_own_server(transport, tmp_path):
    with sdk.sdk_server(DEMO_AGENT, token="example-token") as address:
        output = sdk.run_example(transport, f"{transport}://{address}", "the SDK's server", tmp_path)
    assert "Hello over " in output and "Done: end_turn" in output


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_wrong_token_is_seen_as_401(transport, tmp_path):
    with sdk.sdk_server(DEMO_AGENT, token="right") as address:
        facts = sdk.facts_of("the SDK's server", {
            "url": f"{transport}://{address}", "cwd": str(tmp_path), "token": "right"}, "unauthorized")
    for attempt in facts["attempts"].values():
        assert "401" in attempt["message"], attempt
    assert facts["right"] == 1


def test_the_schema_knows_what_that_of_the_sdk_does():
    """It is newer; what the SDK says has to be in it."""
    sdk.installed()
    theirs = json.loads((sdk.MODULES / "@agentclientprotocol/sdk/schema/v1/schema.json").read_text("utf-8"))
    for name, definition in theirs["$defs"].items():
        assert definition.get("required", []) == schema.SCHEMA["$defs"][name].get("required", []), name
        assert definition.get("properties", {}).keys() <= schema.SCHEMA["$defs"][name].get("properties", {}).keys(), name
