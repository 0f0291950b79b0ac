"""Who may do what: tokens, roles, owners, origins and hosts."""
import hashlib
import json
import re

import pytest
import websockets

from harness import raw, schema
from harness.deadline import wait_until
from harness.http_client import RelayError, text_block, text_of

TOKENS = [
    {"name": "ada", "token": "token-of-ada-1"},
    {"name": "bob", "sha256": hashlib.sha256(b"token-of-bob-2").hexdigest()},
    {"name": "eve", "token": "token-of-eve-3", "role": "observer"},
    {"name": "opa", "token": "token-of-opa-4", "role": "operator"},
]
ADA, BOB, EVE, OPA = "token-of-ada-1", "token-of-bob-2", "token-of-eve-3", "token-of-opa-4"


@pytest.fixture
def guarded(make_relay):
    return make_relay({"auth": {"mode": "token", "tokens": TOKENS}})


@pytest.fixture
def shared(make_relay):
    return make_relay({"auth": {"mode": "token", "tokens": TOKENS}, "sessions": {"shared": True}})


def refused_upgrade(relay, **options):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        relay.websocket(**options)
    return caught.value.status_code


@pytest.mark.parametrize("header", [
    None, "Bearer", "Bearer wrong", "Basic token-of-ada-1", "token-of-ada-1",
    "Bearer token-of-ada-1x", "Bearer token-of-ada-", "Bearer " + hashlib.sha256(b"token-of-bob-2").hexdigest()])
def test_without_a_valid_token_nothing_is_served(guarded, header):
    headers = {"Authorization": header} if header else {}
    client = guarded.http(headers=headers)
    response = client.post("session/list", client.message("session/list", {}))
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert schema.check_error(response.json()["error"])["error_type"] == "unauthorized"
    assert client.client.get("/session/sess_" + "0" * 32 + "/events").status_code == 401
    assert refused_upgrade(guarded, headers=headers) == 401


@pytest.mark.parametrize("token", [ADA, BOB, OPA])
def test_a_valid_token_opens_both_ports(guarded, token):
    guarded.assert_serves(token=token)
    client = guarded.websocket(token=token)
    client.new(guarded.workspace)
    assert client.prompt("hello")[1] == "hello"


def test_browsers_give_the_token_as_a_subprotocol(guarded):
    client = guarded.websocket(subprotocols=["acp-relay.token." + ADA])
    client.new(guarded.workspace)
    assert refused_upgrade(guarded, subprotocols=["acp-relay.token.wrong"]) == 401


def test_sessions_of_others_do_not_exist(guarded):
    ada, bob = guarded.http(token=ADA), guarded.websocket(token=BOB)
    id = ada.new(guarded.workspace)
    for method, params in [
            ("session/prompt", {"content": text_block("x")}), ("session/resume", {}), ("session/history", {}),
            ("session/cancel", {}), ("session/close", {}), ("session/set_mode", {"modeId": "x"})]:
        assert bob.error(method, sessionId=id, **params).type == "session_not_found", method
    assert bob.result("session/list")["sessions"] == []
    assert guarded.http(token=BOB).client.get(f"/session/{id}/events", headers={
        "Accept": "text/event-stream"}).status_code in (403, 404)
    assert [item["id"] for item in ada.result("session/list")["sessions"]] == [id]
    assert ada.prompt_text(id, "still mine") == "still mine"


def test_shared_sessions_are_for_everyone(shared):
    id = shared.http(token=ADA).new(shared.workspace)
    bob = shared.websocket(token=BOB)
    bob.result("session/resume", sessionId=id)
    assert bob.prompt("hello")[1] == "hello"


def test_an_observer_watches_and_does_nothing_else(shared):
    ada = shared.websocket(token=ADA)
    id = ada.new(shared.workspace)
    eve = shared.websocket(token=EVE)
    eve.result("session/resume", sessionId=id)
    for method, params in [
            ("session/prompt", {"content": text_block("x")}), ("session/cancel", {}), ("session/close", {}),
            ("session/set_mode", {"modeId": "x"})]:
        assert eve.error(method, sessionId=id, **params).type == "forbidden", method
    assert eve.error("session/new", workingDirectory=str(shared.workspace)).type == "forbidden"
    ada.prompt("visible")
    wait_until(lambda: "visible" in text_of(eve.all("session/update")), "the observer sees it")


