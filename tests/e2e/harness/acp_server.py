"""The server that the conformance tests run against: the relay with the demo agent, or, to see how another
one behaves, what ACP_TEST_SERVER names (host:port/path, without a scheme)."""
import contextlib
import os

from .acp_client import open_client
from .acp_endpoint import acp_url
from .relay import Relay

OTHER = os.environ.get("ACP_TEST_SERVER")


class Server:
    def __init__(self, relay, directory):
        self.relay = relay
        self.workspace = directory
        self.clients = []

    def url(self, transport):
        return f"{transport}://{OTHER}" if OTHER else acp_url(self.relay, transport)

    def open(self, transport, **options):
        self.clients.append(open_client(transport, self.url(transport), **options))
        return self.clients[-1]

    def close_clients(self):
        """Also finds out whether the relay is still there; when not, the next test gets another one."""
        with contextlib.ExitStack() as every:
            every.callback(self._check_relay)
            while self.clients:
                every.callback(self._close, self.clients.pop())

    @staticmethod
    def _close(client):
        with contextlib.suppress(OSError):
            client.close()

    def _check_relay(self):
        if self.relay and not self.relay.running():
            self.relay.may_leave_open_rows = True
            self.relay.end_was_awaited = True
            end = self.relay.log_text()[-2000:]
            self.relay.start()
            raise AssertionError(f"the relay ended:\n{end}")


@contextlib.contextmanager
def serving(directory, config=None):
    if OTHER:
        yield Server(None, directory)
        return
    relay = Relay(directory, config).start()
    try:
        yield Server(relay, relay.workspace)
        relay.stop()
    finally:
        relay.kill()
