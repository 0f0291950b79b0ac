"""What the model does wrong where what it is told ends with a wish for that.

@@CUT     the connection breaks behind the answer's first words, however often it is asked
@@CUT1    once
@@HOLD    behind the first words the answer waits for released.set()
@@REFUSE  401, with the credential in the body
"""
import re
import socket
import threading


class Faults:
    def __init__(self):
        self._changed = threading.Lock()
        self.cuts = {}  # {what was said: how many answers to it broke off}
        self.held = 0
        self.refused = 0
        self.released = threading.Event()

    def refuse(self, said, answer):
        """Whether it did."""
        if not said.endswith("@@REFUSE"):
            return False
        with self._changed:
            self.refused += 1
        answer.json({"type": "error", "error": {"type": "authentication_error", "code": "invalid_api_key",
                                                "message": f"no such key: {answer.credential}"}}, 401)
        return True

    def come_between(self, said, connection):
        """Behind the first words of an answer. Raises where that is its end."""
        wish = re.search(r"@@(CUT|HOLD)(\d*)$", said)
        if wish and wish[1] == "HOLD":
            with self._changed:
                self.held += 1
            self.released.wait()
        elif wish:
            with self._changed:
                count = self.cuts.get(said, 0)
                if wish[2] and count >= int(wish[2]):
                    return
                self.cuts[said] = count + 1
            connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