def test_an_observer_is_not_asked_and_cannot_answer(shared):
    ada = shared.websocket(token=ADA)
    id = ada.new(shared.workspace)
    eve = shared.websocket(token=EVE)
    eve.result("session/resume", sessionId=id)
    turn = ada.start_prompt("/permission")
    request = ada.incoming("session/request_permission")
    eve.send({"jsonrpc": "2.0", "id": request["id"], "result": {
        "outcome": {"outcome": "selected", "optionId": "allow"}}})
    with pytest.raises(RelayError):
        shared.http(token=EVE).respond(id, request["id"], {
            "outcome": {"outcome": "selected", "optionId": "allow"}})
    eve.result("session/list")
    ada.respond(request, {"outcome": {"outcome": "selected", "optionId": "reject"}})
    ada.answer(turn)
    assert "reject" in text_of(ada.all("session/update"))
    assert eve.all("session/request_permission") == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_foreign_origins_are_refused(relay, origin):
    client = relay.http(headers={"Origin": origin})
    response = client.post("session/list", client.message("session/list", {}))
    assert response.status_code == 403
    assert schema.check_error(response.json()["error"])["error_type"] == "forbidden"
    assert refused_upgrade(relay, headers={"Origin": origin}) == 403
    assert relay.management("/api/sessions", headers={"Origin": origin}).status_code == 403


def test_an_allowed_origin_passes(make_relay):
    relay = make_relay({"server": {"allowed_origins": ["https://chat.example"]}})
    headers = {"Origin": "https://chat.example"}
    relay.http(headers=headers).result("session/list")
    relay.websocket(headers=headers).result("session/list")


