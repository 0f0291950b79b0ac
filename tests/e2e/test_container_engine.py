"""An Engine that is not there, goes away, comes back, or is none at all."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import tempfile
import threading

import pytest

from harness import containers
from harness.deadline import Late, wait_until
from harness.http_client import RelayError
from harness.private_engine import running
from harness.relay import DEMO_AGENT, change, run_cli


@pytest.fixture(scope="module")
def private_engine():
    yield from running()


@pytest.fixture
def lasting_engine():
    """Its containers go on when it ends."""
    yield from running("--live-restore")


def relays_of(engine, make_relay):
    engine.start()

    def make(container=None, config=None, **options):
        return make_relay({**(config or {}), "container": container or {}}, kind=containers.ContainerRelay,
                          engine=engine, image=containers.import_demo(engine), **options)
    return make


@pytest.fixture
def private_relay(private_engine, make_relay):
    yield relays_of(private_engine, make_relay)
    private_engine.start()  # relays end with the test, and look at it


def unavailable(relay):
    with pytest.raises(RelayError) as caught:
        relay.http().new("/workspace")
    return caught.value


@pytest.mark.parametrize("signal", [15, 9], ids=["in order", "killed"])
def test_an_engine_that_ends_and_comes_back(private_relay, private_engine, signal):
    relay = private_relay()
    relay.keeps_directories = True  # the daemon ends the agent, whose work stays
    client = relay.websocket()
    session = client.new("/workspace")
    private_engine.end_daemon(signal)
    wait_until(lambda: relay.management("/api/ready").status_code == 503, "ready is red")
    error = unavailable(relay)
    assert error.type == "docker_not_available"
    assert error.status == 503
    assert private_engine.socket in json.dumps(error.data)
    assert relay.management("/api/health").status_code == 200, "the relay itself is well"
    private_engine.start()
    wait_until(lambda: relay.management("/api/ready").status_code == 200, "ready is green again")
    # Without live-restore a daemon ends its containers: the next prompt gets another agent.
    # The container is removed first and the client told after that.
    def running():
        container = relay.container(session)
        return container is not None and container["State"]["Running"]

    wait_until(lambda: client.all("_acp-relay/session_closed") or running(), "the old session's fate is known")
    if client.all("_acp-relay/session_closed"):
        assert client.prompt("another agent")[1] == "another agent"
    relay.assert_serves()


@pytest.mark.parametrize("signal", [15, 9], ids=["in order", "killed"])
def test_agents_live_through_a_daemon_with_live_restore(lasting_engine, make_relay, signal):
    relay = relays_of(lasting_engine, make_relay)()
    client = relay.websocket()
    session, idle = client.new("/workspace"), client.new("/workspace")
    for _ in range(2):  # attached since the start, then by the container's log
        before = client.count()
        turn = client.start_prompt("/permission", session)
        question = client.incoming("session/request_permission", start=before)
        lasting_engine.end_daemon(signal)
        lasting_engine.start()
        wait_until(lambda: relay.management("/api/ready").status_code == 200, "ready is green again")
        client.respond(question, {"outcome": {"outcome": "selected", "optionId": "allow"}})
        assert client.answer(turn)["result"]["stopReason"] == "end_turn"
        assert client.prompt("alive", idle)[1] == "alive"
    client.result("session/close", sessionId=session)
    client.result("session/close", sessionId=idle)
    relay.wait_until_empty()


@pytest.mark.parametrize("signal", [15, 9], ids=["in order", "killed"])
def test_agents_live_through_a_daemon_that_restarts_while_there_is_no_relay(lasting_engine, make_relay, signal):
    relay = relays_of(lasting_engine, make_relay)()
    client = relay.websocket()
    session = client.new("/workspace")
    assert client.prompt("before", session)[1] == "before"
    client.start_prompt("/permission", session)
    client.incoming("session/request_permission")
    relay.process.kill()
    relay.wait()
    lasting_engine.end_daemon(signal)
    lasting_engine.start()
    relay.start()
    client = relay.websocket()
    client.result("session/resume", sessionId=session)
    question = client.incoming("session/request_permission")
    asked = client.count()
    client.respond(question, {"outcome": {"outcome": "selected", "optionId": "allow"}})
    client.incoming("_acp-relay/turn_complete", start=asked)
    assert client.prompt("alive", session)[1] == "alive"
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()


# A daemon that is killed while it writes may leave a log that Docker itself reads no further.
def test_what_an_ending_daemon_takes_with_it_is_said_and_nothing_is_doubled(lasting_engine, make_relay):
    relay = relays_of(lasting_engine, make_relay)()
    client = relay.websocket()
    session = client.new("/workspace")
    turn = client.start_prompt("/chunks 30000 100", session)
    client.incoming("session/update")
    lasting_engine.end_daemon()
    lasting_engine.start()
    notices = "_acp-relay/agent_notice"

    def is_answer(message):
        return "method" not in message and message.get("id") == turn
    client.wait_for(lambda m: m.get("method") == notices or is_answer(m), "the answer, or that it may be lost")
    seen, answer = 0, None
    while answer is None:
        try:
            message = client.wait_for(lambda _: True, "more of the turn", 5, start=seen)
            seen += 1
            answer = message if is_answer(message) else None
        except Late:  # its end is among what was lost
            client.notify("session/cancel", sessionId=session)
            answer = client.answer(turn)
    updates = [message["params"]["update"] for message in client.all("session/update")]
    texts = [u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk"]
    numbers = [int(text.split(" ")[0]) for text in texts]
    assert numbers == sorted(set(numbers))
    if len(numbers) < 30_000 or "error" in answer:
        # How much that is depends on when the Engine's copier was cut off.
        told = [notice["params"]["error"]["message"] for notice in client.all(notices)]
        assert any("may be lost" in message for message in told), told
    if "error" in answer:  # and so may the end of the turn be
        assert "among the output that was lost" in answer["error"]["message"]
    else:
        assert answer["result"]["stopReason"] in ("end_turn", "cancelled")
    assert client.prompt("alive", session)[1] == "alive"


def test_an_engine_that_says_nothing_costs_a_session_the_time_of_its_start(private_relay, private_engine):
    relay = private_relay({"startup_timeout": "10s"})
    with private_engine.frozen():
        error = unavailable(relay)
        assert (error.type, error.data["relevant_state"]["limit_ms"]) == ("container_start_failed", 10_000)
        assert "container.startup_timeout" in json.dumps(error.data["suggested_actions"])
    change(relay, {"container": {"startup_timeout": "120s"}})
    wait_until(lambda: run_cli("reload", relay=relay)[0] == 0, "the longer time is in force")
    client = relay.http()
    client.result("session/close", sessionId=client.new("/workspace"))
    relay.wait_until_empty()  # of what was begun before as well


def test_a_session_closed_while_the_engine_is_away_is_cleared_up_later(private_relay, private_engine):
    relay = private_relay({"shutdown_timeout": "500ms"})
    client = relay.http()
    session = client.new("/workspace")
    private_engine.end_daemon(9)
    with contextlib.suppress(RelayError):
        client.result("session/close", sessionId=session)
    private_engine.start()
    relay.wait_until_empty()


def test_a_relay_that_ends_without_its_engine_clears_up_at_its_next_start(private_relay, private_engine):
    relay = private_relay({"shutdown_timeout": "500ms"}, {"server": {"shutdown_timeout": "20s"}})
    relay.http().new("/workspace")
    private_engine.end_daemon(9)
    relay.may_leave_open_rows = True
    relay.send_signal(15)
    relay.wait()
    private_engine.start()
    relay.start()
    relay.keeps_directories = True  # for the relay, the agent ended by itself
    relay.wait_until_empty()


def test_a_start_under_way_does_not_hold_up_a_relay_that_ends_without_its_engine(private_relay, private_engine):
    relay = private_relay({"startup_timeout": "600s"}, {"server": {"shutdown_timeout": "8s"}})
    client = relay.websocket()
    with private_engine.frozen():
        client.start("session/new", {"workingDirectory": "/workspace"})
        wait_until(lambda: relay.metric("acp_relay_sessions", state="starting") == 1, "the start is under way")
        relay.send_signal(15)
        relay.wait(25)  # by itself, or at its limit
    assert private_engine.problem() is None  # by then it has done what it was asked before
    relay.start()
    relay.wait_until_empty()


# Addresses where no Engine answers.
@pytest.fixture
def short_directory():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-e2e-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def does_not_start(make_container_relay, address, *words, **options):
    relay = make_container_relay({"docker_host": address}, start=False, **options).launch()
    assert relay.wait() == 1
    text = relay.log_text()
    for word in words:
        assert word in text, text[-2000:]
    return text


def test_a_missing_socket(make_container_relay, short_directory):
    does_not_start(make_container_relay, f"unix://{short_directory}/none.sock", f"{short_directory}/none.sock")


def test_a_socket_that_nobody_listens_at(make_container_relay, short_directory):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{short_directory}/dead.sock")
    does_not_start(make_container_relay, f"unix://{short_directory}/dead.sock", f"{short_directory}/dead.sock")


def test_a_port_that_nobody_listens_at(make_container_relay):
    does_not_start(make_container_relay, "tcp://127.0.0.1:1", "127.0.0.1:1")


@contextlib.contextmanager
def fake_engine(directory, answer):
    """Answers every request with the same bytes; None: accepts and stays silent."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{directory}/fake.sock")
    listener.listen()
    open_ones = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.append(connection)
                if answer is not None:
                    head = b""  # all of it: what is left unread would reset the connection
                    while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                        head += piece
                    connection.sendall(answer)
                    connection.close()
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"unix://{directory}/fake.sock"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            connection.close()


