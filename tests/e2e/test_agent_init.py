"""acp-agent-init: the command it runs, and the connections it carries to the relay's socket."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import uuid

import pytest

from harness import processes, raw
from harness.carried import CarriedBroker
from harness.deadline import PATIENCE, wait_until
from harness.ports import free_port
from harness.relay import BINARY

INIT = BINARY.with_name("acp-agent-init")
PYTHON = [sys.executable, "-ISc"]


class Init:
    """One that runs a command, by default one that lives as long as its stdin is open."""

    def __init__(self, directory, command=("cat",), most=None, socket_name=None, **options):
        self.path = socket_name or directory / "broker.sock"
        self.port = free_port()
        bound = ["--max-connections", str(most)] if most else []
        self.process = subprocess.Popen(
            [INIT, "--listen", f"127.0.0.1:{self.port}", "--socket", self.path, *bound, "--", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.pid = self.process.pid
        if command == ("cat",):
            self.wait_for_command("cat")  # the port is there before it

    def ended(self):
        """(exit code, stdout, stderr)"""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output.decode(), errors.decode()

    def wait_for_command(self, name):
        """The pid of the command, once it is that."""
        def found():
            return [pid for pid, _ in processes.descendants(self.pid) if processes.name(pid) == name]
        return wait_until(found, f"{name} runs")[0]

    def wait_for_child(self):
        wait_until(lambda: processes.descendants(self.pid), "it has a child")

    def broker(self):
        if str(self.path).startswith("@"):
            return CarriedBroker(INIT, self.path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(512)
        listener.settimeout(PATIENCE)
        return listener

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def pair(self, broker):
        """(client's end, relay's end) of a new connection."""
        client = self.connect()
        relay, _ = broker.accept()
        relay.settimeout(PATIENCE)
        return client, relay

    def request(self, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/messages", body)
            answer = connection.getresponse()
            assert answer.headers["Content-Type"] == "application/json"
            assert (answer.headers["Retry-After"], answer.headers["Connection"]) == ("1", "close")
            return answer.status, json.loads(answer.read())["error"]

    def wait_until_idle(self):
        """It waits for something instead of looking again and again."""
        def sleeps():
            return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"
        wait_until(lambda: all(sleeps() for _ in range(100)), "it sleeps")


@pytest.fixture
def make_init(tmp_path):
    made = []

    def make(*arguments, **options):
        made.append(Init(tmp_path, *arguments, **options))
        return made[-1]

    yield make
    for init in made:
        left = processes.descendants(init.pid)
        if init.process.poll() is None:
            init.process.communicate(timeout=PATIENCE)  # closes stdin, which ends the command
        wait_until(lambda left=left: not any(map(processes.alive, left)), "nothing is left")


@pytest.fixture(params=["unix", "stdio"])
def carrier(make_init, request):
    """(init, broker)"""
    init = make_init(socket_name=f"@acp-test-{uuid.uuid4()}" if request.param == "stdio" else None)
    with init.broker() as broker:
        yield init, broker


def echo(client, relay, text=b"ping"):
    client.sendall(text)
    assert relay.recv(100) == text
    relay.sendall(text)
    assert client.recv(100) == text


def read_all(end):
    return b"".join(iter(lambda: end.recv(1 << 20), b""))


# The command.

@pytest.mark.parametrize("script, code", [
    ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137),
    ("kill -SEGV $$", 139), ("echo out; echo err >&2; exit 126", 126)])
def test_it_ends_as_the_command_ends(make_init, script, code):
    ended, output, errors = make_init(["sh", "-c", script]).ended()
    assert (ended, output, errors) == (code, "out\n" if "out" in script else "", "err\n" if "out" in script else "")


def test_commands_that_cannot_be_started(make_init, tmp_path):
    def file(path, mode, text):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(mode)
        return str(tmp_path / path)

    plain = file("first/agent", 0o644, "#!/bin/sh\necho wrong\n")
    foreign = file("first/foreign", 0o755, "\x7fELF of another machine")
    lost = file("first/lost", 0o755, "#!/no/such/interpreter\n")
    file("second/agent", 0o755, "#!/bin/sh\necho \"$0 $*\"\n")
    both = {"PATH": f"{tmp_path}/nowhere:{tmp_path}/first:{tmp_path}/second"}
    first = {"PATH": f"{tmp_path}/first"}
    for command, env, code, says in [
            ("no-such-agent", both, 127, '"no-such-agent": executable file not found in PATH'),
            ("/no/such/agent", both, 127, '"/no/such/agent": No such file or directory'),
            ("", both, 127, '"": No such file'), (lost, both, 127, "interpreter or loader that it asks for"), ("lost", both, 127, "is not in the image"),
            (plain, both, 126, "Permission denied"), (str(tmp_path), both, 126, "Permission denied"),
            ("agent", first, 126, '"agent": Permission denied'), ("foreign", first, 126, "is a program for"),
            (foreign, both, 126, "another processor")]:
        ended, output, errors = make_init([command], env=env).ended()
        assert (ended, output) == (code, ""), (command, errors)
        assert errors.startswith("acp-agent-init: ") and says in errors and errors.count("\n") == 1, errors
    assert make_init(["agent", "a", "b c"], env=both).ended() == (0, f"{tmp_path}/second/agent a b c\n", "")
    assert make_init(["sh", "-c", "echo usual"], env={}).ended() == (0, "usual\n", "")


def test_calls_that_are_wrong(tmp_path):
    def run(*arguments):
        done = subprocess.run([INIT, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    code, output, errors = run("--listen", "0.0.0.0:9180", "--socket", "/s", "--", "true")
    assert (code, output) == (125, "")
    assert "loopback" in errors and "0.0.0.0:9180" in errors and "usage: acp-agent-init" in errors
    assert run()[0] == 125
    code, output, errors = run("--help")
    assert (code, errors) == (0, "") and output.startswith("usage: acp-agent-init --listen")
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout
    assert run("--version") == (0, version.replace("acp-relay", "acp-agent-init"), "")
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        code, output, errors = run("--listen", f"127.0.0.1:{port}", "--socket", "/s", "--", "touch", tmp_path / "ran")
    assert (code, output) == (125, "")
    assert str(port) in errors and "egress.port" in errors and errors.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_the_port_is_there_before_the_command(make_init):
    script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1); print('there')"
    port = free_port()
    init = subprocess.run([INIT, "--listen", f"127.0.0.1:{port}", "--socket", "/no/broker.sock", "--", *PYTHON, script,
                           str(port)], capture_output=True, text=True, timeout=PATIENCE)
    assert (init.returncode, init.stdout, init.stderr) == (0, "there\n", "")


def test_orphans_are_reaped(make_init):
    init = make_init(["sh", "-c", "(cat <&- & sleep 1000 >&- 2>&- & echo $!); exec cat"])
    orphan = int(init.process.stdout.readline())

    def parent():
        return pathlib.Path(f"/proc/{orphan}/stat").read_text().rsplit(")", 1)[1].split()[1]
    wait_until(lambda: int(parent()) == init.pid, "it is the init's")
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: len(processes.descendants(init.pid)) == 1, "nothing but the command is left")
    assert init.process.poll() is None


def test_what_the_command_leaves_running_holds_nothing_up(make_init):
    init = make_init(["sh", "-c", "sleep 1000 <&- >&- 2>&- & echo $!; exit 4"])
    orphan = int(init.process.stdout.readline())
    try:
        assert init.ended() == (4, "", "")
    finally:
        os.kill(orphan, signal.SIGKILL)  # in a container the kernel does that


def test_the_end_of_the_commands_output_is_seen_while_it_lives(make_init):
    init = make_init(["sh", "-c", "echo last; exec >&- 2>&-; read line"])
    assert init.process.stdout.read() == b"last\n"
    assert init.process.stderr.read() == b""
    assert init.process.poll() is None


def test_the_command_has_the_standard_streams_and_nothing_else(carrier):
    init, broker = carrier
    client, relay = init.pair(broker)
    command = init.wait_for_command("cat")
    # Its loader reads libraries before it is what it will be.
    wait_until(lambda: sorted(os.listdir(f"/proc/{command}/fd")) == ["0", "1", "2"], "it has nothing else")
    wait_until(lambda: [os.readlink(f"/proc/{init.pid}/fd/{stream}") for stream in range(3)] == ["/dev/null"] * 3,
               "the init keeps none of them")
    assert os.getpgid(command) == command
    client.close()
    relay.close()


# The connections.

def test_each_side_may_stop_talking_first(carrier):
    init, broker = carrier
    for turned in (False, True):
        ends = init.pair(broker)
        first, second = reversed(ends) if turned else ends
        first.sendall(b"question")
        first.shutdown(socket.SHUT_WR)
        assert read_all(second) == b"question"
        second.sendall(b"answer")
        second.close()
        assert read_all(first) == b"answer"
        first.close()


def test_many_bytes_both_ways_at_once(carrier):
    init, broker = carrier
    block = hashlib.sha256(b"seed").digest() * (1 << 15)
    expected = hashlib.sha256()
    for number in range(64):
        expected.update(number.to_bytes(4, "big") + block)
    digests = {}

    def send(end):
        for number in range(64):
            end.sendall(number.to_bytes(4, "big") + block)
        end.shutdown(socket.SHUT_WR)

    def receive(end):
        digest, buffer = hashlib.sha256(), bytearray(1 << 18)
        while got := end.recv_into(buffer):
            digest.update(memoryview(buffer)[:got])
        digests[end] = digest.hexdigest()

    ends = init.pair(broker)
    threads = [threading.Thread(target=target, args=(end,)) for end in ends for target in (send, receive)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [digests[end] for end in ends] == [expected.hexdigest()] * 2
    for end in ends:
        end.close()


def test_a_slow_side_slows_the_other_down_and_nobody_else(carrier):
    init, broker = carrier
    other = init.pair(broker)
    for turned in (False, True):
        ends = init.pair(broker)
        fast, slow = reversed(ends) if turned else ends
        fast.setblocking(False)
        sent = 0

        def is_full():
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += fast.send(b"x" * (1 << 16))
            echo(*other)
            before = sent
            with contextlib.suppress(BlockingIOError):
                sent += fast.send(b"x")
            return sent == before
        wait_until(is_full, "nothing more is taken")
        fast.close()
        init.wait_until_idle()  # although the fast one has gone
        echo(*other)
        if turned:  # what the relay said is delivered; a client that has gone is not waited for
            assert len(read_all(slow)) == sent
        slow.close()


def test_a_client_that_goes_is_told_to_the_relay_at_once(carrier):
    init, broker = carrier
    client, relay = init.pair(broker)
    echo(client, relay)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()  # with a reset
    assert relay.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        wait_until(lambda: relay.sendall(b"to nobody"), "that is told")
    relay.close()


def test_an_answer_in_the_middle_of_a_request_arrives(carrier):
    init, broker = carrier
    client, relay = init.pair(broker)
    client.sendall(b"a part")
    relay.recv(1)
    relay.sendall(b"413")
    relay.close()  # and leaves something unread
    for _ in range(40):
        client.sendall(b"x" * (1 << 16))
    assert read_all(client) == b"413"
    client.close()
    init.wait_until_idle()


def test_the_relay_may_go_and_come_back(carrier):
    init, broker = carrier
    old = init.pair(broker)
    broker.close()  # a socket at a path still lies there
    assert init.request()[0] == 502
    if isinstance(init.path, pathlib.Path):
        os.unlink(init.path)
    status, error = init.request(b"x" * 3_000_000)
    assert (status, error["type"]) == (502, "relay_unreachable")
    assert "not there now" in error["message"] and "try again" in error["message"]
    with init.broker() as again:
        new = init.pair(again)
        echo(*new)
    if isinstance(init.path, pathlib.Path):
        echo(*old)
    else:
        assert read_all(old[0]) == b"", "its connections were the carrier's"
    for end in (*old, *new):
        end.close()


def test_connections_are_bounded(make_init):
    init = make_init(most=2)
    with init.broker() as broker:
        pairs = [init.pair(broker), init.pair(broker)]
        before = processes.descriptors(init.pid)
        for body in (None, b"x" * 3_000_000):
            status, error = init.request(body)
            assert (status, error["type"]) == (503, "too_many_connections")
            assert "2 connections" in error["message"] and "--max-connections" in error["message"]
        wait_until(lambda: processes.descriptors(init.pid) == before, "what was refused is closed")
        stubborn = [init.connect() for _ in range(100)]
        for client in stubborn:
            assert read_all(client).startswith(b"HTTP/1.1 503 ")
        wait_until(lambda: processes.descriptors(init.pid) <= before + 33, "those that never close are not kept")
        for pair in pairs:
            echo(*pair)
        for end in pairs.pop():
            end.close()
        wait_until(lambda: processes.descriptors(init.pid) < before + 32, "the connection is closed")
        pairs.append(init.pair(broker))
        echo(*pairs[-1])
        assert init.request()[0] == 503
        for end in (*stubborn, *pairs[0], *pairs[1]):
            end.close()


def test_without_descriptors_connections_wait(make_init):
    init = make_init(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
    with init.broker() as broker:
        broker.setblocking(False)
        clients = [init.connect() for _ in range(12)]
        relays = []

        def accepted():
            with contextlib.suppress(BlockingIOError):
                relays.append(broker.accept()[0])
            return len(relays)
        wait_until(lambda: accepted() == 5, "what there is room for is carried")
        init.wait_until_idle()
        assert accepted() == 5
        for end in (*clients[:5], *relays):
            end.close()
        wait_until(lambda: accepted() == 10, "those that waited are carried")
        for end in (*clients, *relays):
            end.close()


def test_connections_leave_no_descriptor(carrier):
    init, broker = carrier
    before = processes.descriptors(init.pid)
    for number in range(2000):
        client, relay = init.pair(broker)
        echo(client, relay)
        for end in ((client, relay), (relay, client))[number % 2]:
            end.close()
    wait_until(lambda: processes.descriptors(init.pid) == before, "all are closed")


# In a container.

@pytest.fixture
def run_container(engine, tmp_path):
    """run_container(image, command...): its id; with nothing but the init and the relay's directory, both read-only."""
    made = []
    directory = tmp_path / "relay"
    directory.mkdir()
    directory.chmod(0o711)

    def run(image, *command):
        body = {"Image": image, "User": "65534:65534", "NetworkDisabled": True, "Entrypoint": ["/acp-agent-init"],
                "Cmd": ["--listen", "127.0.0.1:9180", "--socket", "/run/acp-relay/broker.sock", "--", *command],
                "HostConfig": {"NetworkMode": "none", "ReadonlyRootfs": True, "CapDrop": ["ALL"],
                               "SecurityOpt": ["no-new-privileges"],
                               "Binds": [f"{INIT}:/acp-agent-init:ro", f"{directory}:/run/acp-relay:ro"]}}
        made.append(engine.json("POST", "/containers/create", body)["Id"])
        engine.request("POST", f"/containers/{made[-1]}/start")
        return made[-1]

    run.socket = directory / "broker.sock"
    yield run
    for container in made:
        engine.remove(container)


