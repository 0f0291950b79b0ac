"""W3C trace context: from clients to the agent, and into the log."""
import json

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import acp_url
from harness.deadline import wait_until
from harness.http_client import text_block
from harness.quiet_log import never_logged
from harness.relay import DEMO_AGENT

SPAN = "b7ad6b7169203331"


def trace(number):
    return f"{number:032x}"


def parent(number):
    return f"00-{trace(number)}-{SPAN}-01"


@pytest.fixture
def given(tmp_path):
    """The file of the lines that agents have read."""
    return tmp_path / "given"


@pytest.fixture
def relay(make_relay, given):
    """Its agent is the demo agent, behind a copy of what it is given."""
    return make_relay({"log": {"format": "json", "level": "info"}, "agent": {
        "command": "/bin/bash",
        "args": ["-c", 'exec "$1" < <(exec tee -a "$0")', str(given), str(DEMO_AGENT)]}})


def test_a_trace_reaches_the_agent_and_the_log(relay, given):
    def given_of(number, *methods):
        """What agents were given of the trace, which is written down a moment after they have it."""
        def found():
            lines = [line for line in given.read_text().split("\n")[:-1] if trace(number) in line]
            return lines if len(lines) >= len(methods) else None
        lines = wait_until(found, lambda: f"{methods} of trace {number}")
        assert [json.loads(line)["method"] for line in lines] == list(methods), lines
        return lines

    def params_of(method, number):
        return given_of(number, method)[0]

    def logged():
        """Whole lines, without what a start prints for people."""
        lines = relay.log_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def lines(number):
        return [line for line in logged() if line.get("trace_id") == trace(number)]

    def wait_events(number, *events):
        def complete():
            return [line["event"] for line in lines(number)] == list(events)
        wait_until(complete, lambda: f"{events} of {trace(number)} in\n{relay.log_text()[-6000:]}")
        assert all(line["span_id"] == SPAN for line in lines(number))
        return lines(number)

    client = relay.websocket()
    session = client.new(relay.workspace, _meta={"traceparent": parent(1)})
    ready, = wait_events(1, "session ready")
    assert ready["session"] == session
    assert json.loads(params_of("session/new", 1))["params"]["_meta"] == {"traceparent": parent(1)}

    # As it is spelled, whatever else is in it.
    meta = '{"x": 1.0, "traceparent": "%s", "tracestate": "a=1", "baggage": "u=\\u0031"}' % parent(2)
    client.send_raw('{"jsonrpc":"2.0","id":"two","method":"session/prompt","params":{"sessionId":"%s","_meta":%s,'
                    '"prompt":[{"type":"text","text":"hello"}]}}' % (session, meta))
    begins, ended = wait_events(2, "turn begins", "turn ended")
    assert ended["session"] == session and ended["stop_reason"] == "end_turn" and ended["took_ms"] >= 0
    assert f'"_meta":{meta},' in params_of("session/prompt", 2)

    # Of HTTP's headers, where the message has none.
    http = relay.http()
    alone = http.new(relay.workspace)  # where nobody answers permissions
    headers = {"traceparent": parent(3), "tracestate": "b=2"}
    http.client.headers.update(headers)
    http.result("session/prompt", sessionId=alone, content=text_block("/permission"))
    wait_events(3, "turn begins", "the agent asks for permission", "turn ended")
    assert json.loads(params_of("session/prompt", 3))["params"]["_meta"] == headers
    own = {"traceparent": parent(4)}
    http.result("session/prompt", sessionId=session, content=text_block("own"), _meta=own)
    wait_events(4, "turn begins", "turn ended")
    assert json.loads(params_of("session/prompt", 4))["params"]["_meta"] == own
    http.client.headers["traceparent"] = parent(5)
    answer = http.result("session/request", sessionId=session, method="_demo/echo", params={"a": 1})
    assert answer == {"a": 1, "_meta": {"traceparent": parent(5), "tracestate": "b=2"}}
    http.client.headers["traceparent"] = "00-" + "0" * 32 + "-b7ad6b7169203331-01"
    assert http.result("session/request", sessionId=session, method="_demo/echo", params={}) == {}
    del http.client.headers["traceparent"]

    # The end of the agent in a turn, and the agent that a prompt is given instead.
    client.send({"jsonrpc": "2.0", "id": "six", "method": "session/prompt", "params": {
        "sessionId": session, "prompt": text_block("/exit 3"), "_meta": {"traceparent": parent(6)}}})
    closed, ended = wait_events(6, "turn begins", "session closed", "turn ended")[1:]
    assert "exit" in closed["cause"] and ended["stop_reason"] == "error"
    http.result("session/prompt", sessionId=session, content=text_block("on"), _meta={"traceparent": parent(7)})
    wait_events(7, "starts another agent for the session", "session ready", "turn begins", "turn ended")
    given_of(7, "session/resume", "session/new", "session/prompt")

    acp = open_client("http", acp_url(relay, "http"), headers={"traceparent": parent(8)})
    acp.new(relay.workspace)
    wait_events(8, "session ready")
    assert parent(8) in params_of("session/new", 8)
    acp.close()

    # What is refused is said with its trace, what is no trace nowhere.
    client.send({"jsonrpc": "2.0", "id": "nine", "method": "session/prompt", "params": {
        "sessionId": session, "_meta": {"traceparent": parent(9)}}})
    refused, = wait_events(9, "request refused")
    assert (refused["session"], refused["error"]) == (session, "invalid_params")
    http.result("session/prompt", sessionId=session, content=text_block("x"), _meta={"traceparent": "00-none-1-01"})
    never_logged(relay, "00-none")
    assert all("trace_id" in line for line in logged() if line["event"].startswith("turn "))
