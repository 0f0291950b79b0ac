"""What agents are told when an upstream, a credential or the relay fails them in the middle, and that they go on."""
import base64
import contextlib
import json

import pytest

from harness.containers import shell
from harness.deadline import wait_until
from harness.http_client import text_of
from harness.upstream import GET, raw

REQUESTS = "acp_relay_upstream_requests_total"
SECRET = "sk-printed-c04b17d2"


def test_a_body_may_be_as_large_as_is_said_and_no_byte_larger(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier, egress={"max_body_bytes": 1024})
    client = relay.websocket()
    client.new("/workspace")
    ask = "POST /own/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n%s"
    for size, status in ((1024, 200), (1025, 413)):
        for head, body in ((f"Content-Length: {size}", "x" * size),
                           ("Transfer-Encoding: chunked", f"{size:x}\r\n{'x' * size}\r\n0\r\n\r\n")):
            out = shell(client, raw(ask % (head, body)))[1]
            assert out.startswith(f"HTTP/1.1 {status} "), (head, out)
            assert status == 200 or '"code":"bad_request"' in out
    assert [len(body) for _, _, _, body in upstream.seen] == [1024, 1024]
    assert shell(client, f"{GET}/own/v1")[0] == 0


def test_an_upstream_that_breaks_off_in_its_answer(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    client = relay.websocket()
    session = client.new("/workspace")
    out = shell(client, raw("GET /own/dies HTTP/1.1\r\nHost: x\r\n\r\n"))[1]
    head, _, body = out.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ") and "data: one" in body and "data: two" in body
    assert "\r\n0\r\n" not in body and "HTTP/1.1" not in body, "it does not look whole"
    told = client.incoming("_acp-relay/agent_notice")["params"]
    assert told["sessionId"] == session and told["error"]["data"]["relevant_state"] == {
        "code": "unreachable", "upstream": "own", "key": "egress.upstreams.own.url", "status": 200}
    relay.wait_logged("a request of the agent did not go through")
    assert shell(client, f"{GET}/own/v1")[0] == 0
    wait_until(lambda: relay.metric(REQUESTS, upstream="own", outcome="2xx") == 1, "the second one came through")
    assert relay.metric(REQUESTS, upstream="own", outcome="unreachable") == 1
    used = relay.management(f"/api/sessions/{session}").json()["upstreamUse"]["own"]
    assert (used["requests"], used["failed"]) == (2, 1)


# A turn whose first request is cut off, and that asks until it is served.
PERSISTENT = f"""
{GET}/own/streams > /workspace/first 2>/dev/null && echo whole || echo broken
until {GET}/own/v1 2>/dev/null; do usleep 50000; done
"""


def test_a_relay_that_is_killed_in_an_answer(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    client = relay.websocket()
    session = client.new("/workspace")
    container = relay.container(session)["Id"]
    client.start_prompt(base64.b64encode(PERSISTENT.encode()).decode())
    first = relay.host_workspace(session) / "first"
    wait_until(lambda: first.exists() and "two" in first.read_text(), "the answer has begun")
    relay.process.kill()
    relay.process.wait()
    relay.start()
    client = relay.websocket()

    def said():
        messages = client.result("session/history", sessionId=session, limit=1000)["messages"]
        text = text_of(json.loads(message["rawMessage"]) for message in messages)
        return base64.b64decode(text).decode() if text else None
    out = wait_until(said, "the turn is over")
    assert out.startswith("broken\n") and json.loads(out.splitlines()[1].rpartition("exit")[0])["path"] == "/v1", out
    assert [path for _, path, _, _ in upstream.seen] == ["/streams", "/v1"]
    assert shell(client, f"{GET}/own/again", session)[0] == 0
    assert relay.container(session)["Id"] == container


@pytest.fixture
def printed(tmp_path):
    """Of a credential: {"command"}, which fails while there is no {"file"}."""
    file, command = tmp_path / "secret", tmp_path / "print-secret"
    command.write_text(f"#!/bin/sh\n[ ! -e {file} ] || exec cat {file}\necho half-of-a-secret\n"
                       "echo complaint-of-a-secret >&2\nexit 3\n")
    command.chmod(0o755)
    return {"file": file, "command": command}


def assert_nowhere(relay, *texts):
    """In no file of the relay's."""
    for path in relay.directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # removed just then
            if path.is_file() and relay.base not in path.parents:
                content = path.read_bytes()
                assert not [text for text in texts if text.encode() in content], path


def test_a_command_that_has_no_credential_at_first(make_egress_relay, upstream, printed, carrier):
    relay = make_egress_relay(carrier=carrier, credential={"header": "x-api-key", "command": [str(printed["command"])]})
    client = relay.websocket()
    session = client.new("/workspace")
    ask = raw("GET /own/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    out = shell(client, ask)[1]
    assert out.startswith("HTTP/1.1 502 ") and '"code":"no_credential"' in out and "x-should-retry: false" in out
    assert str(printed["command"]) not in out and "of-a-secret" not in out
    relay.wait_logged(f"the credential cannot be had from {printed['command']}: it ended with code 3")
    assert upstream.seen == []
    printed["file"].write_text(SECRET + "\n")
    wait_until(lambda: shell(client, ask)[1].startswith("HTTP/1.1 200 "), "it is read again", every=0.2)
    assert upstream.seen.pop()[2]["x-api-key"] == SECRET and upstream.seen == []
    told = [notice["params"]["error"]["data"] for notice in client.all("_acp-relay/agent_notice")]
    assert [data["relevant_state"]["code"] for data in told] == ["no_credential"]
    client.result("session/close", sessionId=session)
    relay.stop()
    assert_nowhere(relay, SECRET, "of-a-secret")


# The agent says what the upstream says of the credential that it was sent.
REPEATED = f"""
agent=$PPID
while read _ _ _ parent _ < /proc/$agent/stat && [ $parent != 1 ]; do agent=$parent; done
said='{{"sessionUpdate":"agent_message_chunk","content":{{"type":"text","text":"it is %s"}}}}'
printf '{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"shell","update":'"$said"'}}}}\\n' \\
  "$({GET}/own/secret)" > /proc/$agent/fd/1
"""


@pytest.mark.parametrize("source", ["value", "file", "command"])
def test_a_secret_that_an_agent_repeats_is_not_kept(make_egress_relay, printed, source):
    printed["file"].write_text(SECRET + "\n")
    value = {"value": SECRET, "file": str(printed["file"]), "command": [str(printed["command"])]}[source]
    relay = make_egress_relay(credential={"header": "x-api-key", source: value})
    client = relay.websocket()
    session = client.new("/workspace")
    said = client.prompt(base64.b64encode(REPEATED.encode()).decode())[1]
    assert said.startswith(f"it is {SECRET}"), said
    history = json.dumps(client.result("session/history", sessionId=session, limit=1000))
    exported = relay.management(f"/api/sessions/{session}/export").text
    for text in (history, exported):
        assert "it is ***" in text and SECRET not in text
    client.result("session/close", sessionId=session)
    relay.stop()
    relay.config_file.unlink()
    assert_nowhere(relay, SECRET)