def exit_code(engine, container):
    return engine.json("POST", f"/containers/{container}/wait")["StatusCode"]


def test_a_container_without_a_network_reaches_the_relay(engine, tools_image, run_container):
    with socket.socket(socket.AF_UNIX) as broker:
        broker.bind(str(run_container.socket))
        run_container.socket.chmod(0o666)
        broker.listen()
        broker.settimeout(PATIENCE)
        container = run_container(tools_image, "sh", "-c", """
            (true &); echo parent $PPID; wget -qO- http://127.0.0.1:9180/v1/models; ls /sys/class/net
            trap 'exit 9' TERM; echo waits; while :; do sleep 0.01; done""")
        relay, _ = broker.accept()
        relay.settimeout(PATIENCE)
        assert raw.read_head(relay).startswith(b"GET /v1/models HTTP/1.1\r\n")
        relay.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nmodels\n")
        relay.close()
    wait_until(lambda: "waits" in engine.logs(container), lambda: f"it waits: {engine.logs(container)}")
    assert engine.logs(container).split() == ["parent", "1", "models", "lo", "waits"]
    engine.kill(container, "TERM")
    assert exit_code(engine, container) == 9


def test_an_image_that_has_nothing_else(engine, demo_image, run_container):
    assert INIT.stat().st_size < 3_000_000
    container = run_container(demo_image, "acp-demo-agent", "--version")
    assert exit_code(engine, container) == 0
    assert engine.logs(container).startswith("acp-demo-agent ")
    container = run_container(demo_image, "sh")
    assert exit_code(engine, container) == 127
    assert engine.logs(container) == 'acp-agent-init: cannot run "sh": executable file not found in PATH\n'
