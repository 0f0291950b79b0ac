"""Fixtures: a relay for one test, and the check that nothing of it is left afterwards."""
import collections
import contextlib
import pathlib
import re
import subprocess
import sys
import threading
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import containers, relay_container, sdk  # noqa: E402  the path above must come first
from harness.engine import Engine  # noqa: E402
from harness.relay import Relay  # noqa: E402
from harness.upstream import KEY, Upstream  # noqa: E402

ENGINES = {"engine", "private_engine"}  # fixtures that all tests of containers have, most by way of others


def _of_module(item):
    """The module's fixtures that a test uses, by way of others too."""
    return {name for name, defined in item._fixtureinfo.name2fixturedefs.items() if defined[-1].scope == "module"}


def _used_together(items):
    """{module: [fixtures]}: two fixtures are in one set when any test uses both, as far as their parameters allow it."""
    together = {}
    for item in items:
        sets, names = together.setdefault(item.module, []), _of_module(item)
        for other in [one for one in sets if one & names]:
            sets.remove(other)
            names |= other
        sets.append(names)
    return together


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """For runs of many at a time: what shares a fixture goes to one worker, and what takes long begins first.

    And for tools/count_results.py: which tests need an Engine."""
    def takes_long(item):
        return "_container_" in item.module.__name__ or "_reliability_" in item.module.__name__

    together = _used_together(items)
    for item in items:
        if shared := _of_module(item):
            names = sorted(next(one for one in together[item.module] if one & shared))
            given = item.callspec.params if hasattr(item, "callspec") else {}
            parameters = [str(given[name]) for name in names if name in given]
            item.add_marker(pytest.mark.xdist_group("-".join([item.module.__name__, *names, *parameters])))
        if not ENGINES.isdisjoint(item.fixturenames):
            item.user_properties.append(("needs_engine", "yes"))
    items.sort(key=lambda item: (not item.get_closest_marker("xdist_group"), not takes_long(item)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + outcome.get_result().when, outcome.get_result())


def _passed(request):
    report = getattr(request.node, "report_call", None)
    return report is not None and report.passed


def _seeds(terminalreporter):
    """{seed: names} of the tests that printed one, those that passed included."""
    seeds = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for seed in re.findall(r"\w+_SEED=\d+", report.capstdout):
                    seeds.setdefault(seed, {})[report.nodeid.partition("::")[2].partition("[")[0]] = None
    return seeds


def _played(terminalreporter):
    """{what ran of others: times}. The report of a test's end has all that it printed, its fixtures included."""
    ended = [report for reports in terminalreporter.stats.values() for report in reports
             if getattr(report, "when", None) == "teardown"]
    return sum((sdk.played(report.capstdout) for report in ended), collections.Counter())


def pytest_terminal_summary(terminalreporter):
    for seed, names in _seeds(terminalreporter).items():
        terminalreporter.write_line(f"{seed}: {' '.join(names)}")
    if played := _played(terminalreporter):
        terminalreporter.section("clients of others")
        terminalreporter.write_line(sdk.versions())
        for what, times in sorted(played.items()):
            terminalreporter.write_line(f"{what}: {times} runs")


@pytest.fixture
def make_relay(request, tmp_path):
    """make_relay(config changes): a relay that is ready. Relays end, checked, with the test."""
    relays = []
    with contextlib.ExitStack() as killed:
        def make(config=None, env=None, start=True, directory=None, arguments=(), kind=Relay, **options):
            name = directory or f"relay{len(relays)}"
            relay = kind(tmp_path / name, config, env, **options)
            relays.append(relay)
            killed.callback(relay.kill)
            return relay.start(*arguments) if start else relay

        yield make
        for relay in relays:
            if relay.process is None:
                continue
            if _passed(request):
                relay.stop()
            else:
                print(f"--- log of {relay.directory.name}:\n{relay.log_text()[-8000:]}")


@pytest.fixture
def certificate_for(tmp_path):
    """certificate_for(names): the keys of server.tls for a certificate of these; its own authority."""
    def make(names):
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}",
                        "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        return {"cert": str(cert), "key": str(key)}
    return make


@pytest.fixture
def certificate(certificate_for):
    return certificate_for("DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def relay(make_relay):
    return make_relay()


@pytest.fixture
def session(relay):
    """(HTTP client, session id) of a fresh session."""
    client = relay.http()
    return client, client.new(relay.workspace)


@pytest.fixture(scope="session")
def engine():
    """The Docker Engine. Its absence fails every test that needs it; none is skipped."""
    return Engine.of_environment()


@pytest.fixture(scope="session")
def demo_image(engine):
    """The demo agent alone."""
    return containers.import_demo(engine)


@pytest.fixture(scope="session")
def tools_image(engine):
    """The demo agent with busybox and an agent that runs shell scripts."""
    return containers.import_tools(engine)


@pytest.fixture(scope="session")
def settings_image(engine):
    """The same with settings in the user's home."""
    return containers.import_settings(engine)


@pytest.fixture(scope="session")
def example_image(engine):
    """The example agent of the official SDK."""
    return containers.import_example(engine)


@pytest.fixture
def own_tag(engine):
    """A name for an image that the test makes, removed with it. It comes before the relays that use it."""
    tag = f"acp-relay-test/own:{uuid.uuid4().hex}"
    yield tag
    engine.remove_image(tag)


@pytest.fixture(scope="session")
def debian_base(engine):
    """What the relay's image is built on: files of this machine's Debian."""
    return relay_container.import_base(engine)


@pytest.fixture(scope="session")
def relay_image(engine, debian_base):
    """The relay's own image, of Dockerfile.relay and the programs under test."""
    return relay_container.relay_image(engine, debian_base)


@pytest.fixture
def make_container_relay(engine, demo_image, make_relay):
    """make_container_relay(container keys, config changes): sessions in containers of the demo image."""
    def make(container=None, config=None, **options):
        options = {"engine": engine, "image": demo_image, **options}
        return make_relay({**(config or {}), "container": container or {}}, kind=containers.ContainerRelay, **options)
    return make


@pytest.fixture
def make_shell_relay(make_container_relay, tools_image):
    """The same with agents that run shell scripts: containers.shell(client, script)."""
    def make(container=None, config=None, **options):
        return make_container_relay({"image": tools_image, "command": containers.SHELL, **(container or {})}, config,
                                    **options)
    return make


@pytest.fixture
def upstream(certificate):
    with Upstream(certificate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.gate.set()
        server.shutdown()


@pytest.fixture(params=["unix", "stdio"])
def carrier(request):
    return request.param


@pytest.fixture
def make_egress_relay(make_shell_relay, upstream, certificate):
    """The same with agents that may use one upstream, called own."""
    def make(container=None, config=None, carrier="auto", egress=None, **of_upstream):
        own = {"url": upstream.url, "ca_file": certificate["cert"],
               "credential": {"header": "x-api-key", "value": KEY}, **of_upstream}
        return make_shell_relay(container, {
            "agent": {"upstreams": ["own"]},
            "egress": {"carrier": carrier, "upstreams": {"own": own}, **(egress or {})}, **(config or {})})
    return make
