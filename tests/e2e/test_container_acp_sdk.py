"""The official SDK's client and example programs against agents in containers."""
import pytest

from harness import containers, sdk, sdk_checks
from harness.acp_endpoint import TRANSPORTS, acp_url

# What a container could change; the rest is the same code as with processes.
DEMO = [name for name in sdk_checks.DEMO if name not in ("crowd", "agent_errors", "late_joiner_is_asked")]


def _relay(engine, directory, image, **container):
    return containers.ContainerRelay(directory, {"container": container}, engine=engine, image=image).start()


def _settings(relay, transport, **more):
    return {"url": acp_url(relay, transport), "cwd": "/workspace", "megabytes": 17, **more}


@pytest.fixture(scope="module", params=TRANSPORTS)
def demo(request, engine, demo_image, tmp_path_factory):
    relay = _relay(engine, tmp_path_factory.mktemp("demo"), demo_image)
    try:
        yield sdk.play("demo agent, container", _settings(relay, request.param), *DEMO)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.parametrize("scenario", DEMO)
def test_with_the_demo_agent(demo, scenario):
    sdk_checks.judge(demo[scenario], sdk_checks.DEMO[scenario], "container")


@pytest.fixture(scope="module", params=TRANSPORTS)
def example(request, engine, example_image, tmp_path_factory):
    relay = _relay(engine, tmp_path_factory.mktemp("example"), example_image)
    try:
        yield sdk.play("SDK example agent, container", _settings(relay, request.param), *sdk_checks.EXAMPLE)
        relay.stop()
    finally:
        relay.kill()


@pytest.mark.parametrize("scenario", sdk_checks.EXAMPLE)
def test_with_the_example_agent(example, scenario):
    sdk_checks.judge(example[scenario], sdk_checks.EXAMPLE[scenario], "container")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_clients_meet_the_example_agent(make_container_relay, example_image, transport, tmp_path):
    tokens = {"mode": "token", "tokens": [{"name": "example", "token": "example-token"}]}
    relay = make_container_relay({"image": example_image}, {"auth": tokens})
    output = sdk.run_example(transport, acp_url(relay, transport), "SDK example agent, container", tmp_path)
    assert "I've successfully updated the configuration" in output and "Done: end_turn" in output


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", sdk_checks.COME_BACK)
def test_a_session_comes_back_after_the_relay_went_away(make_container_relay, transport, method):
    relay = make_container_relay()
    made = sdk.facts_of("demo agent, container", _settings(relay, transport), "leave")
    relay.stop()
    relay.start()
    back = _settings(relay, transport, session=made["sessionId"], method=method)
    sdk_checks.COME_BACK[method](sdk.facts_of("demo agent, container", back, "come_back"), "container")
