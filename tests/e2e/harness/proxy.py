"""A TCP proxy that can be cut: at once, or when so many bytes have passed in one direction."""
import contextlib
import socket
import struct
import threading


class Proxy:
    def __init__(self, port, own_port=0):
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", own_port))
        self.port = self.listener.getsockname()[1]
        self.passed = {"up": 0, "down": 0}
        self.connections = 0
        self.lock = threading.Lock()
        self._limits = {"up": [], "down": []}
        self._pairs = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._closed = True
        self.listener.shutdown(socket.SHUT_RDWR)  # close() alone wakes nobody in accept()
        self.listener.close()
        self.cut()

    def cut_after(self, direction, *counts):
        """Once for each count of `passed`; the byte before which it is cut may lie within a message."""
        with self.lock:
            self._limits[direction] = list(counts)

    def cut(self):
        with self.lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._end(pair)

    @staticmethod
    def _end(pair):
        for side in pair:
            with contextlib.suppress(OSError):  # a reset: what is on its way is lost
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def connect(self):
        return socket.create_connection(self.target)

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = self.connect()
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self._pairs.append(pair)
                self.connections += 1
            for direction, source, sink in (("up", client, server), ("down", server, client)):
                threading.Thread(target=self._pump, args=(pair, direction, source, sink), daemon=True).start()

    def _pump(self, pair, direction, source, sink):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with self.lock:
                limits = self._limits[direction]
                cuts = bool(data and limits) and self.passed[direction] + len(data) >= limits[0]
                if cuts:
                    data = data[:max(0, limits.pop(0) - self.passed[direction])]
                self.passed[direction] += len(data)
            with contextlib.suppress(OSError):
                if data:
                    sink.sendall(data)
            if cuts or not data:
                self._end(pair)
                return
