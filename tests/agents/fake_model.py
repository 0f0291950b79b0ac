"""A model behind the APIs of Anthropic, OpenAI and Gemini that repeats what it is told, over TLS.

Told to "write the file PATH" it calls the agent's tool for that, once in a conversation (not by the Responses API). It
says just enough for agents of others to finish a turn. `requests` has what came: (path, credential, body). What it does
wrong on request is in fake_model_faults.py.
"""
import base64
import contextlib
import hashlib
import http.server
import json
import ssl
import struct
import threading

from fake_model_faults import Faults
from fake_model_words import ECHO, Call, decide, example_of, messages_events, responses_events, said_in


class FakeModel(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate["cert"], certificate["key"])
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_port}"
        self.requests = []
        self.websockets = 0
        self.faults = Faults()

    def handle_error(self, request, client_address):
        """Agents leave when they like."""


@contextlib.contextmanager
def fake_model(certificate):
    with FakeModel(certificate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, body):
        self.credential = next((self.headers[name] for name in ("x-api-key", "x-goog-api-key", "authorization")
                                if self.headers[name]), None)
        self.server.requests.append((self.path, self.credential, body))

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket":
            return self.websocket()
        self.note("")
        self.json({"object": "list", "data": [], "models": [], "has_more": False})

    def do_POST(self):
        length = self.headers["Content-Length"]
        body = self.rfile.read(int(length)) if length else self.chunks()
        self.note(body.decode("utf-8", "replace"))
        request = json.loads(body or b"{}")
        path = self.path.split("?")[0]
        self.said = said_in(request)
        if self.server.faults.refuse(self.said, self):
            return
        if path.endswith(("/count_tokens", ":countTokens")):
            self.json({"input_tokens": 7, "totalTokens": 7})
        elif path.endswith("/messages"):
            self.messages(request)
        elif path.endswith("/responses"):
            events = responses_events(ECHO + self.said, request)
            self.events(events) if request.get("stream") else self.json(events[-1]["response"])
        elif path.endswith("/chat/completions"):
            self.chat(request)
        elif "enerateContent" in path:
            self.generate(request, "stream" in path)
        else:
            self.send_error(404)

    def messages(self, request):
        messages = request["messages"]
        results = any(part.get("type") == "tool_result" for message in messages for part in message["content"]
                      if isinstance(part, dict))
        tools = {tool["name"]: tool.get("input_schema", {}) for tool in request.get("tools", [])}
        if request.get("stream"):
            return self.events(messages_events(decide(self.said, tools, results), request))
        message = messages_events("", request)[0]["message"]
        self.json({**message, "content": [{"type": "text", "text": ECHO + self.said}], "stop_reason": "end_turn"})

    def chat(self, request):
        tools = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in request.get("tools", [])}
        results = any(message["role"] == "tool" for message in request["messages"])
        text = decide(self.said, tools, results)
        whole = {"id": "chat_1", "created": 1, "model": request.get("model")}
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        if not request.get("stream"):
            message = {"role": "assistant", "content": ECHO + self.said}
            return self.json({**whole, "object": "chat.completion", "usage": usage,
                              "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        whole["object"] = "chat.completion.chunk"
        delta, end = {"content": text}, "stop"
        if isinstance(text, Call):
            function = {"name": text.name, "arguments": json.dumps(text.arguments)}
            call = {"index": 0, "id": "call_1", "type": "function", "function": function}
            delta, end = {"tool_calls": [call]}, "tool_calls"
        self.events([{**whole, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]},
                     {**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]},
                     {**whole, "choices": [], "usage": usage}], end="[DONE]")

    def generate(self, request, stream):
        form = request.get("generationConfig", {})
        schema = form.get("responseJsonSchema") or form.get("responseSchema")
        tools = {one["name"]: one.get("parametersJsonSchema") or one.get("parameters", {})
                 for tool in request.get("tools", []) for one in tool.get("functionDeclarations", [])}
        results = any("functionResponse" in part for content in request["contents"] for part in content["parts"])
        text = json.dumps(example_of(schema)) if schema else decide(self.said, tools, results)
        part = {"text": text}
        if isinstance(text, Call):
            part = {"functionCall": {"name": text.name, "args": text.arguments}}
        answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0,
                                  "finishReason": "STOP"}], "modelVersion": "fake", "responseId": "r1",
                  "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}}
        self.events([answer]) if stream else self.json(answer)

    # How it is carried.
    def json(self, answer, status=200):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, events, end=None):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        began = False
        for event in [*map(json.dumps, events), *([end] if end else [])]:
            name = json.loads(event).get("type") if event != end else None
            data = (f"event: {name}\n" if name else "") + f"data: {event}\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data.encode()), data.encode()))
            began = self.has_begun(began, data)
        self.wfile.write(b"0\r\n\r\n")

    def has_begun(self, before, event):
        """Whether the answer's words have; where they do, faults come between them and the rest."""
        if not before and ECHO in event:
            self.server.faults.come_between(self.said, self.connection)
        return before or ECHO in event

    def chunks(self):
        whole = b""
        while length := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def websocket(self):
        """The Responses API as messages: one request each way of asking, the same events as answers."""
        accept = hashlib.sha1((self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept.digest()).decode())
        self.end_headers()
        self.close_connection = True
        self.server.websockets += 1
        for body in iter(self.frame, None):
            self.note(body.decode())
            request = json.loads(body)
            self.said = said_in(request)
            # One that is not to be answered only tells beforehand what the next will be about.
            text = "" if request.get("generate") is False else ECHO + self.said
            began = False
            for event in map(json.dumps, responses_events(text, request)):
                self.send_frame(1, event.encode())
                began = self.has_begun(began, event)

    def frame(self):
        """The next message; None: the other side ends."""
        message = b""
        while True:
            first, second = self.rfile.read(2)
            length = second & 0x7F
            if length > 125:
                form, size = (">H", 2) if length == 126 else (">Q", 8)
                length = struct.unpack(form, self.rfile.read(size))[0]
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(length)))
            if first & 0xF == 8:
                return None
            if first & 0xF == 9:
                self.send_frame(10, data)
            elif first & 0xF != 10:
                message += data
                if first & 0x80:
                    return message

    def send_frame(self, kind, data):
        head = bytes([0x80 | kind])
        size = len(data)
        if size < 126:
            head += bytes([size])
        else:
            head += struct.pack(">BH", 126, size) if size < 65536 else struct.pack(">BQ", 127, size)
        self.wfile.write(head + data)
