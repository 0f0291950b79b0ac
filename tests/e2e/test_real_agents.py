"""What real agents do around the turn, through the relay's own dialects and the command line."""
import json

import pytest

from harness.http_client import RelayError, read_events, text_of
from harness.relay import Relay, run_cli, scripted


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    relay = Relay(tmp_path_factory.mktemp("real"), {"agent": scripted("real"),
                                                    "sessions": {"permission_default": "reject"}})
    try:
        yield relay.start()
        relay.stop()
    finally:
        relay.kill()


@pytest.fixture
def session(relay):
    client = relay.http()
    id = client.new(relay.workspace)
    yield client, id
    client.result("session/delete", sessionId=id)


def test_modes_and_options_are_set_over_http(session):
    client, id = session
    assert client.result("session/set_mode", sessionId=id, modeId="default") == {}
    options = client.result("session/set_config_option", sessionId=id, configId="llm", value="large")["configOptions"]
    assert options[0]["currentValue"] == "large"
    now = client.result("session/resume", sessionId=id)
    assert now["modes"]["currentModeId"] == "default" and now["configOptions"] == options
    assert now["sessionId"] == id and now["isolation"] == "process"


def test_any_method_of_the_agent_by_request(session):
    client, id = session
    answer = client.result("session/request", sessionId=id, method="session/status", params={"a": [1]})
    assert answer == {"method": "session/status", "params": {"a": [1], "sessionId": id}}
    answer = client.result("session/request", sessionId=id, method="_vendor/info", params={"deep": {"sessionId": id}})
    assert answer["params"] == {"deep": {"sessionId": id}}
    answer = client.result("session/request", sessionId=id, method="_vendor/info")
    assert answer["params"] == {}
    answer, _ = client.call("session/request", sessionId=id, method='odd "name"')
    assert answer["error"]["code"] == -32601, answer


@pytest.mark.parametrize("method, remedy", [
    ("session/prompt", "POST /session/prompt"), ("session/new", "POST /session/new"),
    ("session/cancel", "POST /session/cancel"), ("session/load", "/acp"), ("initialize", "the relay"),
    ("session/delete", "POST /session/delete"), ("session/fork", "POST /session/fork")])
def test_what_the_relay_owns_is_not_passed_on(session, method, remedy):
    client, id = session
    with pytest.raises(RelayError) as refused:
        client.result("session/request", sessionId=id, method=method, params={})
    assert remedy in " ".join(refused.value.data["suggested_actions"]), refused.value.data


@pytest.mark.parametrize("method, params", [
    ("session/set_mode", {"modeId": "x"}), ("session/request", {"method": "_vendor/info"}),
    ("session/request", {"method": "_vendor/info", "params": [1], "sessionId": "ID"}),
    ("session/request", {"sessionId": "ID"})])
def test_a_call_that_lacks_something_is_refused(session, method, params):
    client, id = session
    with pytest.raises(RelayError) as refused:
        client.result(method, **{key: id if value == "ID" else value for key, value in params.items()})
    assert refused.value.code == -32602


def test_a_mode_and_a_model_on_the_command_line(relay):
    code, out, err = run_cli("prompt", "--close", "--no", "--mode", "always ask", "--model", "large", "run", relay=relay)
    assert (code, json.loads(out)) == (0, {"outcome": "selected", "optionId": "no"}), err
    assert "[mode]" not in err
    code, out, err = run_cli("prompt", "--close", "--no", "run", relay=relay)
    assert (code, out) == (0, "run\n")
    assert "mode bypassPermissions, in which it asks for nothing; --no rejects only what is asked" in err
    assert "default (Always Ask)" in err
    code, _, err = run_cli("prompt", "--close", "--yes", "run", relay=relay)
    assert code == 0 and "[mode]" not in err


def test_a_mode_of_an_open_session_on_the_command_line(relay, session):
    client, id = session
    code, _, err = run_cli("prompt", "--session", id, "--mode", "nope", "run", relay=relay)
    assert code == 2 and "take one of: default (Always Ask), bypassPermissions" in err
    code, _, err = run_cli("prompt", "--session", id, "--model", "nope", "run", relay=relay)
    assert code == 2 and "small, large" in err
    client.result("session/set_mode", sessionId=id, modeId="default")
    code, out, err = run_cli("prompt", "--session", id, "--no", "run", relay=relay)
    assert (code, json.loads(out)["optionId"]) == (0, "no") and "[mode]" not in err


def test_a_blocking_prompt_tells_what_the_policy_answered(session):
    client, id = session
    client.result("session/set_mode", sessionId=id, modeId="default")
    result, _ = client.prompt(id, "run")
    assert result["_meta"]["acp-relay/permissions"] == [{
        "toolCall": {"toolCallId": "call-1", "title": "Run it"},
        "outcome": {"outcome": "selected", "optionId": "no"}, "kind": "reject_once", "by": "policy"}]
    result, _ = client.prompt(id, "hello")
    assert "acp-relay/permissions" not in result["_meta"]


def test_a_vendors_request_is_not_left_to_a_stream(session):
    client, id = session
    with client.events(id), client.stream(id, "vendor") as response:
        said = text_of([event.data for event in read_events(response)])
    assert json.loads(said)["code"] == -32601


def test_the_command_line_tells_all_of_an_agents_error_and_parts_its_messages(relay):
    code, _, err = run_cli("prompt", "--close", "fail", relay=relay)
    assert code == 1 and "Internal error" in err and "details: quota used up" in err
    code, out, _ = run_cli("prompt", "--close", "twice", relay=relay)
    assert (code, out) == (0, "message 1\nmessage 2\n")


def test_authenticate_wants_a_session(relay):
    error = relay.websocket().error("authenticate", methodId="x")
    assert error.code == -32602 and "/acp" in " ".join(error.data["suggested_actions"])


def test_a_deleted_session_is_gone(relay):
    client = relay.http()
    first, second = client.new(relay.workspace), client.new(relay.workspace)
    assert client.result("session/delete", sessionId=first) == {}
    socket = relay.websocket()
    socket.result("session/resume", sessionId=second)
    assert socket.result("session/delete", sessionId=second) == {}
    assert socket.result("session/delete", sessionId=second) == {}, "an id that is gone is no error"
    for id in (first, second):
        with pytest.raises(RelayError) as gone:
            client.result("session/history", sessionId=id)
        assert gone.value.type == "session_not_found"
    assert not {first, second} & {item["id"] for item in client.result("session/list")["sessions"]}
