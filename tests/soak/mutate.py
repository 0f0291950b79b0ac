"""Good requests, and what becomes of their bytes. Everything comes out of one random.Random, so a seed repeats it."""
import json

MESSAGES = [
    ("session/new", {"workingDirectory": "/tmp"}),
    ("session/list", {"limit": 10}),
    ("session/history", {"sessionId": "$SESSION", "after": 0, "limit": 10}),
    ("session/prompt", {"sessionId": "$SESSION", "content": [{"type": "text", "text": "hello"}]}),
    ("session/resume", {"sessionId": "$SESSION", "after": 3}),
    ("session/respond", {"sessionId": "$SESSION", "requestId": 1, "result": {"outcome": {"outcome": "cancelled"}}}),
    ("session/set_mode", {"sessionId": "$SESSION", "modeId": "ask"}),
    ("session/cancel", {"sessionId": "$SESSION"}),
    ("session/close", {"sessionId": "$SESSION"}),
    ("initialize", {"protocolVersion": 1, "clientCapabilities": {"fs": {"readTextFile": True}}}),
    ("session/load", {"sessionId": "$SESSION", "cwd": "/tmp", "mcpServers": []}),
]
GETS = {"http": ["/session/$SESSION/events", "/session/list", "/acp", "/"],
        "management": ["/api/health", "/api/ready", "/api/sessions", "/api/sessions/$SESSION", "/metrics", "/api/config",
                       "/api/sessions/$SESSION/export"]}
NUMBERS = ["1" + "0" * 400, "-9223372036854775809", "18446744073709551616", "1e999", "-0", "0.1e-999", "00", "1.", "NaN"]
NOT_UTF8 = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x00", b"\xef\xbb\xbf"]
DELIMITERS = [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b":", b" ", b"\t", b",", b'"', b"{", b"}", b"\\", b"%00", b"%2f..", b"/../"]


def message(draw, session):
    method, params = draw.choice(MESSAGES)
    text = json.dumps({"jsonrpc": "2.0", "id": draw.choice([1, "a", 2 ** 53]), "method": method, "params": params})
    return method, text.replace("$SESSION", session)


# Changes of a JSON text that its structure is known for.
def _duplicated(draw, value):
    """One field twice, the second time with the value of another."""
    key, other = draw.choice(list(value)), draw.choice(list(value))
    text = json.dumps(value)
    return text[:-1] + f",{json.dumps(key)}:{json.dumps(value[other])}" + "}"


def _swapped(draw, value):
    one, other = draw.choice(list(value)), draw.choice(list(value))
    return json.dumps({**value, one: value[other], other: value[one]})


def _replaced(draw, value):
    """Somewhere stands something else."""
    odd = draw.choice([None, True, [], {}, "", "x" * 5000, -1, [[1]], {"a": {"b": []}}, "\ud800", "\u0000"])
    inner = value.get("params") if isinstance(value.get("params"), dict) and draw.random() < 0.6 else value
    inner[draw.choice(list(inner) or ["params"])] = odd
    return json.dumps(value)


def _without(draw, value):
    del value[draw.choice(list(value))]
    return json.dumps(value)


def _number(draw, value):
    value[draw.choice(list(value))] = "@@"
    return json.dumps(value).replace('"@@"', draw.choice(NUMBERS))


def _deep(draw, value):
    levels = draw.choice([10, 500, 520, 20_000])
    value["params"] = "@@"
    opened, closed = draw.choice([("[", "]"), ('{"a":', "}")])
    return json.dumps(value).replace('"@@"', opened * levels + "1" + closed * (levels if draw.random() < 0.8 else 0))


def json_changed(draw, text):
    change = draw.choice([_duplicated, _swapped, _replaced, _without, _number, _deep])
    return change(draw, json.loads(text)).encode("utf-8", "surrogatepass")


# Changes of any bytes.
def _flip(draw, data):
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1:]


def _truncate(draw, data):
    return data[:draw.randrange(len(data))]


def _insert(draw, data):
    place = draw.randrange(len(data))
    return data[:place] + draw.choice(NOT_UTF8 + DELIMITERS) + data[place:]


def _repeat(draw, data):
    start = draw.randrange(len(data))
    part = data[start:start + draw.randrange(1, 40)]
    return data[:start] + part * draw.choice([2, 3, 500]) + data[start:]


def _cut_out(draw, data):
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.randrange(1, 20):]


def _exchange(draw, data):
    one, other = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[:one] + data[other:] + data[one:other]


def bytes_changed(draw, data):
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        if data:
            data = draw.choice([_flip, _flip, _truncate, _insert, _repeat, _cut_out, _exchange])(draw, data)
    return data


# Whole requests.
ODD_FIELDS = [b"Content-Length: 99999999999999999999", b"Content-Length: -1", b"Transfer-Encoding: chunked",
              b"Expect: 100-continue", b"Connection: close, upgrade", b"Host: elsewhere.example", b"X: " + b"y" * 20_000,
              b"Accept: text/event-stream;q=9", b"Last-Event-ID: -5", b"Content-Type: text/plain", b"Origin: http://evil",
              b"Content-Encoding: gzip", b" folded", b"Authorization: Bearer \xff\xfe", b"Sec-WebSocket-Version: 99"]


def head(draw, method, path, port, body, size):
    fields = [b"Host: 127.0.0.1:%d" % port]
    if body or method == b"POST":
        fields += [b"Content-Type: application/json", b"Content-Length: %d" % size]
    if draw.random() < 0.4:
        fields.insert(draw.randrange(len(fields) + 1), draw.choice(ODD_FIELDS))
    if draw.random() < 0.1:
        draw.shuffle(fields)
    return b"%s %s HTTP/1.1\r\n%s\r\n\r\n" % (method, path.encode(), b"\r\n".join(fields))


def http_request(draw, name, port, session):
    """A request to the HTTP or the management port, changed in its head, its body or both."""
    if name == "management" or draw.random() < 0.2:
        path, body = draw.choice(GETS[name]).replace("$SESSION", session), b""
        method = draw.choice([b"GET", b"GET", b"HEAD", b"OPTIONS", b"PUT", b"TRACE", b"G\x00T"])
    else:
        called, text = message(draw, session)
        path, method = draw.choice(["/" + called, "/acp", "/agents/x/acp"][:1 + 2 * (draw.random() < 0.2)]), b"POST"
        body = json_changed(draw, text) if draw.random() < 0.6 else bytes_changed(draw, text.encode())
    size = len(body) if draw.random() < 0.9 else draw.choice([0, 1, len(body) - 1 if body else 0, len(body) + 50])
    first = head(draw, method, path, port, body, size)
    if draw.random() < 0.5:
        first = bytes_changed(draw, first)
    return first + body
