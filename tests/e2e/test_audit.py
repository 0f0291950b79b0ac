"""The audit trail: who did what to which session, over what; and that nothing of what was said is in it."""
import contextlib
import json
import re
import signal
import sqlite3

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.relay import DEMO_AGENT, run_cli

ASK = "session/request_permission"
ADA, BOB, OPA = "token-of-ada-1", "token-of-bob-2", "token-of-opa-4"
TOKENS = [{"name": "ada", "token": ADA}, {"name": "bob", "token": BOB},
          {"name": "opa", "token": OPA, "role": "operator"}]
CANARY = "canary-5b1f6c0e"


@pytest.fixture
def config(tmp_path):
    return {"auth": {"mode": "token", "tokens": TOKENS}, "sessions": {"shared": True},
            "agent": {"command": str(DEMO_AGENT), "args": ["--state", str(tmp_path / "state")],
                      "env": {"AGENT_API_KEY": CANARY}}}


@pytest.fixture
def relay(make_relay, config):
    return make_relay(config)


@pytest.fixture
def connect(relay):
    with contextlib.ExitStack() as stack:
        def open_one(transport, **options):
            return stack.enter_context(contextlib.closing(open_client(transport, acp_url(relay, transport), **options)))
        yield open_one


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def entries(relay, token=OPA, **query):
    answer = relay.management("/api/audit", params=query, headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


def told(relay, session, token=OPA):
    """What is told of a session: (principal, transport, action, detail)."""
    return [(row["principal"], row["transport"], row["action"], row["detail"])
            for row in entries(relay, token, session=session)]


def selected(request):
    return {"outcome": {"outcome": "selected", "optionId": request["params"]["options"][0]["optionId"]}}


def chosen(request):
    return selected(request)["outcome"]["optionId"]


def test_the_relays_own_ports_and_two_principals(relay):
    ada, bob = relay.http(token=ADA), relay.websocket(token=BOB)
    session = ada.new(relay.workspace)
    bob.result("session/resume", sessionId=session)
    turn = bob.start_prompt("/permission", session)
    first = bob.incoming(ASK)
    ada.respond(session, first["id"], selected(first))
    bob.answer(turn)
    ada.result("session/set_mode", sessionId=session, modeId="code")
    seen = bob.count()
    turn = bob.start_prompt("/permission", session)
    second = bob.incoming(ASK, start=seen)
    bob.respond(second, selected(second))
    bob.answer(turn)
    bob.result("session/set_config_option", sessionId=session, configId="style", value="loud")
    fork = bob.result("session/fork", sessionId=session)["sessionId"]
    ada.result("session/close", sessionId=session)
    ada.result("session/delete", sessionId=session)
    bob.result("session/close", sessionId=fork)
    assert told(relay, session) == [
        ("ada", "relay_http", "created", None),
        ("bob", "relay_websocket", "attached", None),
        ("ada", "relay_http", "answered_permission", chosen(first)),
        ("ada", "relay_http", "attached", "one_request"),
        ("ada", "relay_http", "changed_mode", "code"),
        ("bob", "relay_websocket", "answered_permission", chosen(second)),
        ("bob", "relay_websocket", "changed_option", "style=loud"),
        ("ada", "relay_http", "closed", None),
        ("ada", "relay_http", "erased", None)]
    assert told(relay, fork) == [
        ("bob", "relay_websocket", "forked", f"from {session}"),
        ("bob", "relay_websocket", "attached", None),
        ("bob", "relay_websocket", "closed", None)]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", row["peer"]) for row in entries(relay))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_acp(relay, connect, transport):
    over = {"http": "acp_http", "ws": "acp_websocket"}[transport]
    client = connect(transport, token=BOB)
    session = client.new(relay.workspace)
    turn = client.start_prompt("/permission", session)
    request = client.incoming(ASK)
    client.respond(request, selected(request))
    client.answer(turn)
    client.result("session/set_mode", sessionId=session, modeId="code")
    fork = client.result("session/fork", sessionId=session, cwd=str(relay.workspace), mcpServers=[])["sessionId"]
    client.result("session/close", sessionId=session)
    client.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
    client.result("session/delete", sessionId=session)
    assert told(relay, session) == [
        ("bob", over, "created", None), ("bob", over, "attached", None),
        ("bob", over, "answered_permission", chosen(request)), ("bob", over, "changed_mode", "code"),
        ("bob", over, "closed", None),
        ("bob", over, "reopened", None), ("bob", over, "attached", None),
        ("bob", over, "erased", None)]
    client.close()
    wait_until(lambda: told(relay, fork)[-1][2] == "left", "the end of the connection is told")
    assert told(relay, fork) == [("bob", over, "forked", f"from {session}"), ("bob", over, "attached", None),
                                 ("bob", over, "left", None)]


def test_the_management_port(relay):
    ada = relay.http(token=ADA)
    one, two = ada.new(relay.workspace), ada.new(relay.workspace)
    exported = relay.management(f"/api/sessions/{one}/export", headers=bearer(OPA)).content
    for _ in range(2):
        assert relay.management(f"/api/sessions/{one}", "DELETE", headers=bearer(OPA)).status_code == 200
    assert relay.management("/api/sessions/close?only=all", "POST", headers=bearer(OPA)).json()["closed"] == [two]
    imported = relay.management("/api/sessions/import?newId=true", "POST", content=exported,
                                headers={**bearer(OPA), "Content-Type": "application/x-ndjson"}).json()["id"]
    created, by_opa = ("ada", "relay_http", "created", None), ("opa", "management")
    assert told(relay, one) == [created, (*by_opa, "exported", None), (*by_opa, "closed", None),
                                (*by_opa, "erased", None)]
    assert told(relay, two) == [created, (*by_opa, "closed", None)]
    assert told(relay, imported) == [(*by_opa, "imported", None)]
    assert {row["session"] for row in entries(relay, principal="ada")} == {one, two}


def test_who_reads_a_feed_comes_and_goes(relay):
    ada = relay.http(token=ADA)
    session = ada.new(relay.workspace)
    with ada.events(session) as response:
        next(response.iter_lines())
    wait_until(lambda: len(told(relay, session)) == 3, "the reader has left")
    assert told(relay, session)[1:] == [("ada", "relay_http", "attached", None), ("ada", "relay_http", "left", None)]


def test_it_is_read_in_pages_and_by_operators_only(relay):
    sessions = [relay.http(token=ADA).new(relay.workspace) for _ in range(3)]
    read, after = [], 0
    while after is not None:
        page = relay.management("/api/audit", params={"limit": 2, "after": after}, headers=bearer(OPA)).json()
        read += page["entries"]
        after = page.get("nextAfter")
    assert [row["session"] for row in read] == sessions
    assert relay.management("/api/audit", headers=bearer(ADA)).status_code == 403
    assert relay.management("/api/audit").status_code == 401
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after": "x"}, {"after": -1}):
        assert relay.management("/api/audit", params=wrong, headers=bearer(OPA)).status_code == 400


def test_without_authentication_nobody_has_a_name(make_relay):
    relay = make_relay()
    watcher = relay.websocket()
    session = watcher.new(relay.workspace)
    watcher.close()
    wait_until(lambda: len(told(relay, session, None)) == 3, "the client has left")
    assert told(relay, session, None) == [(None, "relay_websocket", "created", None),
                                          (None, "relay_websocket", "attached", None),
                                          (None, "relay_websocket", "left", None)]
    code, out, err = run_cli("sessions", "audit", session, relay=relay)
    assert code == 0, err
    head, *lines = out.splitlines()
    assert head.split() == ["TIME", "SESSION", "PRINCIPAL", "ACTION", "DETAIL", "TRANSPORT", "PEER"]
    assert [line.split()[2:6] for line in lines] == [["-", action, "-", "relay_websocket"]
                                                     for action in ("created", "attached", "left")]
    code, out, err = run_cli("sessions", "audit", "--json", "--principal", "", relay=relay)
    assert (code, [json.loads(line)["action"] for line in out.splitlines()]) == (0, ["created", "attached", "left"]), err
    code, out, _ = run_cli("sessions", "audit", "--json", "--principal", "nobody", relay=relay)
    assert (code, out) == (0, "")


def test_no_secret_and_nothing_that_was_said(relay):
    client = relay.websocket(token=ADA)
    session = client.new(relay.workspace)
    client.prompt("words-of-ada " + CANARY)
    client.request("session/set_config_option", sessionId=session, configId="style", value=CANARY)
    client.result("session/delete", sessionId=session)
    text = json.dumps(entries(relay))
    assert "style=***" in text
    for secret in (CANARY, "words-of-ada", ADA, OPA):
        assert secret not in text
    assert not relay.query("SELECT 1 FROM audit WHERE instr(detail || principal || peer, ?)", CANARY)


def test_a_killed_relay_has_told_already(relay):
    client = relay.http(token=ADA)
    session, erased = client.new(relay.workspace), client.new(relay.workspace)
    client.result("session/delete", sessionId=erased)
    client.result("session/close", sessionId=session)
    relay.may_leave_open_rows = True
    relay.process.send_signal(signal.SIGKILL)
    relay.wait()
    relay.start()
    assert [action for _, _, action, _ in told(relay, session)] == ["created", "closed"]
    assert [action for _, _, action, _ in told(relay, erased)] == ["created", "erased"]


def test_a_backup_has_it(relay, tmp_path):
    session = relay.http(token=ADA).new(relay.workspace)
    wait_until(lambda: relay.query("SELECT 1 FROM audit"), "the database has followed the journal")
    code, _, err = run_cli("backup", str(tmp_path / "copy.db"), "--config", str(relay.config_file))
    assert code == 0, err
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT session, action FROM audit").fetchall() == [(session, "created")]
