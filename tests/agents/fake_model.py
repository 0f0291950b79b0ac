"""A model behind the APIs of Anthropic, OpenAI and Gemini that repeats what it is told, over TLS.

Told to "write the file PATH" it calls the agent's tool for that, once in a conversation (not by the Responses API). It says just enough for agents of others to finish a turn. `requests` has what came: (path, credential, body).
"""
import base64
import contextlib
import hashlib
import http.server
import json
import re
import ssl
import struct
import threading

ECHO = "the model heard: "
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12,
         "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}


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

    def handle_error(self, request, client_address):
        """Agents leave when they like."""


@contextlib.contextmanager
def fake_model(certificate):
    with FakeModel(certificate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def last_said(messages, key="content"):
    """What the user wrote last, without what agents add of their own."""
    for message in reversed(messages):
        text = re.sub(r"<system-reminder>.*?</system-reminder>", "", text_of(message.get(key)), flags=re.S).strip()
        if message.get("role") == "user" and text:
            return text[-200:]
    return ""


def example_of(schema):
    """The least that has the form which an agent's question of its own asks for."""
    kind = schema.get("type", "string").lower()
    if kind == "object":
        return {name: example_of(part) for name, part in schema.get("properties", {}).items()}
    return schema["enum"][0] if schema.get("enum") else {"number": 1, "integer": 1, "boolean": False, "array": []}.get(kind, "x")


class Call:
    """Of the agent's tool that writes files."""

    def __init__(self, name, schema, path):
        self.name, self.arguments = name, {}
        for part, form in schema.get("properties", {}).items():
            if part in ("file_path", "filePath", "path", "absolute_path"):
                self.arguments[part] = path
            elif part == "content":
                self.arguments[part] = "written\n"
            elif part in schema.get("required", []):
                self.arguments[part] = example_of(form)


def decide(said, tools, results):
    """A call, or the text to say. `tools`: {name: schema of its arguments}."""
    wish = re.search(r"write the file (\S+)$", said)
    name = next((name for name in tools if name.lower() in ("write", "write_file")), None)
    return Call(name, tools[name], wish[1]) if wish and name and not results else ECHO + said


def responses_events(text, request):
    """Of OpenAI's Responses API."""
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": request.get("model"), "status": "in_progress",
             "output": [], "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [("response.created", {"response": whole})]
    if text:
        events += [("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}),
                   ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
                   ("response.output_text.delta", {**place, "delta": text}),
                   ("response.output_text.done", {**place, "text": text}),
                   ("response.content_part.done", {**place, "part": part}),
                   ("response.output_item.done", {"output_index": 0, "item": item})]
    events += [("response.completed", {"response": {**whole, "status": "completed", "usage": USAGE,
                                                    "output": [item] if text else []}})]
    return [{"type": kind, "sequence_number": number, **rest} for number, (kind, rest) in enumerate(events)]


def messages_events(answer, request):
    """Of Anthropic's Messages API."""
    if isinstance(answer, Call):
        block = {"type": "tool_use", "id": "toolu_1", "name": answer.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(answer.arguments)}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": answer}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request.get("model"), "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1}}
    return [{"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "usage": {"output_tokens": 5}, "delta": {
                "stop_reason": block["type"] if block["type"] == "tool_use" else "end_turn", "stop_sequence": None}},
            {"type": "message_stop"}]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, body):
        credential = next((self.headers[name] for name in ("x-api-key", "x-goog-api-key", "authorization")
                           if self.headers[name]), None)
        self.server.requests.append((self.path, credential, body))

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket":
            return self.websocket()
        self.note("")
        self.json({"object": "list", "data": [], "models": [], "has_more": False})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) if self.headers["Content-Length"] else self.chunks()
        self.note(body.decode("utf-8", "replace"))
        request = json.loads(body or b"{}")
        path = self.path.split("?")[0]
        if path.endswith(("/count_tokens", ":countTokens")):
            self.json({"input_tokens": 7, "totalTokens": 7})
        elif path.endswith("/messages"):
            self.messages(request)
        elif path.endswith("/responses"):
            events = responses_events(ECHO + last_said(request["input"]), request)
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
        said = last_said(messages)
        if request.get("stream"):
            return self.events(messages_events(decide(said, tools, results), request))
        message = messages_events("", request)[0]["message"]
        self.json({**message, "content": [{"type": "text", "text": ECHO + said}], "stop_reason": "end_turn"})

    def chat(self, request):
        tools = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in request.get("tools", [])}
        results = any(message["role"] == "tool" for message in request["messages"])
        said = last_said(request["messages"])
        text = decide(said, tools, results)
        whole = {"id": "chat_1", "created": 1, "model": request.get("model")}
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        if not request.get("stream"):
            message = {"role": "assistant", "content": ECHO + said}
            return self.json({**whole, "object": "chat.completion", "usage": usage,
                              "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        whole["object"] = "chat.completion.chunk"
        delta, end = {"content": text}, "stop"
        if isinstance(text, Call):
            function = {"name": text.name, "arguments": json.dumps(text.arguments)}
            delta, end = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}, "tool_calls"
        self.events([{**whole, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]},
                     {**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]},
                     {**whole, "choices": [], "usage": usage}], end="[DONE]")

    def generate(self, request, stream):
        form = request.get("generationConfig", {})
        schema = form.get("responseJsonSchema") or form.get("responseSchema")
        tools = {one["name"]: one.get("parametersJsonSchema") or one.get("parameters", {})
                 for tool in request.get("tools", []) for one in tool.get("functionDeclarations", [])}
        results = any("functionResponse" in part for content in request["contents"] for part in content["parts"])
        text = json.dumps(example_of(schema)) if schema else decide(last_said(request["contents"], "parts"), tools, results)
        part = {"functionCall": {"name": text.name, "args": text.arguments}} if isinstance(text, Call) else {"text": text}
        answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0,
                                  "finishReason": "STOP"}], "modelVersion": "fake", "responseId": "r1",
                  "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}}
        self.events([answer]) if stream else self.json(answer)

    # How it is carried.
    def json(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, events, end=None):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in [*map(json.dumps, events), *([end] if end else [])]:
            name = json.loads(event).get("type") if event != end else None
            data = (f"event: {name}\n" if name else "") + f"data: {event}\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data.encode()), data.encode()))
        self.wfile.write(b"0\r\n\r\n")

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
            # One that is not to be answered only tells beforehand what the next will be about.
            text = "" if request.get("generate") is False else ECHO + last_said(request["input"])
            for event in responses_events(text, request):
                self.send_frame(1, json.dumps(event).encode())

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
        head += bytes([size]) if size < 126 else struct.pack(">BH" if size < 65536 else ">BQ", 126 if size < 65536 else 127, size)
        self.wfile.write(head + data)
