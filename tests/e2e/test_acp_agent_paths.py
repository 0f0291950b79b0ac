"""/agents/<name>/acp: the transport of ACP for one of several agents."""
import contextlib
import json
from shlex import quote

import pytest

from harness.acp_client import CONNECTION, AcpHttp, open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.http_client import RelayError
from harness.relay import DEMO_AGENT, scripted

AGENTS = {"ada": {"command": str(DEMO_AGENT), "env": {"KEY_OF_ADA": "canary-of-ada"}},
          "bob": {"command": str(DEMO_AGENT), "env": {"KEY_OF_BOB": "canary-of-bob"}},
          "other": scripted("twice")}


@pytest.fixture
def relay(make_relay):
    return make_relay({"agents": AGENTS})


@pytest.fixture
def connect(relay):
    """connect(transport, agent, ...): a client that has said initialize."""
    with contextlib.ExitStack() as stack:
        def open_one(transport, agent=None, port=None, **options):
            path = f"/agents/{agent}/acp" if agent else "/acp"
            return stack.enter_context(contextlib.closing(
                open_client(transport, acp_url(relay, transport, port, path), **options)))
        yield open_one


def keys(client, session):
    return {line.split("=")[0] for line in client.prompt("/env", session)[1].split("\n") if line.startswith("KEY_OF_")}


@pytest.mark.parametrize("port", ["http_port", "websocket_port"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_path_leads_to_its_agent(relay, connect, transport, port):
    for agent, expected in (("ada", {"KEY_OF_ADA"}), ("bob", {"KEY_OF_BOB"}), (None, set())):
        client = connect(transport, agent, port)
        assert keys(client, client.new(relay.workspace)) == expected


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_agent_introduces_itself(connect, transport):
    names = [connect(transport, agent).initialized["agentInfo"]["name"] for agent in ("other", "ada", None, "other")]
    assert names[0] == names[3] == "scripted" and names[1] == names[2] != "scripted"


@pytest.mark.parametrize("name", ["eve", "ADA", "default", "a%20b", "x" * 5000])
def test_an_unknown_agent_has_no_path(relay, name):
    client = AcpHttp(acp_url(relay, "http"), initialize=False)
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client.initialize_params()}
    client.path = f"/agents/{name}/acp"
    answer = client.post(initialize, connection=False)
    client.close()
    assert answer.status == 404
    assert "ada, bob, other" in json.dumps(answer.error()["data"])
    assert len(answer.body) < 4_000 and not relay.agents()


def test_an_unknown_agent_refuses_the_upgrade(relay, connect):
    with pytest.raises(Exception, match="404"):
        connect("ws", "eve")
    relay.assert_serves()


def test_names_are_not_told_without_a_token(make_relay):
    relay = make_relay({"agents": AGENTS, "auth": {"mode": "token", "tokens": [
        {"name": "ada", "token": "a-token-of-the-test"}]}})
    client = AcpHttp(acp_url(relay, "http"), initialize=False)
    client.path = "/agents/eve/acp"
    answer = client.exchange("POST", {"Content-Type": "application/json"}, b"{}")
    client.close()
    assert answer.status == 401 and b"bob" not in answer.body


def test_a_connection_is_that_of_its_path(relay, connect):
    client = connect("http", "ada")
    client.path = "/agents/bob/acp"
    ask = {"jsonrpc": "2.0", "id": "x", "method": "session/list", "params": {}}
    assert client.post(ask).status == 404
    assert client.exchange("DELETE", {CONNECTION: client.connection_id}).status == 404
    client.path = "/agents/ada/acp"
    assert client.post(ask).status == 202


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_list_has_the_sessions_of_its_agent(relay, connect, transport):
    clients = {agent: connect(transport, agent) for agent in (None, "ada", "bob")}
    sessions = {agent: client.new(relay.workspace) for agent, client in clients.items()}
    for agent, client in clients.items():
        assert [item["sessionId"] for item in client.result("session/list")["sessions"]] == [sessions[agent]]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_closed_session_goes_on_with_its_agent(relay, connect, transport):
    client = connect(transport, "ada")
    session = client.new(relay.workspace)
    client.result("session/close", sessionId=session)
    for again in (client, connect(transport)):  # also by another agent's path
        again.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
        assert keys(again, session) == {"KEY_OF_ADA"}
        again.result("session/close", sessionId=session)
    [item] = relay.http().result("session/list")["sessions"]
    assert (item["id"], item["agent"]) == (session, "ada")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fork_gets_no_login_of_another_agent(make_relay, tmp_path, transport):
    read = tmp_path / "read"
    program = f"tee -a {quote(str(read))} | {quote(str(DEMO_AGENT))} --state {quote(str(tmp_path / 'state'))}"
    relay = make_relay({"agents": {**AGENTS, "forker": {"command": "/bin/sh", "args": ["-c", program]}}})
    with contextlib.ExitStack() as stack:
        forker, ada = (stack.enter_context(contextlib.closing(open_client(
            transport, acp_url(relay, transport, path=f"/agents/{name}/acp")))) for name in ("forker", "ada"))
        parent = forker.new(relay.workspace)
        assert ada.result("authenticate", methodId="demo", _meta={"key": "canary-of-a-login"}) == {}
        fork = ada.result("session/fork", sessionId=parent, cwd=str(relay.workspace), mcpServers=[])["sessionId"]
        assert ada.prompt("hello", fork)[1] == "hello"
    assert "canary-of-a-login" not in read.read_text()


def test_a_session_whose_agent_is_not_configured_any_more_is_readable_only(make_relay):
    relay = make_relay({"agents": {"ada": AGENTS["ada"]}})
    session = relay.http().new(relay.workspace, agent="ada")
    relay.stop()
    relay.config["agents"] = {"bob": AGENTS["bob"]}
    relay.config_file.write_text(json.dumps(relay.config), "utf-8")
    relay.start()
    client = open_client("ws", acp_url(relay, "ws"))
    with pytest.raises(RelayError) as refused:
        client.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
    assert "agents.ada" in json.dumps(refused.value.data)
    assert relay.http().result("session/history", sessionId=session)["messages"]
    client.result("session/delete", sessionId=session)
    assert relay.http().result("session/list")["sessions"] == []
    client.close()
