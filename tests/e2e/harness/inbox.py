"""Everything that came to a client, in order, with waiting for what is missing; and requests by name.

Whoever derives from it delivers messages with deliver() from any thread, and has send(message).
"""
import itertools
import json
import threading

from .deadline import Late, scaled
from .http_client import RelayError


class Inbox:
    def __init__(self):
        self.messages = []
        self.ids = itertools.count(1)
        self.methods = {}  # of the requests that were sent, by the JSON text of their id
        self.closed = False
        self.close_code = None
        self._changed = threading.Condition()

    def deliver(self, message):
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def deliver_end(self, code=None):
        with self._changed:
            self.closed = True
            self.close_code = code
            self._changed.notify_all()

    def method_of(self, message):
        """The method of the request that this answers."""
        return self.methods.get(json.dumps(message.get("id"))) if isinstance(message, dict) else None

    # Sending.
    def start(self, method, params=None, id=None):
        """Sends a request; returns its id."""
        id = next(self.ids) if id is None else id
        self.methods[json.dumps(id)] = method
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def respond(self, request, result=None, error=None):
        answer = {"result": result} if error is None else {"error": error}
        self.send({"jsonrpc": "2.0", "id": request["id"], **answer})

    # Receiving.
    def wait_for(self, predicate, what="a message", seconds=None, start=0):
        """The first message from `start` on that the predicate likes, waiting for it."""
        position = start

        def found():
            nonlocal position
            while position < len(self.messages):
                message = self.messages[position]
                position += 1
                assert "broken" not in message, message["broken"]
                if predicate(message):
                    return message
            return None

        with self._changed:
            message = None

            def ready():
                nonlocal message
                message = found()
                return message is not None or self.closed

            done = self._changed.wait_for(ready, scaled(seconds))
            if message is not None:
                return message
            tail = "\n".join(json.dumps(entry)[:300] for entry in self.messages[-8:])
            raise Late(f"{'closed' if done else 'too late'}, code {self.close_code}, waiting for {what}; "
                       f"the last messages:\n{tail}")

    def answer(self, id, seconds=None):
        """The response to a request."""
        wanted = json.dumps(id)
        return self.wait_for(lambda m: "method" not in m and json.dumps(m.get("id")) == wanted,
                             f"the answer to {wanted}", seconds)

    def request(self, method, id=None, **params):
        return self.answer(self.start(method, params, id))

    def result(self, method, id=None, **params):
        answer = self.request(method, id, **params)
        if "error" in answer:
            raise RelayError(answer["error"])
        return answer["result"]

    def error(self, method, id=None, **params):
        answer = self.request(method, id, **params)
        assert "error" in answer, answer
        return RelayError(answer["error"])

    def incoming(self, method, start=0, seconds=None):
        """The first request or notification of the relay with this method."""
        return self.wait_for(lambda m: m.get("method") == method, method, seconds, start)

    def all(self, method):
        with self._changed:
            return [m for m in self.messages if m.get("method") == method]

    def count(self):
        with self._changed:
            return len(self.messages)

    def check_messages(self):
        """Also of what nobody waited for: nothing broke the schema."""
        with self._changed:
            broken = [message["broken"] for message in self.messages if "broken" in message]
        assert not broken, f"{len(broken)} broken messages came, the first is {broken[0]}"
