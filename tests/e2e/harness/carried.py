"""The relay's side of acp-agent-init --carry, as agent_init/carried.hpp has it."""
import queue
import socket
import struct
import subprocess
import threading

from harness.deadline import PATIENCE

READY, OPEN, DATA, END, STOP, CREDIT = range(1, 7)
WINDOW = 128 << 10
MAX_DATA = 32 << 10


def frame(number, kind, length, data=b""):
    return struct.pack(">II", number, kind << 24 | length) + data


class Connection:
    def __init__(self, number, end):
        self.number = number
        self.end = end
        self.said = queue.Queue()  # by the agent; None: its end
        self.credit = WINDOW
        self.stopped = False
        self.changed = threading.Condition()
        self.halves = 2  # under way

    def half_done(self):
        with self.changed:
            self.halves -= 1
            if self.halves == 0:
                self.end.close()


class CarriedBroker:
    """A listener whose connections come over the streams of the program."""

    def __init__(self, program, name):
        self.process = subprocess.Popen([program, "--carry", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.read(8) == frame(0, READY, 1)
        self.writing = threading.Lock()
        self.connections = {}
        self.arrived = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0
        self.reader.join(PATIENCE)
        self.process.stdout.close()

    def accept(self):
        return self.arrived.get(timeout=PATIENCE), None

    def say(self, number, kind, length=0, data=b""):
        try:
            with self.writing:
                self.process.stdin.write(frame(number, kind, length, data))
                self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it was closed

    def read(self):
        while len(head := self.process.stdout.read(8)) == 8:
            number, rest = struct.unpack(">II", head)
            kind, length = rest >> 24, rest & 0xffffff
            data = self.process.stdout.read(length) if kind == DATA else b""
            if kind == OPEN:
                ours, theirs = socket.socketpair()
                self.connections[number] = Connection(number, ours)
                for body in (self.to_relay, self.to_agent):
                    threading.Thread(target=body, args=(self.connections[number],), daemon=True).start()
                self.arrived.put(theirs)
            else:
                self.take(self.connections[number], kind, length, data)
        for connection in self.connections.values():
            connection.said.put(None)
            connection.stopped = True
            connection.end.close()

    @staticmethod
    def take(connection, kind, length, data):
        if kind in (DATA, END):
            connection.said.put(data if kind == DATA else None)
            return
        with connection.changed:
            if kind == CREDIT:
                connection.credit += length
                assert connection.credit <= WINDOW
            else:
                connection.stopped = True
                if connection.halves:
                    connection.end.shutdown(socket.SHUT_RD)
            connection.changed.notify()

    def to_relay(self, connection):
        try:
            while (data := connection.said.get()) is not None:
                connection.end.sendall(data)
                self.say(connection.number, CREDIT, len(data))
            connection.end.shutdown(socket.SHUT_WR)
        except OSError:
            self.say(connection.number, STOP)
        connection.half_done()

    def to_agent(self, connection):
        while data := self.heard(connection):
            with connection.changed:
                connection.credit -= len(data)
            self.say(connection.number, DATA, len(data), data)
        if not connection.stopped:
            self.say(connection.number, END)
        connection.half_done()

    @staticmethod
    def heard(connection):
        with connection.changed:
            connection.changed.wait_for(lambda: connection.credit > 0 or connection.stopped)
        try:
            return connection.end.recv(min(MAX_DATA, connection.credit))
        except OSError:
            return b""
