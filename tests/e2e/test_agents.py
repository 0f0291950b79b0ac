"""Several agents as processes: each with its own program, arguments and environment."""
import json

import pytest

from harness.http_client import RelayError
from harness.relay import DEMO_AGENT, run_cli, scripted

SECRETS = {"default": "canary-of-the-default", "ada": "canary-of-ada", "bob": "canary-of-bob"}


def demo(name, **keys):
    return {"command": str(DEMO_AGENT), "env": {f"KEY_OF_{name.upper()}": SECRETS[name]}, **keys}


@pytest.fixture
def relay(make_relay):
    return make_relay({
        "agent": demo("default", client_env=["EDITOR"]),
        "agents": {"ada": demo("ada", client_env=["PAGER"]), "bob": {**demo("bob"), "args": []},
                   "scripted": {**scripted("twice"), "stop_grace": "100ms"}, "same": {}},
    })


def environment(client, session):
    lines = client.prompt_text(session, "/env").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_each_agent_has_its_own_program_and_secrets(relay):
    client = relay.http()
    for agent in (None, "ada", "bob"):
        session = client.new(relay.workspace, **({"agent": agent} if agent else {}))
        # Secrets of all agents are replaced on their way into the log, not on their way to clients.
        seen = environment(client, session)
        names = {name for name in seen if name.startswith("KEY_OF_")}
        assert names == {f"KEY_OF_{(agent or 'default').upper()}"}
    session = client.new(relay.workspace, agent="scripted")
    assert client.prompt_text(session, "word") == "word"


def test_an_agent_without_a_program_is_the_default_one(relay):
    client = relay.http()
    seen = environment(client, client.new(relay.workspace, agent="same"))
    assert "KEY_OF_DEFAULT" in seen


def test_each_agent_says_which_variables_a_client_may_set(relay):
    client = relay.http()
    assert environment(client, client.new(relay.workspace, agent="ada", env={"PAGER": "less"}))["PAGER"] == "less"
    assert environment(client, client.new(relay.workspace, agent="bob", env={"EDITOR": "vi"}))["EDITOR"] == "vi"
    with pytest.raises(RelayError) as refused:
        client.new(relay.workspace, agent="ada", env={"EDITOR": "vi"})
    assert refused.value.code == -32602
    assert "agents.ada.client_env" in json.dumps(refused.value.data)


@pytest.mark.parametrize("dialect", ["http", "websocket"])
@pytest.mark.parametrize("name", ["eve", "ADA", "ada ", "default", "x" * 10_000, "\u0000"],
                         ids=["other", "capitals", "space", "default", "long", "nul"])
def test_an_unknown_agent_is_refused_with_the_names_there_are(relay, dialect, name):
    client = getattr(relay, dialect)()
    with pytest.raises(RelayError) as refused:
        client.new(relay.workspace, agent=name)
    assert refused.value.code == -32602
    assert "ada, bob, scripted, same" in json.dumps(refused.value.data)
    assert len(json.dumps(refused.value.error)) < 4_000
    assert not relay.agents()


def test_an_agent_that_is_no_name_is_refused(relay):
    with pytest.raises(RelayError) as refused:
        relay.http().new(relay.workspace, agent={"name": "ada"})
    assert refused.value.code == -32602


def test_sessions_show_their_agent(relay):
    client = relay.websocket()
    sessions = {agent: client.new(relay.workspace, agent=agent) for agent in ("ada", "bob")}
    sessions[None] = client.new(relay.workspace)
    listed = client.result("session/list")["sessions"]
    assert {item["agent"]: item["id"] for item in listed} == sessions
    managed = relay.management("/api/sessions").json()
    assert {item["agent"]: item["id"] for item in managed} == sessions
    client.result("session/close", sessionId=sessions["ada"])
    shown = relay.management(f"/api/sessions/{sessions['ada']}").json()
    assert shown["agent"] == "ada" and not shown["isActive"]


def test_the_configuration_shows_agents_without_their_secrets(relay):
    shown = relay.management("/api/config").json()
    agents = shown["agents"]
    assert agents["ada"]["env"] == {"KEY_OF_ADA": "***"}
    assert agents["ada"]["command"] == [str(DEMO_AGENT)]
    assert agents["scripted"]["stop_grace"] == "100ms"
    relay.wait_logged("ada: " + str(DEMO_AGENT))  # the lines at the start name the agents
    for text in (json.dumps(shown), run_cli("check-config", str(relay.config_file))[1],
                 relay.log_text()):
        assert "canary-" not in text


def test_secrets_of_every_agent_stay_out_of_the_log_and_the_database(relay):
    client = relay.http()
    client.prompt_text(client.new(relay.workspace, agent="ada"), "/env")
    client.prompt_text(client.new(relay.workspace), f"repeat {SECRETS['bob']}")
    relay.stop()
    for path in (relay.log_file, *relay.directory.glob("relay.db*")):
        assert b"canary-" not in path.read_bytes(), path


def test_mistakes_are_refused_with_the_name_of_the_key(make_relay):
    relay = make_relay({"agents": {"ada": {"memory_limt": "1G"}, "Bob": {}, "eve": {"max_concurrent_starts": 2}}},
                       start=False)
    code, _, words = run_cli("check-config", str(relay.config_file))
    assert code != 0
    assert "agents.ada.memory_limt: unknown key; did you mean memory_limit?" in words
    assert "agents.Bob: not a name of an agent" in words
    assert "agents.eve.max_concurrent_starts: unknown key; it is one for all agents" in words


def test_the_environment_overrides_a_key_of_an_agent(make_relay):
    relay = make_relay({"agents": {"my-agent": {"command": "/no/such/program"}}},
                       env={"ACP_RELAY_AGENTS_MY_AGENT_COMMAND": str(DEMO_AGENT)})
    relay.http().new(relay.workspace, agent="my-agent")


def test_an_agent_that_cannot_start_does_not_concern_the_others(make_relay):
    relay = make_relay({"agents": {"broken": {"command": "/no/such/program"}}})
    client = relay.http()
    with pytest.raises(RelayError) as refused:
        client.new(relay.workspace, agent="broken")
    assert refused.value.type == "agent_start_failed"
    client.new(relay.workspace)
    assert relay.management("/api/ready").status_code == 200
