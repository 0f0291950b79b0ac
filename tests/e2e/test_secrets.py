"""Canaries: strings that must not come out anywhere, searched for wherever something comes out."""
import contextlib
import json

import pytest

from harness.http_client import RelayError
from harness.quiet_log import never_logged
from harness.relay import run_cli, scripted

KEY = "canary-agent-key-8d1f"
MCP = "canary-mcp-env-77ab"
HEADER = "canary-mcp-header-19cc"
TOKEN = "canary-token-e50b24"
METHOD = "canary-auth-method-41"
CANARIES = (KEY, MCP, HEADER, TOKEN, METHOD)

SERVERS = [
    {"name": "files", "command": "/bin/true", "args": [], "env": [{"name": "MCP_KEY", "value": MCP}]},
    {"type": "http", "name": "web", "url": "http://127.0.0.1:9/", "headers": [
        {"name": "Authorization", "value": HEADER}]},
]


def everything(relay):
    """Name and bytes of every file of the relay, the configuration aside."""
    for path in sorted(relay.directory.rglob("*")):
        if path.is_file() and path != relay.config_file and relay.workspace not in path.parents:
            with contextlib.suppress(FileNotFoundError):  # removed just then
                yield path.name, path.read_bytes()


def assert_clean(name, text):
    for canary in CANARIES:
        found = canary in text if isinstance(text, str) else canary.encode() in text
        assert not found, f"{canary} is in {name}"


@pytest.fixture
def leaky(make_relay):
    """A relay with secrets everywhere, and an agent that repeats what it knows."""
    return make_relay({
        "agent": {**scripted("leak", "API_KEY"), "env": {"API_KEY": KEY}},
        "auth": {"mode": "token", "tokens": [
            {"name": "ada", "token": TOKEN}, {"name": "op", "token": TOKEN + "-op", "role": "operator"}]},
    })


def test_the_agent_gets_the_originals(make_relay, tmp_path):
    record = tmp_path / "lines"
    relay = make_relay({"agent": {**scripted("record", record), "env": {"API_KEY": KEY}}})
    relay.http().new(relay.workspace, mcpServers=SERVERS)
    assert MCP in record.read_text() and HEADER in record.read_text()


def test_no_secret_is_stored_logged_shown_or_exported(leaky):
    relay = leaky
    client = relay.websocket(token=TOKEN)
    id = client.new(relay.workspace, mcpServers=SERVERS)
    error = client.error("session/prompt", sessionId=id, content=[{"type": "text", "text": f"use {KEY}"}])
    assert error.code == -32603
    client.request("authenticate", sessionId=id, methodId=METHOD)
    operator = {"Authorization": f"Bearer {TOKEN}-op"}
    exported = relay.management(f"/api/sessions/{id}/export", headers=operator).text
    assert "session/new" in exported and "***" in exported
    assert_clean("the export", exported)
    assert_clean("the history", json.dumps(client.result("session/history", sessionId=id)))
    for path in ("/api/config", "/api/sessions", f"/api/sessions/{id}", "/metrics", "/api/ready"):
        assert_clean(path, relay.management(path, headers=operator).text)
    relay.http(token=TOKEN).result("session/list")
    for name, content in everything(relay):  # the write-ahead log among them
        assert_clean(name, content)
    relay.stop()
    for name, content in everything(relay):
        assert_clean(name, content)


def test_check_config_redacts(leaky):
    code, out, err = run_cli("check-config", str(leaky.config_file))
    assert code == 0, err
    assert "***" in out
    assert_clean("check-config", out + err)


def test_errors_of_the_agent_are_redacted(make_relay):
    relay = make_relay({"agent": {
        "command": "/bin/sh", "args": ["-c", "echo key $API_KEY >&2; exit 9"], "env": {"API_KEY": KEY}}})
    with pytest.raises(RelayError) as caught:
        relay.http().new(relay.workspace)
    assert caught.value.type in ("agent_exited", "agent_start_failed")
    assert_clean("the error", json.dumps(caught.value.error))
    never_logged(relay, *CANARIES)
    assert "key ***" in relay.log_text()


def test_tokens_in_wrong_places_do_not_reach_the_log(leaky):
    client = leaky.http()
    client.client.get(f"/session/x/events?token={TOKEN}")
    client.client.get(f"/{TOKEN}")
    client.client.post("/session/new", headers={"Authorization": f"Basic {TOKEN}"})
    never_logged(leaky, *CANARIES)


def test_a_secret_is_found_however_it_is_spelled(leaky):
    client = leaky.http(token=TOKEN)
    id = client.new(leaky.workspace)
    spelled = "".join(f"\\u{ord(c):04x}" for c in KEY)
    inner = KEY.replace("c", "\\\\u0063").replace("-", "\\\\u002D")
    text = f'"{spelled} and {inner}"'
    client.client.post("/session/prompt", headers={"Content-Type": "application/json"}, content=(
        '{"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":"%s",'
        '"content":[{"type":"text","text":%s}]}}' % (id, text)).encode())
    leaky.stop()
    bodies = [row[0] for row in leaky.query("SELECT body FROM messages")]
    bodies = [body.decode() if isinstance(body, bytes) else body for body in bodies]
    assert any("*** and ***" in body for body in bodies), bodies
    for body in bodies:
        assert json.loads(body)
        for part in (spelled, inner, KEY):
            assert part not in body


def test_a_secret_of_several_lines_is_hidden_line_by_line(make_relay):
    key = "-----BEGIN EXAMPLE KEY-----\ncanary-first-line/x\ncanary-second-line==\n-----END EXAMPLE KEY-----\n"
    relay = make_relay({"agent": {
        "command": "/bin/sh", "args": ["-c", 'printf %s "$DEPLOY_KEY" >&2; exit 9'], "env": {"DEPLOY_KEY": key}}})
    with pytest.raises(RelayError) as caught:
        relay.http().new(relay.workspace)
    error = json.dumps(caught.value.error)
    assert "***" in error and "canary-" not in error
    never_logged(relay, "canary-")
    assert "***" in relay.log_text()


def test_what_is_no_secret_is_stored_as_it_is(make_relay):
    relay = make_relay({"agent": {**scripted("leak", "HOME"), "env": {
        "HOME": "/home/of-ada", "API_KEY": KEY, "PLAIN_KEY": "harmless-word", "LISTED": "canary-listed"},
        "plain_env": ["PLAIN_KEY"], "secret_env": ["LISTED"]}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.error("session/prompt", sessionId=id, content=[
        {"type": "text", "text": f"harmless-word canary-listed {KEY}"}])
    history = json.dumps(client.result("session/history", sessionId=id))
    assert "/home/of-ada" in history and "harmless-word" in history
    assert KEY not in history and "canary-listed" not in history
