"""acp-agent-init --carry, told byte for byte what a relay says; with one that does, see test_agent_init.py."""
import contextlib
import random
import socket
import subprocess
import uuid

import pytest

from harness.carried import CREDIT, DATA, END, MAX_DATA, OPEN, READY, STOP, WINDOW, frame
from harness.deadline import PATIENCE, wait_until
from test_agent_init import INIT


class Carrier:
    def __init__(self, name, *options):
        self.name = name
        self.process = subprocess.Popen([INIT, "--carry", "@" + name, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def say(self, *parts):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"".join(parts))
            self.process.stdin.flush()

    def end_input(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def read(self, size):
        return self.process.stdout.read(size)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect("\0" + self.name)
        return client

    def ended(self):
        """(exit code, stderr)"""
        code = self.process.wait(PATIENCE)
        return code, self.process.stderr.read().decode()


@pytest.fixture
def make_carrier():
    made = []

    def make(*options, name=None):
        made.append(Carrier(name or f"acp-test-{uuid.uuid4()}", *options))
        assert made[-1].read(8) == frame(0, READY, 1)
        return made[-1]

    yield make
    for carrier in made:
        carrier.process.kill()
        carrier.process.wait()
        carrier.end_input()
        carrier.process.stdout.close()
        carrier.process.stderr.close()


@pytest.fixture
def carrier(make_carrier):
    return make_carrier()


def test_it_says_what_it_hears_and_hears_what_it_says(carrier):
    with carrier.connect() as client:
        assert carrier.read(8) == frame(1, OPEN, 0)
        client.sendall(b"question")
        assert carrier.read(16) == frame(1, DATA, 8, b"question")
        for byte in frame(1, DATA, 6, b"answer") + frame(1, END, 0):
            carrier.say(bytes([byte]))
        assert client.makefile("rb").read() == b"answer"
        client.shutdown(socket.SHUT_WR)
        assert carrier.read(8) == frame(1, END, 0)


def test_a_stopped_connection_is_told_so(carrier):
    with carrier.connect() as client:
        assert carrier.read(8) == frame(1, OPEN, 0)
        carrier.say(frame(1, DATA, 3, b"413"), frame(1, STOP, 0))
        assert client.recv(100) == b"413"
        with pytest.raises(BrokenPipeError):
            wait_until(lambda: client.sendall(b"more"), "that is told")


def test_it_says_no_more_than_it_has_credit_for(carrier):
    with carrier.connect() as client, carrier.connect() as other:
        assert carrier.read(16) == frame(1, OPEN, 0) + frame(2, OPEN, 0)
        client.settimeout(0.0)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 8 * WINDOW:
                sent += client.send(b"x" * WINDOW)
        assert sent > WINDOW
        said = 0
        while said < WINDOW:
            head = carrier.read(8)
            length = int.from_bytes(head[5:], "big")
            assert head == frame(1, DATA, length) and length <= MAX_DATA
            said += len(carrier.read(length))
        assert said == WINDOW
        other.sendall(b"others go on")
        assert carrier.read(20) == frame(2, DATA, 12, b"others go on")
        carrier.say(frame(1, CREDIT, 5))
        assert carrier.read(13) == frame(1, DATA, 5, b"xxxxx")


def test_it_gives_credit_for_what_was_taken(carrier):
    with carrier.connect() as client:
        assert carrier.read(8) == frame(1, OPEN, 0)
        for _ in range(WINDOW // MAX_DATA):
            carrier.say(frame(1, DATA, MAX_DATA, b"y" * MAX_DATA))
        taken = 0
        while taken < WINDOW:
            piece = client.recv(MAX_DATA)
            assert piece, f"closed after {taken} bytes"
            taken += len(piece)
        head = carrier.read(8)
        assert head == frame(1, CREDIT, int.from_bytes(head[5:], "big")) and head[5:] >= (WINDOW // 2).to_bytes(3, "big")


@pytest.mark.parametrize("said", [
    frame(1, 0, 0), frame(1, 7, 0), frame(0, READY, 1), frame(2, OPEN, 0), frame(1, DATA, 0), frame(1, DATA, MAX_DATA + 1),
    frame(1, CREDIT, 0), frame(1, CREDIT, 1), frame(1, CREDIT, WINDOW + 1), frame(1, END, 1),
    frame(1, DATA, MAX_DATA, b"z" * MAX_DATA) * 100, b"\xff" * 8], ids=lambda said: said[:8].hex())
def test_what_no_relay_says_ends_it(carrier, said):
    with carrier.connect() as client:
        assert carrier.read(8) == frame(1, OPEN, 0)
        carrier.say(said)
        assert carrier.ended() == (0, "")
        while client.recv(1 << 16):
            pass


def test_what_is_said_of_connections_that_are_gone_is_passed_over(carrier):
    carrier.say(frame(7, DATA, 5, b"stale"), frame(7, END, 0), frame(7, STOP, 0), frame(7, CREDIT, 9))
    with carrier.connect() as client:
        assert carrier.read(8) == frame(1, OPEN, 0)
        carrier.say(frame(1, DATA, 2, b"on"))
        assert client.recv(100) == b"on"


def test_nothing_that_is_said_makes_it_fail(make_carrier):
    for seed in range(100):
        texts = random.Random(seed)
        carrier = make_carrier()
        with carrier.connect() as first, carrier.connect() as second:
            first.send(b"hello")
            parts = []
            for _ in range(texts.randrange(1, 40)):
                length = texts.choice([0, 1, 100, MAX_DATA])
                kind = texts.choice([DATA, DATA, END, STOP, CREDIT])
                data = texts.randbytes(length) if kind == DATA else b""
                parts.append(frame(texts.randrange(1, 4), kind, length if kind in (DATA, CREDIT) else 0, data))
            carrier.say(*parts, texts.randbytes(texts.randrange(64)))
            with contextlib.suppress(BrokenPipeError):
                second.send(b"hello")
            carrier.end_input()
            assert carrier.ended() == (0, ""), seed


def test_another_one_takes_its_place(make_carrier):
    first = make_carrier()
    second = make_carrier(name=first.name)
    assert first.ended()[0] == -9
    with second.connect():
        assert second.read(8) == frame(1, OPEN, 0)


def test_more_connections_than_it_carries_wait(make_carrier):
    carrier = make_carrier("--max-connections", "1")
    with carrier.connect() as first:
        first.sendall(b"1")
        with carrier.connect() as second:
            second.sendall(b"2")
            assert carrier.read(17) == frame(1, OPEN, 0) + frame(1, DATA, 1, b"1")
            first.close()
            assert carrier.read(16) == frame(1, END, 0) + frame(1, STOP, 0)
            assert carrier.read(17) == frame(2, OPEN, 0) + frame(2, DATA, 1, b"2")


def test_standard_streams_that_are_files_are_told(tmp_path):
    (tmp_path / "input").write_bytes(b"")
    with open(tmp_path / "input", "rb") as file:
        done = subprocess.run([INIT, "--carry", f"@acp-test-{uuid.uuid4()}"], stdin=file, capture_output=True, text=True,
                              timeout=PATIENCE)
    assert done.returncode == 125 and "pipes or sockets" in done.stderr