def http(body, status="200 OK"):
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


OLD = json.dumps({"Version": "1.12.6", "ApiVersion": "1.24", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
                  "KernelVersion": "3.10"})


@pytest.mark.parametrize("answer, words", [
    (http(OLD), ["1.24", "1.41"]), (http("{}"), []), (http("<html>"), []), (http("no", "404 Not Found"), []),
    (b"SSH-2.0-OpenSSH_9.2\r\n", []), (b"", []), (None, [])],
    ids=["too old", "empty", "html", "404", "ssh", "closes", "silent"])
def test_something_that_is_no_engine_or_a_bad_one(make_container_relay, short_directory, answer, words):
    with fake_engine(short_directory, answer) as address:
        does_not_start(make_container_relay, address, f"{short_directory}/fake.sock", *words)


def test_a_socket_that_this_user_may_not_use(make_container_relay, short_directory, private_engine):
    """Root may use everything, so the relay runs as somebody else."""
    directory = short_directory / "relay"
    directory.mkdir()
    for path in (short_directory, directory):
        os.chmod(path, 0o777)
    relay = containers.ContainerRelay(directory, {}, engine=private_engine, image="x:1")
    os.chmod(relay.workspace, 0o777)
    relay.launch(prefix=("setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"))
    try:
        assert relay.wait() == 1
        assert "permi" in relay.log_text().lower() and private_engine.socket in relay.log_text()
        assert "group" in relay.log_text(), "the remedy is named"
    finally:
        relay.kill()


def test_without_an_engine_a_relay_with_a_command_uses_processes_and_says_so(make_container_relay, short_directory):
    relay = make_container_relay({"docker_host": f"unix://{short_directory}/none.sock", "required": False},
                                 {"agent": {"command": str(DEMO_AGENT)}})
    client = relay.http()
    result = client.result("session/new", workingDirectory=str(relay.workspace))
    assert result["isolation"] == "process"
    assert relay.management("/api/health").json()["isolation"] == "process"
    relay.wait_logged("none.sock")
    relay.wait_logged("NO CONTAINERS")


def test_docker_host_of_the_environment_is_used(make_container_relay, engine):
    relay = make_container_relay({"docker_host": ""}, env={"DOCKER_HOST": engine.address})
    assert relay.http().result("session/new")["isolation"] == "container"
