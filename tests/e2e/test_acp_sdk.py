"""The official SDK's client and example programs against agents that are processes of the relay."""
import pytest

from harness import sdk, sdk_checks
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.http_client import HttpClient
from harness.relay import Relay

PORTS = [("http", "http_port"), ("http", "websocket_port"), ("ws", "websocket_port"), ("ws", "http_port")]
TOKENS = {"mode": "token", "tokens": [{"name": "ada", "token": "token-of-ada-1"},
                                      {"name": "bob", "token": "token-of-bob-2"},
                                      {"name": "example", "token": "example-token"}]}


def settings(relay, transport, port=None, **more):
    return {"url": acp_url(relay, transport, port), "cwd": str(relay.workspace), "megabytes": 17, "count": 12, **more}


@pytest.fixture(scope="module", params=TRANSPORTS)
def demo(request, tmp_path_factory):
    """The facts of all scenarios with the demo agent, played in one go."""
    relay = Relay(tmp_path_factory.mktemp("demo")).start()
    try:
        yield sdk.play("demo agent, process", settings(relay, request.param), *sdk_checks.DEMO)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.parametrize("scenario", sdk_checks.DEMO)
def test_with_the_demo_agent(demo, scenario):
    sdk_checks.judge(demo[scenario], sdk_checks.DEMO[scenario])


@pytest.fixture(scope="module", params=TRANSPORTS)
def example(request, tmp_path_factory):
    relay = Relay(tmp_path_factory.mktemp("example"), {"agent": sdk.example_agent()}).start()
    try:
        yield sdk.play("SDK example agent, process", settings(relay, request.param), *sdk_checks.EXAMPLE)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.parametrize("scenario", sdk_checks.EXAMPLE)
def test_with_the_example_agent(example, scenario):
    sdk_checks.judge(example[scenario], sdk_checks.EXAMPLE[scenario])


@pytest.mark.parametrize("transport, port", PORTS)
def test_both_ports_serve_both_transports(relay, transport, port):
    facts = sdk.facts_of("demo agent, process", settings(relay, transport, port), "streaming")
    sdk_checks.streaming(facts, "process")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", sdk_checks.COME_BACK)
def test_a_session_comes_back_after_the_relay_went_away(make_relay, transport, method):
    relay = make_relay()
    made = sdk.facts_of("demo agent, process", settings(relay, transport), "leave")
    relay.stop()
    relay.start()
    back = settings(relay, transport, session=made["sessionId"], method=method)
    facts = sdk.facts_of("demo agent, process", back, "come_back")
    assert made["sessionId"] in [session["sessionId"] for session in facts["sessions"]]
    sdk_checks.COME_BACK[method](facts, "process")


@pytest.mark.parametrize("method", sdk_checks.COME_BACK)
def test_a_session_comes_back_after_the_relay_was_killed(make_relay, method):
    relay = make_relay()
    made = sdk.facts_of("demo agent, process", settings(relay, "http"), "leave")
    relay.process.kill()
    relay.process.wait()
    relay.start()
    back = settings(relay, "http", session=made["sessionId"], method=method)
    sdk_checks.COME_BACK[method](sdk.facts_of("demo agent, process", back, "come_back"), "process")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_of_the_relays_own_dialect_can_be_loaded(relay, transport):
    client = HttpClient(relay.http_url)
    id = client.new(relay.workspace)
    assert client.prompt_text(id, "remember me") == "remember me"
    back = settings(relay, transport, session=id, method="session/load")
    sdk_checks.COME_BACK["session/load"](sdk.facts_of("demo agent, process", back, "come_back"), "process")
    client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_of_acp_can_be_used_in_the_relays_own_dialect(relay, transport):
    id = sdk.facts_of("demo agent, process", settings(relay, transport), "leave")["sessionId"]
    assert relay.http().prompt_text(id, "from elsewhere") == "from elsewhere"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_list_of_many_sessions_comes_in_pages(relay, transport):
    facts = sdk.facts_of("demo agent, process", settings(relay, transport, count=120), "list_pages")
    listed = [id for page in facts["pages"] for id in page]
    assert len(facts["pages"]) > 1
    assert sorted(listed) == sorted(facts["made"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_agents_demand_to_log_in_passes_through(make_relay, transport):
    relay = make_relay({"agent": {"args": ["--require-auth"]}})
    facts = sdk.facts_of("demo agent, process", settings(relay, transport), "authentication")
    assert [method["id"] for method in facts["methods"]] == ["demo"]
    assert facts["refusal"]["code"] == -32000
    assert facts["badMethod"]["code"] == -32602
    assert facts["authenticated"] == {}
    assert facts["turns"] == ["in", "in"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_agent_that_ends_in_a_turn_is_an_error_and_no_more(relay, transport):
    facts = sdk.facts_of("demo agent, process", settings(relay, transport), "agent_exits")
    sdk_checks.error(facts["refusal"], -32603, "agent_exited")
    assert facts["refusal"]["data"]["relevant_state"]["exit_code"] == 7
    assert facts["next"]["text"] == "another one"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_agent_that_cannot_be_started_is_an_error_to_the_client(make_relay, transport):
    relay = make_relay({"agent": {"command": "/bin/false"}})
    facts = sdk.facts_of("broken agent, process", settings(relay, transport), "broken_agent")
    sdk_checks.error(facts["refusal"], -32603, "agent_start_failed")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_without_a_token_the_client_sees_401(make_relay, transport):
    relay = make_relay({"auth": TOKENS})
    facts = sdk.facts_of("demo agent, process", settings(relay, transport, token="token-of-ada-1"), "unauthorized")
    assert facts["attempts"].keys() == {"none", "wrong"}
    for attempt in facts["attempts"].values():
        assert "401" in attempt["message"], attempt
    assert facts["right"] == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_of_another_principal_does_not_exist(make_relay, transport):
    relay = make_relay({"auth": TOKENS})
    mine = settings(relay, transport, token="token-of-ada-1", other="token-of-bob-2")
    facts = sdk.facts_of("demo agent, process", mine, "others_session")
    for refusal in facts["refusals"].values():
        sdk_checks.error(refusal, -32002, "session_not_found")
    assert facts["deleted"] == {} and facts["sessions"] == []
    assert facts["mine"]["text"] == "still mine"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_clients_run_unmodified(make_relay, transport):
    relay = make_relay({"auth": TOKENS})
    output = sdk.run_example(transport, acp_url(relay, transport), "demo agent, process", relay.workspace)
    assert "Hello over " in output and "Done: end_turn" in output and "loadSession=true" in output


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_clients_meet_the_example_agent(make_relay, transport):
    relay = make_relay({"agent": sdk.example_agent(), "auth": TOKENS})
    output = sdk.run_example(transport, acp_url(relay, transport), "SDK example agent, process", relay.workspace)
    assert "I've successfully updated the configuration" in output and "Done: end_turn" in output
