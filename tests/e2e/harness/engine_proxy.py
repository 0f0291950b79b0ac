"""Between a relay and the Engine: counts requests, withholds those whose first line has `hang_on`, and answers those with
`refuse` in it as a filter does that does not allow them."""
import contextlib
import socket
import threading


class EngineProxy:

    def __init__(self, engine, path):
        self.engine, self.path, self.hang_on, self.refuse = engine, path, None, None
        self._requests, self._open = [], []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def seen(self, words):
        return sum(words in request for request in self._requests)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(self.engine)
                self._open += [client, upstream]
                threading.Thread(target=self._copy, args=(client, upstream, True), daemon=True).start()
                threading.Thread(target=self._copy, args=(upstream, client, False), daemon=True).start()

    def _copy(self, source, target, requests):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if requests:
                    line = data.split(b"\r\n", 1)[0]
                    self._requests.append(line)
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
