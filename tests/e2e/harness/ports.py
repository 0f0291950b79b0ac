"""Free TCP ports below the range that outgoing connections use.

Each worker of pytest-xdist has ports of its own, and gives none out again soon: a relay that is killed and started
again finds its ports as it left them.
"""
import os
import random
import re
import socket

FIRST, END, WORKERS = 20000, 32000, 16


def ports_of(worker):
    """`worker`: as pytest-xdist names them, "gw0" and so on; "" for one that works alone."""
    number = int("0" + re.sub(r"\D", "", worker)) % WORKERS
    each = (END - FIRST) // WORKERS
    return range(FIRST + number * each, FIRST + (number + 1) * each)


def _one_after_another():
    ports = ports_of(os.environ.get("PYTEST_XDIST_WORKER", ""))
    at = random.randrange(len(ports))
    while True:
        at = (at + 1) % len(ports)
        yield ports[at]


_ports = _one_after_another()


def free_port():
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
