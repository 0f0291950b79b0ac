"""Fixtures: a relay for one test, and the check that nothing of it is left afterwards."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.relay import Relay  # noqa: E402  the path above must come first


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + outcome.get_result().when, outcome.get_result())


def _passed(request):
    report = getattr(request.node, "report_call", None)
    return report is not None and report.passed


@pytest.fixture
def make_relay(request, tmp_path):
    """make_relay(config changes): a relay that is ready. Relays end, checked, with the test."""
    relays = []

    def make(config=None, env=None, start=True, directory=None, arguments=(), **options):
        name = directory or f"relay{len(relays)}"
        relay = Relay(tmp_path / name, config, env, **options)
        relays.append(relay)
        return relay.start(*arguments) if start else relay

    yield make
    try:
        for relay in relays:
            if relay.process is None:
                continue
            if _passed(request):
                relay.stop()
            else:
                print(f"--- log of {relay.directory.name}:\n{relay.log_text()[-8000:]}")
    finally:
        for relay in relays:
            relay.kill()


@pytest.fixture
def relay(make_relay):
    return make_relay()


@pytest.fixture
def session(relay):
    """(HTTP client, session id) of a fresh session."""
    client = relay.http()
    return client, client.new(relay.workspace)
