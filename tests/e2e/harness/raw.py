"""Plain sockets, for what proper libraries refuse to do."""
import base64
import os
import socket
import struct

from .deadline import PATIENCE


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_until_closed(connection):
    """Everything the relay sends until it closes. Fails with a time-out when it does not close."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def read_until(connection, words):
    """Everything up to the piece that completes these words. Fails when the relay closes before."""
    received = b""
    while words not in received:
        piece = connection.recv(65536)
        assert piece, f"closed without {words!r}: {received[-1000:]!r}"
        received += piece
    return received


def read_head(connection):
    return read_until(connection, b"\r\n\r\n")


def upgrade(port, extra=b"", host="127.0.0.1", path=b"/"):
    """A WebSocket connection without a library: (socket, bytes that came behind the head)."""
    connection = connect(port)
    key = base64.b64encode(os.urandom(16))
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n"
                       % (path, host.encode(), port, key, extra))
    head, _, rest = read_head(connection).partition(b"\r\n\r\n")
    assert b" 101 " in head.split(b"\r\n")[0], head
    return connection, rest


def frame(payload, opcode=1, fin=True, masked=True, reserved=0, length=None, mask=None):
    """One WebSocket frame as a client sends it; the arguments allow to break the rules."""
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += bytes([mask_bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    mask = mask or os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def frames(received):
    """(opcode, payload) of the frames that the relay sent; the last one may be cut off."""
    at = 0
    while at + 2 <= len(received):
        opcode, size, at = received[at] & 15, received[at + 1] & 127, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(received[at:at + width], "big"), at + width
        yield opcode, received[at:at + size]
        at += size


def close_code(received):
    """The code of the last close frame in what the relay sent, or None."""
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames(received)
             if opcode == 8 and len(payload) >= 2]
    return codes[-1] if codes else None
