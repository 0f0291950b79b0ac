"""Agents without a network that reach their model through the relay, and nothing else."""
import contextlib
import hashlib
import json
import pathlib
import re
import socket
import urllib.parse

import pytest

from harness import containers
from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.engine_proxy import EngineProxy
from harness.http_client import RelayError
from harness.quiet_log import never_logged
from harness.relay import run_cli
from harness.upstream import GET, KEY, raw


def test_an_agent_without_a_network_reaches_its_upstream_and_nothing_else(make_egress_relay, upstream, carrier):
    relay = make_egress_relay({"readonly_rootfs": True, "drop_capabilities": ["ALL"]},
                              carrier="auto" if carrier == "unix" else carrier,
                              allow=[{"methods": ["POST"], "path": "/v1/messages"}])
    relay.wait_logged(f"none but own through the relay, at http://127.0.0.1:9180/NAME in a container (carrier {carrier})")
    client = relay.websocket()
    made = client.result("session/new", workingDirectory="/workspace")
    assert (made["network"], made["egress"]) == ("none", {"upstreams": ["own"], "carrier": carrier})
    session = made["sessionId"]
    code, out = containers.shell(
        client, "wget -q -O - --header 'x-api-key: placeholder' --header 'anthropic-version: 1' "
                "--post-data hello http://127.0.0.1:9180/own/v1/messages?beta=true", session)
    assert code == 0 and json.loads(out)["path"] == "/v1/messages?beta=true"
    method, path, headers, body = upstream.seen.pop()
    assert (method, body, headers["x-api-key"], headers["anthropic-version"]) == ("POST", "hello", KEY, "1")
    assert "placeholder" not in str(headers) and headers["Host"] == f"localhost:{upstream.server_port}"

    for what in ("own/v1/files", "other/v1/messages", "own/v1/messages/../files"):
        code, out = containers.shell(client, f"{GET}/{what} 2>&1", session)
        assert code != 0 and "HTTP/1.1 40" in out, (what, out)
    assert "403" in containers.shell(client, f"{GET}/own/v1/files 2>&1", session)[1]
    for target in ("1.1.1.1", f"127.0.0.1:{upstream.server_port}", relay.management_url.removeprefix("http://")):
        assert containers.shell(client, f"wget -q -T 3 -O - http://{target}/ 2>&1", session)[0] != 0
    assert upstream.seen == []
    relay.wait_logged("is in no allow rule of own")
    shows_what_was_done(relay, client, session)

    found = containers.shell(client, "env; cat /proc/*/environ /proc/*/cmdline; ls -laR /acp-relay", session)[1]
    assert "acp-agent-init" in found and KEY not in found
    assert ("broker.sock" in found) == (carrier == "unix")
    assert KEY not in json.dumps(relay.container(session))
    assert containers.shell(client, "touch /acp-relay/x 2>&1", session)[0] != 0
    relay.http().result("session/close", sessionId=session)
    closed = relay.management(f"/api/sessions/{session}").json()
    assert not closed["isActive"] and closed["upstreamUse"]["own"]["requests"] == 1
    for file in pathlib.Path(relay.database).parent.glob("*.db*"):
        with contextlib.suppress(FileNotFoundError):  # removed just then
            assert KEY.encode() not in file.read_bytes()
    never_logged(relay, KEY)


def shows_what_was_done(relay, client, session):
    """One request went out, two were not allowed, one named no upstream, one no path."""
    notices = {notice["params"]["error"]["data"]["relevant_state"]["code"]: notice["params"]
               for notice in client.all("_acp-relay/agent_notice")}
    told = notices["not_allowed"]
    assert told["sessionId"] == session and told["error"]["data"]["error_type"] == "upstream_denied"
    assert "is in no allow rule of own" in told["error"]["message"]
    assert told["error"]["data"]["relevant_state"] == {
        "code": "not_allowed", "upstream": "own", "key": "egress.upstreams.own.allow", "status": 403}
    assert set(notices) == {"not_allowed", "unknown_upstream", "bad_request"}
    assert len(client.all("_acp-relay/agent_notice")) == 3, "the second one like it is not told"

    requests = "acp_relay_upstream_requests_total"
    assert relay.metric(requests, upstream="own", outcome="2xx") == 1
    assert relay.metric(requests, upstream="own", outcome="not_allowed") == 2
    assert relay.metric(requests, upstream="", outcome="unknown_upstream") == 1
    assert relay.metric("acp_relay_upstream_tokens_total", upstream="own") == 3
    assert relay.metric("acp_relay_upstream_first_byte_seconds_count", upstream="own") == 1

    used = relay.management(f"/api/sessions/{session}").json()["upstreamUse"]
    assert used["own"]["requests"] == 1 and used["own"]["sentBytes"] == 5 and used["own"]["tokens"] == 3
    assert (used["own"]["failed"], used[""]["failed"]) == (2, 2)
    rows = [row for row in relay.management(f"/api/audit?session={session}").json()["entries"]
            if row["transport"] == "agent"]
    assert [row["action"] for row in rows] == ["used_upstream"] + 3 * ["denied_upstream"]
    assert rows[0]["detail"].startswith("own POST 200 sent=5 ") and rows[0]["detail"].endswith(" /v1/messages")
    assert "beta" not in json.dumps(rows)


