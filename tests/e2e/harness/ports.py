"""Free TCP ports below the range that outgoing connections use.

Each process that runs tests has a block of ports of its own, of which no other on this machine takes one while it
lives, and gives none out again soon: a relay that is killed and started again finds its ports as it left them.
"""
import functools
import itertools
import os
import socket

from .deadline import wait_until

# Blocks for two runs of scripts/test.sh side by side, with at most 16 workers each, and some more.
FIRST, END, BLOCK = 20000, 32000, 300


_claims = []  # sockets that are open as long as this process


@functools.cache
def own_ports():
    """The first block that nobody has: who binds its name, which the kernel takes back at the end, has it."""
    for first in range(FIRST, END, BLOCK):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0acp-relay-test-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return range(first, first + BLOCK)
    raise RuntimeError(f"all ports from {FIRST} to {END} are taken by tests that run now")


def _one_after_another():
    at = os.getpid()
    while True:
        at += 1
        yield own_ports()[at % BLOCK]


_ports = _one_after_another()


def _next_free():
    for port in itertools.islice(_ports, BLOCK):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    return None


def free_port():
    return wait_until(_next_free, "one of this process's ports is free")
