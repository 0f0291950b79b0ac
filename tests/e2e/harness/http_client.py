"""The relay's HTTP dialect as a script would use it."""
import contextlib
import itertools
import json
import time

import httpx

from . import schema
from .deadline import PATIENCE, Late


class RelayError(Exception):
    """A JSON-RPC error that a call was answered with."""

    def __init__(self, error, status=200, headers=None):
        super().__init__(error.get("message"))
        self.error = error
        self.code = error["code"]
        self.data = schema.check_error(error)
        self.type = self.data.get("error_type")
        self.status = status
        self.headers = headers or {}


def text_of(updates):
    """The agent's words in a list of session/update notifications."""
    words = []
    for message in updates:
        update = message.get("params", {}).get("update", {})
        if message.get("method") == "session/update" and update.get("sessionUpdate") == "agent_message_chunk":
            words.append(update["content"]["text"])
    return "".join(words)


def text_block(text):
    return [{"type": "text", "text": text}]


class Event:
    """One server-sent event."""

    def __init__(self, number, data):
        self.number = number
        self.data = data


def read_events(response):
    """Server-sent events of a streamed response, as they come. A stream that brings comments only is Late."""
    number, data = None, []
    end = time.monotonic() + PATIENCE
    for line in response.iter_lines():
        line = line.rstrip("\r\n")
        if line == "":
            if data:
                yield Event(number, schema.check(json.loads("\n".join(data))))
                end = time.monotonic() + PATIENCE
            data = []
        elif line.startswith(":"):
            if time.monotonic() >= end:
                raise Late(f"no event in time; the last one was {number}")
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("id:"):
            number = int(line[3:])
        else:
            assert line.startswith(("event:", "retry:")), f"odd line in an event stream: {line!r}"


class HttpClient:
    def __init__(self, url, token=None, headers=None, verify=False):
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        self.url = url
        self.client = httpx.Client(base_url=url, headers=all_headers, timeout=2 * PATIENCE, verify=verify)
        self.ids = itertools.count(1)

    def close(self):
        self.client.close()

    def message(self, method, params, id=None):
        return {"jsonrpc": "2.0", "id": next(self.ids) if id is None else id, "method": method,
                "params": params}

    def post(self, path, body, **options):
        """A raw POST: `body` is bytes, text, or an object to write as JSON."""
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        return self.client.post("/" + path.lstrip("/"), content=content, headers=headers, **options)

    def call(self, method, /, id=None, **params):
        """The checked JSON-RPC response and the HTTP response."""
        message = self.message(method, params, id)
        response = self.post(method, message)
        assert response.headers["content-type"].startswith("application/json"), response.headers
        answer = schema.check(response.json(), method)
        if response.status_code not in (400, 401, 403):
            assert answer["id"] == message["id"], answer
        return answer, response

    def result(self, method, /, id=None, **params):
        answer, response = self.call(method, id, **params)
        if "error" in answer:
            raise RelayError(answer["error"], response.status_code, response.headers)
        assert response.status_code == 200
        return answer["result"]

    def new(self, directory, **params):
        return self.result("session/new", workingDirectory=str(directory), **params)["sessionId"]

    def prompt(self, session, text):
        """The result of a turn and its updates."""
        result = self.result("session/prompt", sessionId=session, content=text_block(text))
        updates = result["_meta"]["acp-relay/updates"]
        for update in updates:
            schema.check(update)
        return result, updates

    def prompt_text(self, session, text):
        result, updates = self.prompt(session, text)
        assert result["stopReason"] == "end_turn", result
        return text_of(updates)

    @contextlib.contextmanager
    def stream(self, session, text, accept="text/event-stream"):
        """The streamed response of a prompt."""
        message = self.message("session/prompt", {"sessionId": session, "content": text_block(text)})
        with self.client.stream("POST", "/session/prompt", content=json.dumps(message), headers={
                "Content-Type": "application/json", "Accept": accept}) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith(accept), response.headers
            response.request_id = message["id"]
            yield response

    @contextlib.contextmanager
    def events(self, session, after=None):
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        with self.client.stream("GET", f"/session/{session}/events", headers=headers) as response:
            assert response.status_code == 200, response.read()
            yield response

    def respond(self, session, request_id, result=None, error=None):
        answer = {"result": result} if error is None else {"error": error}
        return self.result("session/respond", sessionId=session, requestId=request_id, **answer)