def served_again(client, script, session):
    """What the script says when it works; until its way out is made again it is told that the relay is not there."""
    def output():
        code, out = containers.shell(client, script, session)
        return out if code == 0 else None
    return wait_until(output, "it is served again")


def test_agents_are_served_again_when_the_relay_is_back(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(budget={"tokens": 6}, carrier=carrier)
    client = relay.websocket()
    session = client.new("/workspace")
    assert containers.shell(client, f"{GET}/own/first", session)[0] == 0
    relay.process.kill()
    relay.process.wait()
    relay.start()
    client = relay.websocket()
    assert json.loads(served_again(client, f"{GET}/own/again", session))["path"] == "/again"
    assert "429" in containers.shell(client, f"{GET}/own/more 2>&1", session)[1], "its budget goes on where it was"
    used = relay.management(f"/api/sessions/{session}").json()["upstreamUse"]["own"]
    assert (used["requests"], used["tokens"], used["failed"]) == (2, 6, 1)


def test_upstreams_that_are_gone_when_the_relay_is_back_are_told_of_and_harm_nobody(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    session = relay.websocket().new("/workspace")
    relay.process.kill()
    relay.process.wait()
    relay.config["agent"]["upstreams"] = []
    relay.config_file.write_text(json.dumps(relay.config), "utf-8")
    relay.start()
    client = relay.websocket()
    # Often enough that one would meet a way that is made meanwhile.
    script = f"for i in $(seq 100); do {GET}/own/v1 2>&1; done"
    assert containers.shell(client, script, session)[1].count("HTTP/1.1 502 ") == 100
    assert upstream.seen == [] and relay.running()


def test_a_carrier_that_is_killed_is_made_again(make_egress_relay, upstream):
    relay = make_egress_relay(carrier="stdio")
    client = relay.websocket()
    session = client.new("/workspace")
    for number in range(3):
        assert containers.shell(client, f"{GET}/own/{number}", session)[0] == 0
        kill = "for pid in /proc/[0-9]*; do tr '\\0' ' ' < $pid/cmdline | grep -q '[-]-carry @' && kill -9 ${pid#/proc/} && echo killed; done"
        assert "killed" in containers.shell(client, kill, session)[1]
        served_again(client, f"{GET}/own/again", session)
    relay.wait_logged("the agent's way out broke off, and was made again")
    relay.http().result("session/close", sessionId=session)
    relay.wait_logged("session closed")
    assert "the agent has no way out" not in relay.log_text()


def test_an_engine_that_runs_no_other_command_is_told(make_egress_relay, engine, tmp_path):
    with EngineProxy(engine.socket, tmp_path / "engine.sock") as proxy:
        relay = make_egress_relay({"docker_host": f"unix://{proxy.path}"}, carrier="stdio")
        proxy.refuse = b"/exec "
        with pytest.raises(RelayError) as refused:
            relay.http().new("/workspace")
        assert refused.value.type == "container_start_failed" and refused.value.data["relevant_state"]["key"] == "egress.carrier"
        assert "exec calls" in str(refused.value.data["suggested_actions"])
        relay.wait_until_empty()
        assert "cut the agent's output off" not in relay.log_text()
        proxy.refuse = None
        client = relay.websocket()
        session = client.new("/workspace")
        assert containers.shell(client, f"{GET}/own/v1", session)[0] == 0
        client.result("session/close", sessionId=session)
        relay.stop()


def test_many_bytes_are_carried_both_ways(make_egress_relay, upstream, carrier):
    relay = make_egress_relay(carrier=carrier)
    client = relay.websocket()
    session = client.new("/workspace")
    size = 20 << 20
    script = (f"head -c {size // 4 * 3} /dev/urandom | base64 | tr -d '\\n' > /tmp/body; "
              "wget -q -O /tmp/answer --post-file /tmp/body http://127.0.0.1:9180/own/echo && "
              "cmp /tmp/body /tmp/answer && sha256sum < /tmp/body")
    code, out = containers.shell(client, script, session)
    body = upstream.seen.pop()[3].encode()
    assert code == 0 and len(body) == size and out.split()[0] == hashlib.sha256(body).hexdigest(), out
    used = relay.management(f"/api/sessions/{session}").json()["upstreamUse"]["own"]
    assert (used["sentBytes"], used["receivedBytes"]) == (size, size)
    code, shown, _ = run_cli("sessions", "show", session, relay=relay)
    assert code == 0 and json.loads(re.search("^upstreamUse +(.*)$", shown, re.M)[1]) == {"own": used}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_of_acp_is_told_the_way_out(make_egress_relay, upstream, transport):
    relay = make_egress_relay(carrier="stdio", config={"agent": {"upstreams": ["own"], "connect": ["example.com"]}})
    with contextlib.closing(open_client(transport, acp_url(relay, transport))) as client:
        told = client.result("session/new", cwd="/workspace", mcpServers=[])["_meta"]["acp-relay/egress"]
    assert told == {"upstreams": ["own"], "carrier": "stdio", "connect": ["example.com"]}


def test_a_session_can_use_what_its_budget_says(make_egress_relay, upstream):
    relay = make_egress_relay(budget={"tokens": 6})
    client = relay.websocket()
    session = client.new("/workspace")
    for _ in range(2):
        assert containers.shell(client, f"{GET}/own/v1", session)[0] == 0
    assert "429" in containers.shell(client, f"{GET}/own/v1 2>&1", session)[1]
    told = client.incoming("_acp-relay/agent_notice")["params"]["error"]["data"]
    assert told["relevant_state"]["code"] == "over_budget" and "egress.upstreams.own.budget.tokens" in str(told)
    assert containers.shell(client, f"{GET}/own/v1", client.new("/workspace"))[0] == 0


def test_an_agent_reaches_hosts_by_connect_but_not_this_machine(make_egress_relay, upstream):
    relay = make_egress_relay(config={"agent": {"upstreams": ["own"], "connect": ["localhost:%d" % upstream.server_port]}})
    relay.wait_logged(f"none but own, localhost:{upstream.server_port} by CONNECT through the relay")
    client = relay.websocket()
    made = client.result("session/new", workingDirectory="/workspace")
    assert made["egress"]["connect"] == [f"localhost:{upstream.server_port}"]
    session = made["sessionId"]
    assert "HTTPS_PROXY=http://127.0.0.1:9180" in containers.shell(client, "env", session)[1]
    ask = "CONNECT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    out = containers.shell(client, raw(ask % f"localhost:{upstream.server_port}"), session)[1]
    assert "403" in out and "localhost stands for this machine" in out
    assert "is no host that the agent may reach" in containers.shell(client, raw(ask % "127.0.0.1:80"), session)[1]
    assert upstream.seen == []


def refuses(port):
    """Nobody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_an_agent_that_is_a_process_has_a_port_and_a_key_of_its_own(make_relay, upstream, certificate):
    relay = make_relay({
        "agent": {"command": str(containers.BUSYBOX), "args": ["sh", str(containers.SHELL_AGENT)], "upstreams": ["own"],
                  "env": {"BASE": "{upstream:own}", "API_KEY": "{upstream_key}"}},
        "egress": {"upstreams": {"own": {"url": upstream.url, "ca_file": certificate["cert"],
                                         "credential": {"header": "x-api-key", "value": KEY}}}}})
    relay.wait_logged("own through the relay, by a port and a key of each session")
    client = relay.websocket()
    made = client.result("session/new", workingDirectory=str(relay.workspace))
    assert made["egress"] == {"upstreams": ["own"], "carrier": "loopback"}
    session, other = made["sessionId"], client.new(str(relay.workspace))
    get = 'busybox wget -q -O - --header "Authorization: Bearer %s" $BASE/v1 2>&1'
    code, out = containers.shell(client, get % "$API_KEY", session)
    assert code == 0 and json.loads(out)["path"] == "/v1", out
    assert upstream.seen.pop()[2]["x-api-key"] == KEY
    key = containers.shell(client, "read _ _ _ agent _ < /proc/$PPID/stat; echo said $API_KEY > /proc/$agent/fd/2; "
                                   "echo $API_KEY", session)[1].strip()
    for wrong in ("", containers.shell(client, "echo $API_KEY", other)[1].strip()):
        assert "401" in containers.shell(client, get % wrong, session)[1]
    assert upstream.seen == []
    relay.wait_logged("said ***")
    assert KEY not in containers.shell(client, "env", session)[1]
    base = containers.shell(client, "echo $BASE", session)[1].strip()
    client.result("session/close", sessionId=session)
    port = urllib.parse.urlsplit(base).port
    wait_until(lambda: refuses(port), "the session's port is closed")
    never_logged(relay, key, KEY)


def test_a_certificate_that_is_not_the_upstreams_is_told(make_egress_relay):
    relay = make_egress_relay(ca_file="/etc/ssl/certs/ca-certificates.crt")
    client = relay.websocket()
    assert "502" in containers.shell(client, f"{GET}/own/v1 2>&1", client.new("/workspace"))[1]
    relay.wait_logged("self-signed certificate")
