"""A relay that was killed, and everything that its next start finds."""
import json
import signal
import socket
import subprocess
import sys
import textwrap

from harness.acp_client import open_client
from harness.acp_endpoint import acp_url
from harness.deadline import wait_until
from harness.http_client import RelayError
from harness.relay import ROOT


def kill(relay):
    relay.process.send_signal(signal.SIGKILL)
    relay.wait()


def test_a_killed_relay_leaves_its_agents_running_and_the_next_start_goes_on(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    client.prompt("/write file.txt x")
    client.start_prompt("/sleep 600")
    relay.wait_for_prompts(2)
    kill(relay)
    assert relay.container(session)["State"]["Running"], "an agent survives the death of its relay"
    assert (relay.host_workspace(session) / "file.txt").is_file()
    relay.start()
    assert relay.container(session)["State"]["Running"]
    [one] = relay.http().result("session/list")["sessions"]
    assert (one["id"], one["isActive"]) == (session, True)
    relay.http().result("session/close", sessionId=session)
    relay.wait_until_empty()
    relay.assert_serves()


def test_a_start_whose_port_is_taken_leaves_the_agents_of_the_run_before_alone(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    kill(relay)
    began = relay.container(session)["State"]["StartedAt"]
    with socket.create_server(("127.0.0.1", relay.config["server"]["management_port"])):
        relay.launch()
        assert relay.wait() == 1
    assert "server.management_port" in relay.log_text()
    assert "sessions of an earlier run" not in relay.log_text(), "it did not begin with them"
    relay.start()
    again = relay.websocket()
    again.result("session/resume", sessionId=session)
    assert again.prompt("still here", session)[1] == "still here"
    assert relay.container(session)["State"]["StartedAt"] == began
    again.result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_a_relay_that_is_full_after_a_kill_lets_clients_in_to_its_sessions(make_container_relay):
    relay = make_container_relay(config={"agent": {"max_concurrent_sessions": 1}})
    session = relay.websocket().new("/workspace")
    kill(relay)
    relay.start()
    client = open_client("http", acp_url(relay, "http"))  # no room for an agent that introduces itself
    client.result("session/resume", sessionId=session, cwd="/workspace", mcpServers=[])
    assert client.prompt("still here", session)[1] == "still here"
    client.close()
    relay.http().result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_what_ended_while_the_relay_was_dead_is_cleared_too(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.http()
    killed, removed = client.new("/workspace"), client.new("/workspace")
    kill(relay)
    engine.kill(f"acp-agent-{killed}")
    engine.remove(f"acp-agent-{removed}")
    relay.start()
    wait_until(lambda: relay.containers() == [], "no container is left")
    for session in (killed, removed):
        assert relay.host_workspace(session).is_dir(), "nobody gave the session up"
        relay.http().result("session/close", sessionId=session)
    relay.wait_until_empty()


def test_containers_of_other_relays_are_left_alone(make_container_relay):
    one, other = make_container_relay(), make_container_relay()
    session = one.http().new("/workspace")
    kill(other)
    other.start()
    other.assert_serves()
    assert one.container(session)["State"]["Running"]
    assert one.host_workspace(session).is_dir()


def test_a_second_relay_on_the_same_database_is_refused_and_names_the_first(make_container_relay):
    first = make_container_relay()
    session = first.http().new("/workspace")
    second = make_container_relay(config={"database": {"path": str(first.database)}}, start=False, base=first.base)
    second.launch()
    assert second.wait() == 1
    assert str(first.pid) in second.log_text()
    assert first.container(session)["State"]["Running"], "the first one's sessions are untouched"
    second.process = None


CLIENT = textwrap.dedent("""
    import sys, time
    sys.path.insert(0, sys.argv[1])
    from harness.ws_client import WebSocketClient
    clients = [WebSocketClient(sys.argv[2]) for _ in range(10)]
    ids = [client.start("session/new", {"cwd": "/workspace"}) for client in clients]
    for client, id in zip(clients, ids):
        assert client.answer(id, 300)["result"]["isolation"] == "container"
    print("ready", flush=True)
    time.sleep(3600)
""")


def test_30_sessions_whose_clients_are_all_killed(make_container_relay):
    relay = make_container_relay(config={"sessions": {"idle_timeout": "1s"}})
    clients = [subprocess.Popen([sys.executable, "-c", CLIENT, str(ROOT / "tests/e2e"), relay.ws_url],
                                stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for client in clients:
            assert client.stdout.readline() == "ready\n"
        relay.wait_for_containers(30)
    finally:
        for client in clients:
            client.kill()
            client.wait()
            client.stdout.close()
    relay.wait_until_empty()
    relay.assert_serves_a_watcher()


def test_30_sessions_at_once_do_not_hinder_another(make_container_relay):
    relay = make_container_relay()
    talker = relay.websocket()
    talker.new("/workspace")
    crowd = relay.websocket()
    ids = [crowd.start("session/new", {"cwd": "/workspace"}) for _ in range(30)]
    for number in range(20):
        assert talker.prompt(f"word {number}")[1] == f"word {number}"
    for id in ids:
        answer = crowd.answer(id, 300)
        if "error" in answer:
            raise AssertionError(json.dumps(answer)) from RelayError(answer["error"])
    relay.wait_for_containers(31)