def test_pages_of_an_allowed_origin_may_post(make_relay):
    relay = make_relay({"server": {"allowed_origins": ["https://chat.example"]}})
    headers = {"Origin": "https://chat.example"}
    preflight = relay.http(headers=headers).client.options("/session/new", headers={
        "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] == "https://chat.example"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
def test_foreign_hosts_are_refused_on_loopback(relay, host):
    client = relay.http(headers={"Host": host})
    response = client.post("session/list", client.message("session/list", {}))
    assert response.status_code in (400, 403)
    assert relay.management("/api/sessions", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST", "[::1]"])
def test_names_of_this_machine_pass(relay, host):
    port = relay.config["server"]["http_port"]
    relay.http(headers={"Host": f"{host}:{port}"}).result("session/list")


def printed_tokens(relay):
    return set(re.findall(r"[A-Za-z0-9_-]{24,}", relay.log_text()))


def opens(relay, token):
    client = relay.http(token=token)
    return client.post("session/list", client.message("session/list", {})).status_code == 200


def test_auto_needs_no_token_on_loopback(relay):
    relay.assert_serves()


def test_auto_makes_a_token_for_other_addresses(make_relay):
    relay = make_relay({"server": {"http_host": "0.0.0.0", "websocket_host": "0.0.0.0"}})
    client = relay.http()
    assert client.post("session/list", client.message("session/list", {})).status_code == 401
    wait_until(lambda: any(opens(relay, token) for token in printed_tokens(relay)), "the token is printed at start")


def test_token_mode_without_tokens_makes_one_and_says_so(make_relay):
    relay = make_relay({"auth": {"mode": "token"}})
    relay.wait_logged("auth.tokens")
    assert relay.http().client.post("/session/list").status_code == 401
    wait_until(lambda: any(opens(relay, token) for token in printed_tokens(relay)), "the token is printed at start")


def test_management_needs_an_operator_when_it_is_open(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": TOKENS}, "server": {"management_host": "0.0.0.0"}})
    def status(token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return relay.management("/api/sessions", headers=headers).status_code
    assert (status(None), status(ADA), status(EVE), status(OPA)) == (401, 403, 403, 200)


def test_tls_serves_both_dialects(make_relay, certificate):
    relay = make_relay({"server": {"tls": certificate}})
    client = relay.http()
    assert client.prompt_text(client.new(relay.workspace), "hello") == "hello"
    socket = relay.websocket()
    socket.new(relay.workspace)
    assert socket.prompt("hello")[1] == "hello"
    with raw.connect(relay.config["server"]["http_port"]) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in raw.read_until_closed(plain)[:20]
    relay.assert_serves()


def test_a_missing_certificate_stops_the_start(make_relay):
    relay = make_relay({"server": {"tls": {"cert": "/no/cert.pem", "key": "/no/key.pem"}}}, start=False).launch()
    assert relay.wait() == 1
    assert "/no/cert.pem" in relay.log_text() and "server.tls" in relay.log_text()


def test_the_principal_is_kept_with_the_session(guarded):
    id = guarded.http(token=ADA).new(guarded.workspace)
    shown = guarded.management("/api/sessions", headers={"Authorization": f"Bearer {OPA}"}).json()
    assert id in json.dumps(shown) and "ada" in json.dumps(shown)


def test_management_is_for_operators_where_tokens_are_in_use(guarded):
    id = guarded.http(token=ADA).new(guarded.workspace)

    def status(path, token, method="GET"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return guarded.management(path, method, headers=headers).status_code
    for path in ("/api/config", "/api/sessions", f"/api/sessions/{id}", f"/api/sessions/{id}/export"):
        assert [status(path, token) for token in (None, ADA, BOB, EVE, OPA)] == [401, 403, 403, 403, 200], path
    assert [status(f"/api/sessions/{id}", token, "DELETE") for token in (None, ADA, BOB, EVE)] == [401, 403, 403, 403]
    assert guarded.http(token=ADA).prompt_text(id, "still there") == "still there"
    assert [status(path, EVE) for path in ("/api/health", "/api/ready", "/metrics")] == [200, 200, 200]
    assert status(f"/api/sessions/{id}", OPA, "DELETE") == 200


def test_a_management_port_on_loopback_is_for_operators_beside_an_open_one(make_relay):
    relay = make_relay({"auth": {"mode": "auto", "tokens": TOKENS}, "server": {"http_host": "0.0.0.0"}})
    assert relay.management("/api/sessions").status_code == 401
    assert relay.management("/api/health").status_code == 200
    assert relay.management("/api/sessions", headers={"Authorization": f"Bearer {OPA}"}).status_code == 200


@pytest.mark.parametrize("port", ["http_port", "websocket_port", "management_port"])
@pytest.mark.parametrize("path", [b"/session/new", b"/acp", b"/api/sessions/import"])
def test_a_stranger_is_refused_before_the_body(guarded, port, path):
    with raw.connect(guarded.config["server"][port]) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                           b"Expect: 100-continue\r\nContent-Length: 30000000\r\n\r\n" % path)
        assert raw.read_head(connection).startswith(b"HTTP/1.1 401 ")


def test_what_a_head_decides_does_not_wait_for_the_body(guarded):
    def answer(head):
        with raw.connect(guarded.config["server"]["http_port"]) as connection:
            connection.sendall(head + b"\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\n"
                                      b"Content-Length: 30000000\r\n\r\n" % ADA.encode())
            return int(raw.read_head(connection).split(b" ")[1])
    json_post = b"POST /session/new HTTP/1.1\r\nContent-Type: application/json"
    assert answer(json_post + b"\r\nHost: localhost") == 100
    assert answer(json_post + b"\r\nHost: evil.example") == 403
    assert answer(json_post + b"\r\nHost: localhost\r\nOrigin: https://evil.example") == 403
    assert answer(json_post + b"\r\nHost: localhost\r\nAccept: image/png") == 406
    assert answer(b"POST /session/new HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain") == 415
    assert answer(b"POST /nowhere HTTP/1.1\r\nHost: localhost") == 404
    assert answer(b"PUT /session/new HTTP/1.1\r\nHost: localhost") == 405
    assert answer(b"POST /acp HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain") == 415
    assert answer(b"POST /agents/none/acp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json") == 404
    assert answer(b"GET /session/x/events HTTP/1.1\r\nHost: localhost") == 413
