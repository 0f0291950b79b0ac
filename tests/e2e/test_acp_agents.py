"""Agents that cannot start, die, or do odd things, as clients of /acp see it."""
import base64
import json

import pytest

from harness.acp_client import CONNECTION, AcpHttp, open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError, text_of
from harness.relay import scripted

ASK = '{"jsonrpc":"2.0","id":"list","method":"session/list","params":{}}'
INITIALIZE = '{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":1}}'


@pytest.fixture
def opened(request):
    clients = []

    def make(relay, transport, **options):
        clients.append(open_client(transport, acp_url(relay, transport), **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


BROKEN = {
    "is not there": ({"command": "/nowhere/agent"}, "agent_start_failed"),
    "ends at once": (scripted("exit_at_once"), "agent_start_failed"),
    "ends in initialize": (scripted("exit_in_initialize"), "agent_start_failed"),
    "says nothing": ({**scripted("never_initialize"), "startup_timeout": "1s"}, "agent_connection_timeout"),
}


@pytest.mark.parametrize("agent, type", BROKEN.values(), ids=BROKEN)
def test_initialize_fails_with_a_connection_that_can_be_used(make_relay, opened, agent, type):
    """A client of HTTP reads the body only where there is an id, so there is one, with nothing behind it."""
    relay = make_relay({"agent": agent})
    client = opened(relay, "http", initialize=False)
    answer = client.post(INITIALIZE, connection=False)
    assert answer.status == 200
    error = answer.error()
    assert answer.json()["id"] == "first"
    assert (error["code"], error["data"]["error_type"]) == (-32603, type)
    client.connection_id = answer.headers[CONNECTION]
    stream = client.open()
    assert stream.status == 200
    assert client.post(ASK).status == 202
    assert "error" in client.answer("list")
    assert client.delete().status == 202
    stream.wait_ended()
    client.connection_id = None
    assert relay.agents() == set()


@pytest.mark.parametrize("agent, type", BROKEN.values(), ids=BROKEN)
def test_initialize_fails_on_a_websocket_that_stays(make_relay, opened, agent, type):
    relay = make_relay({"agent": agent})
    client = opened(relay, "ws", initialize=False)
    for _ in range(2):
        with pytest.raises(RelayError) as caught:
            client.initialize()
        assert (caught.value.code, caught.value.type) == (-32603, type)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_the_agent_wrote_to_stderr_is_in_the_error(make_relay, opened, transport):
    relay = make_relay({"agent": scripted("exit_in_initialize")})
    client = opened(relay, transport, initialize=False)
    with pytest.raises(RelayError) as caught:
        client.initialize()
    state = caught.value.data["relevant_state"]
    assert "cannot read /etc/agent.key" in json.dumps(state) and state["exit_code"] == 7


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_error_of_the_agent_to_session_new_is_its_own(make_relay, opened, transport):
    relay = make_relay({"agent": scripted("error_in_new")})
    client = opened(relay, transport)
    error = client.error("session/new", cwd=str(relay.workspace), mcpServers=[])
    assert error.error == {"code": -32000, "message": "Authentication required"}
    wait_until(lambda: len(relay.agents()) <= 1, "agents without a session end")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_death_in_mid_turn_ends_the_turn_with_its_reason(make_relay, opened, transport):
    relay = make_relay({"agent": scripted("dies_in_turn")})
    client = opened(relay, transport)
    session = client.new(relay.workspace)
    answer = client.answer(client.start_prompt("hello", session))
    assert answer["error"]["code"] == -32603
    assert answer["error"]["data"]["error_type"] == "agent_exited"
    assert answer["error"]["data"]["relevant_state"]["signal"]
    assert "I feel faint." in text_of(client.messages)
    assert client.new(relay.workspace) != session


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode", ["garbage", "unknown_ids", "twice", "duplicate_keys"])
def test_noise_of_an_agent_stays_with_the_relay(make_relay, opened, transport, mode):
    relay = make_relay({"agent": scripted(mode)})
    client = opened(relay, transport)
    client.new(relay.workspace)
    for number in range(3):
        assert client.prompt(f"turn {number}")[1] == f"turn {number}"
    assert "EVIL" not in json.dumps(client.messages)


def tell(client, session, *messages):
    """Makes the agent of mode_bytes write these."""
    lines = [base64.b64encode(json.dumps({"jsonrpc": "2.0", **one}).encode()).decode() for one in messages]
    client.result("_test/write", sessionId=session, lines=lines)


AGENTS_SESSION = "agent-session-0123456789"


@pytest.fixture(params=TRANSPORTS)
def talk(request, make_relay, opened, tmp_path):
    relay = make_relay({"agent": scripted("bytes", tmp_path / "lines")})
    client = opened(relay, request.param)
    return client, client.new(relay.workspace), relay


def test_an_update_of_an_unknown_kind_is_carried(talk):
    client, session, relay = talk
    tell(client, session, {"method": "session/update", "params": {
        "sessionId": AGENTS_SESSION, "update": {"sessionUpdate": "_test.dev/unheard_of", "x": 1}}})
    with_kind = wait_until(lambda: [text for text in client.texts if "unheard_of" in text], "the update")
    assert json.loads(with_kind[0])["params"]["sessionId"] == session
    assert client.new(relay.workspace) != session


def test_an_update_of_another_session_harms_nobody(talk):
    """A child session of the agent's own; the connection lives."""
    client, session, relay = talk
    tell(client, session, {"method": "session/update", "params": {
        "sessionId": "agent-child-0123456789", "update": {
            "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "from a child"}}}})
    assert client.prompt("on", session)[1].endswith("on")
    assert client.new(relay.workspace) != session


def test_updates_after_the_answer_are_carried(talk):
    client, session, _ = talk
    client.prompt("hello", session)
    tell(client, session, {"method": "session/update", "params": {
        "sessionId": AGENTS_SESSION, "update": {"sessionUpdate": "session_info_update", "title": "A title"}}})
    client.wait_for(lambda m: m.get("params", {}).get("update", {}).get("title") == "A title")


def test_a_result_of_null_is_carried(talk):
    client, session, _ = talk
    null = base64.b64encode(b"null").decode()
    assert client.request("_test/answer", sessionId=session, text=null)["result"] is None


def test_a_request_of_the_agent_without_a_session_reaches_the_client(talk):
    client, session, _ = talk
    tell(client, session, {"id": 5, "method": "_test/ask", "params": {"of": "the connection"}})
    asked = client.incoming("_test/ask")
    assert asked["params"] == {"of": "the connection"}
    client.respond(asked, {"fine": True})
    assert client.prompt("on", session)[1] == "on"


def test_an_agents_cancel_names_the_request_as_the_client_knows_it(talk):
    client, session, _ = talk
    tell(client, session, {"id": 6, "method": "_test/ask", "params": {"sessionId": AGENTS_SESSION}},
         {"method": "$/cancel_request", "params": {"requestId": 6}})
    asked = client.incoming("_test/ask")
    cancelled = client.incoming("$/cancel_request")
    assert cancelled["params"]["requestId"] == asked["id"]


def test_a_second_answer_of_the_client_is_dropped(talk, tmp_path):
    client, session, _ = talk
    tell(client, session, {"id": 7, "method": "_test/ask", "params": {"sessionId": AGENTS_SESSION}})
    asked = client.incoming("_test/ask")
    client.respond(asked, {"number": 1})
    client.respond(asked, {"number": 2})
    client.prompt("on", session)
    answers = [line for line in (tmp_path / "lines").read_text("utf-8").splitlines() if '"number"' in line]
    assert len(answers) == 1 and json.loads(answers[0])["id"] == 7


def test_silence_on_an_event_stream_is_filled_with_comments(make_relay):
    """So that proxies do not take it for dead."""
    relay = make_relay()
    client = AcpHttp(acp_url(relay, "http"))
    stream = client.streams[None][0]
    wait_until(lambda: stream.comments >= 1, "the opening comment")
    before = stream.comments
    wait_until(lambda: stream.comments > before, "a comment in the silence")
    client.close()


def test_an_idle_http_connection_is_kept_while_a_stream_is_open(make_relay):
    relay = make_relay({"server": {"keep_alive_timeout": "10s"}})
    client = AcpHttp(acp_url(relay, "http"))
    client.new(relay.workspace)
    comments = client.streams[None][0].comments
    wait_until(lambda: client.streams[None][0].comments > comments, "more time passes than that")
    client._posts.close()
    assert client.prompt("on")[1] == "on"
    client.close()
