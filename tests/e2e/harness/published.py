"""The ports that containers publish, reached also where the Engine has a network namespace of its own."""
import ctypes
import os
import socket
import struct
import threading

from .proxy import Proxy

CLONE_NEWNET = 0x40000000


def _network_of(engine):
    """The network namespace of the process that listens at the Engine's socket."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(engine.socket)
        pid = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return f"/proc/{pid}/ns/net"


class _Entered(threading.Thread):
    """Connects from within a network namespace; a thread is in one alone, and a socket stays where it was made."""

    def __init__(self, namespace, target):
        super().__init__(daemon=True)
        self.namespace, self.target = namespace, target
        self.made, self.failure = None, None
        self.start()
        self.join()

    def run(self):
        try:
            with open(self.namespace, "rb") as file:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            self.made = socket.create_connection(self.target)
        except OSError as failure:
            self.failure = failure


class PublishedPort(Proxy):
    """A port of this machine's loopback (`port`) that leads to one that the Engine publishes."""

    def __init__(self, engine, port):
        self.namespace = _network_of(engine)
        super().__init__(port)

    def connect(self):
        if os.path.samefile(self.namespace, "/proc/self/ns/net"):
            return super().connect()
        entered = _Entered(self.namespace, self.target)
        if entered.failure:
            raise entered.failure
        return entered.made
