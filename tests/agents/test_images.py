"""Pictures that nearly fill what the relay lets through by default reach the models of agents that take pictures."""
import base64
import binascii
import json
import random
import re
import struct
import zlib

import pytest

from presets import contained_relay

LIMIT = 32 << 20  # server.max_message_bytes and egress.max_body_bytes
REST = 1 << 20  # of a message or request, for what is not the picture


@pytest.fixture(scope="module")
def relay(tmp_path_factory, model, certificate):
    with contained_relay(tmp_path_factory.mktemp("relay"), model, certificate) as relay:
        yield relay


def picture(size):
    """A PNG of so many bytes, of which most are a chunk that nobody knows."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))

    noise, side = random.Random(1), 100
    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    tail = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return head + chunk(b"teSt", noise.randbytes(size - len(head) - len(tail) - 12)) + tail


def pictures_in(body):
    return [base64.b64decode(text) for text in re.findall(r"[A-Za-z0-9+/]{1000,}={0,2}", body)]


@pytest.mark.parametrize("agent, size", [("codex", LIMIT - REST), ("claude", 20 << 20)])
def test_a_large_picture_reaches_the_model(relay, model, agent, size):
    client = relay.websocket()
    client.new("/workspace", agent=agent)
    assert client.result("initialize", protocolVersion=1)["agentCapabilities"]["promptCapabilities"]["image"]
    data = picture(size * 3 // 4)
    encoded = base64.b64encode(data).decode()
    assert len(encoded) == size
    model.requests.clear()
    answer = client.answer(client.start("session/prompt", {"content": [
        {"type": "text", "text": "what is this"}, {"type": "image", "mimeType": "image/png", "data": encoded}]}), 180)
    assert answer["result"]["stopReason"] == "end_turn", answer
    seen = [one for _, _, body in model.requests for one in pictures_in(body)]
    if agent == "claude":  # makes large ones small
        assert any(one.startswith((b"\x89PNG", b"\xff\xd8\xff")) for one in seen), [one[:8] for one in seen]
    else:
        assert data in seen, [(len(one), one[:8]) for one in seen]
    client.result("session/close", sessionId=client.session)
    model.requests.clear()
    assert "message_too_large" not in json.dumps(client.messages)
