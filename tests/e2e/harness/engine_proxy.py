"""Between a relay and the Engine: counts requests, withholds those whose first line has `hang_on`, and answers those with
`refuse` in it as a filter does that does not allow them. `stop_behind(n, action)` calls action() when the n-th call from
now on is answered, in place of passing the answer on; `stopped()` is that call, or None, and ends the counting."""
import contextlib
import re
import socket
import threading


class EngineProxy:

    def __init__(self, engine, path):
        self.engine, self.path, self.hang_on, self.refuse = engine, path, None, None
        self._requests, self._open = [], []
        self._left, self._action, self._last, self._lock = 0, None, None, threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def seen(self, words):
        return sum(words in request for request in self._requests)

    def stop_behind(self, number, action):
        with self._lock:
            self._left, self._action, self._last = number, action, None

    def stopped(self):
        with self._lock:
            self._left = 0
            return self._last

    def _is_the_one(self, line):
        if not re.match(rb"(GET|HEAD|POST|PUT|DELETE) /\S* HTTP/1", line):
            return False
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._last = line
            return self._left == 0

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(self.engine)
                self._open += [client, upstream]
                stops = threading.Event()
                threading.Thread(target=self._copy, args=(client, upstream, True, stops), daemon=True).start()
                threading.Thread(target=self._copy, args=(upstream, client, False, stops), daemon=True).start()

    def _copy(self, source, target, requests, stops):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not requests and stops.is_set():
                    stops.clear()
                    self._action()
                    break
                if requests:
                    line = data.split(b"\r\n", 1)[0]
                    self._requests.append(line)
                    if self._is_the_one(line):
                        stops.set()
                    if self.hang_on and self.hang_on in line:
                        continue
                    if self.refuse and self.refuse in line:
                        source.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                        continue
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
