"""A real Prometheus scrapes a relay and evaluates everything that deploy/ and docs/metrics.md say."""
import json
import re
import shutil
import socket
import subprocess
import time

import httpx
import pytest

from harness import raw
from harness.deadline import PATIENCE, wait_until
from harness.http_client import read_events
from harness.ports import free_port
from harness.relay import ROOT

DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\b(?:acp_relay|process)_\w+")
# What Grafana puts in their place.
VARIABLES = {"$__rate_interval": "5m", "$job": "acp-relay", "$instance": ".+"}


def dashboard_expressions():
    dashboard = json.loads((DEPLOY / "grafana/acp-relay.json").read_text("utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def families(relay):
    """Name and type of every metric."""
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", relay.management("/metrics").text, re.M))


class Prometheus:
    """With the scrape settings and the rules of deploy/, at the relay's port and in a hurry."""

    def __init__(self, directory, relay):
        settings = (DEPLOY / "prometheus/prometheus.yml").read_text("utf-8")
        for shown, real in (("127.0.0.1:8082", f"127.0.0.1:{relay.config['server']['management_port']}"),
                            ("scrape_interval: 15s", "scrape_interval: 1s"),
                            ("alerts.yml", str(DEPLOY / "prometheus/alerts.yml"))):
            assert shown in settings
            settings = settings.replace(shown, real)
        file = directory / "prometheus.yml"
        file.write_text("global: {evaluation_interval: 1s}\n" + settings)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log_file = directory / "prometheus.log"
        self.log = self.log_file.open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}",
             f"--web.listen-address={self.url[7:]}"], stdout=self.log, stderr=self.log)

    def wait_ready(self):
        wait_until(self.ready, lambda: self.log_file.read_text("utf-8"))

    def ready(self):
        try:
            return httpx.get(self.url + "/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path, **parameters):
        answer = httpx.get(self.url + path, params=parameters, timeout=PATIENCE).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression):
        found = self.ask("/api/v1/query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.log.close()


@pytest.fixture
def prometheus(relay, tmp_path):
    server = Prometheus(tmp_path, relay)
    try:
        server.wait_ready()
        yield server
    finally:
        server.end()


def test_a_prometheus_scrapes_the_relay_and_has_what_the_dashboard_and_the_alerts_use(relay, session, prometheus):
    client, id = session
    client.prompt_text(id, "/chunks 10 10")
    wait_until(lambda: prometheus.value('up{job="acp-relay"}') == 1, "the relay is scraped")
    wait_until(lambda: prometheus.value('acp_relay_turns_total{stop_reason="end_turn"}') == 1, "the turn is counted")
    wait_until(lambda: prometheus.value('acp_relay_sessions{isolation="process",state="ready"}') == 1, "the session is counted")

    groups = prometheus.ask("/api/v1/rules")["groups"]
    alerts = [rule for group in groups for rule in group["rules"]]
    assert len(alerts) == (DEPLOY / "prometheus/alerts.yml").read_text("utf-8").count("- alert:")
    wait_until(lambda: all(rule["health"] == "ok" for group in prometheus.ask("/api/v1/rules")["groups"]
                           for rule in group["rules"]), "every rule was evaluated")
    firing = [one for one in prometheus.ask("/api/v1/alerts")["alerts"] if one["state"] == "firing"]
    assert firing == [], "nothing is wrong with this relay"

    known = set(prometheus.ask("/api/v1/label/__name__/values"))
    for expression in dashboard_expressions() + [rule["query"] for rule in alerts]:
        prometheus.ask("/api/v1/query", query=expression)
        assert set(NAME.findall(expression)) <= known, expression

    def empty():
        return [one for one in dashboard_expressions()
                if "rate(" not in one and "increase(" not in one and prometheus.value(one) is None]

    wait_until(lambda: not empty(), lambda: f"these gauges show something from the beginning: {empty()}")


def test_each_alert_fires_when_it_should():
    done = subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=DEPLOY / "prometheus",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"alert: (\w+)", (DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
    tests = (DEPLOY / "prometheus/alerts_test.yml").read_text("utf-8")
    assert sorted(re.findall(r'alertname="(\w+)"', tests)) == sorted(names)


def test_the_document_names_every_metric_and_every_alert(relay):
    document = (ROOT / "docs/metrics.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `((?:acp_relay|process)_\w+)` \| (\w+) \|", document, re.M)) == families(relay)
    rules = (DEPLOY / "prometheus/alerts.yml").read_text("utf-8")
    severities = re.findall(r"alert: (\w+)\n.*?severity: (\w+)", rules, re.S)
    assert sorted(re.findall(r"^\| `(AcpRelay\w+)` \| (\w+) \|", document, re.M)) == sorted(severities)


def test_every_label_value_is_in_the_document(relay):
    document = (ROOT / "docs/metrics.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `((?:acp_relay|process)_\w+)` \| \w+ \| ?([^|]*) \|", document, re.M))
    samples = re.findall(r"^(\w+)\{(.*)\} ", relay.management("/metrics").text, re.M)
    for name, labels in samples:
        row = rows.get(re.sub("_(bucket|count|sum)$", "", name), rows.get(name))
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            if label == "le":
                continue
            assert f"`{label}`" in row, f"{name} {label}"
            named_elsewhere = label in ("version", "type", "direction") or name == "acp_relay_turns_total"
            assert named_elsewhere or value in row, f"{name} {label}={value}"


def phases(relay):
    names = ("create", "attach", "start", "initialize", "new")
    return {name: relay.metric("acp_relay_session_start_phase_seconds_count", phase=name) for name in names}


def test_a_process_has_the_phases_that_it_has_and_its_messages_are_timed(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.prompt("/chunks 10 10")
    assert phases(relay) == {"create": 0, "attach": 0, "start": 1, "initialize": 1, "new": 1}
    assert relay.metric("acp_relay_sessions", isolation="process", state="ready") == 1
    assert relay.metric("acp_relay_sessions", isolation="container") == 0
    for route in ("client_to_agent", "agent_to_client"):
        wait_until(lambda: relay.metric("acp_relay_message_relay_seconds_count", route=route) >= 1, route)
        assert relay.metric("acp_relay_message_relay_seconds_sum", route=route) > 0, route
    relay.http().result("session/close", sessionId=id)
    assert relay.metric("acp_relay_sessions_closed_total", cause="client") == 1
    assert relay.metric("acp_relay_agent_exits_total", isolation="process", cause="stopped") == 1
    assert relay.metric("acp_relay_engine_call_seconds_count") == 0


def test_messages_of_clients_are_counted_however_they_come_over_http(relay, session):
    client, id = session

    def counted():
        return [relay.metric(f"acp_relay_{name}_total", direction="client_to_relay")
                for name in ("messages", "message_bytes")]

    assert counted() == [0, 0]
    sent = []
    client.client.event_hooks = {"request": [lambda request: sent.append(len(request.content))]}
    with client.stream(id, "/permission") as response:
        events = read_events(response)
        question = next(event.data for event in events if event.data.get("method") == "session/request_permission")
        client.respond(id, question["id"], {"outcome": {"outcome": "cancelled"}})
        client.result("session/cancel", sessionId=id)
        assert "result" in list(events)[-1].data
    assert counted() == [3, sum(sent)]


def test_a_container_has_all_phases_and_the_engine_is_timed(make_container_relay):
    relay = make_container_relay()
    client = relay.http()
    id = client.result("session/new")["sessionId"]
    assert phases(relay) == dict.fromkeys(("create", "attach", "start", "initialize", "new"), 1)
    whole = relay.metric("acp_relay_session_start_seconds_sum")
    assert 0 < relay.metric("acp_relay_session_start_phase_seconds_sum") <= whole
    assert relay.metric("acp_relay_sessions", isolation="container", state="ready") == 1

    def calls(name):
        return relay.metric("acp_relay_engine_call_seconds_count", call=name)

    for name in ("version", "info", "image", "create", "attach", "wait", "start", "events"):
        wait_until(lambda name=name: calls(name) >= 1, name)
    assert relay.metric("acp_relay_engine_errors_total", kind="unreachable") == 0
    client.result("session/close", sessionId=id)
    wait_until(lambda: calls("kill") >= 1 and calls("remove") >= 1, "its end is timed")
    assert relay.metric("acp_relay_agent_exits_total", isolation="container", cause="stopped") == 1


def test_what_nobody_uses_and_what_is_old_is_counted(make_relay):
    relay = make_relay({"sessions": {"idle_timeout": "200ms"}, "database": {"max_rows": 20}})
    client = relay.websocket()  # as long as it is there, its session is in use
    client.new(relay.workspace)
    client.prompt("/chunks 100 10")
    client.close()
    wait_until(lambda: relay.metric("acp_relay_sessions_closed_total", cause="idle") == 1, "it is closed as idle")
    wait_until(lambda: relay.metric("acp_relay_log_deleted_messages_total") >= 80, "its old messages go")
    assert relay.metric("acp_relay_log_disk_free_bytes") > 0


def outboxes(relay):
    """The gauges of what waits for clients, of one moment."""
    found = re.findall(r"^acp_relay_outbox_(\w+) (\S+)$", relay.management("/metrics").text, re.M)
    return {name: float(value) for name, value in found}


def test_what_waits_for_a_client_that_does_not_read_is_shown(make_relay):
    relay = make_relay({"server": {"max_message_bytes": 1 << 20, "max_outbox_bytes": 64 << 20}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    lazy, _ = raw.upgrade(relay.config["server"]["websocket_port"])
    with lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(raw.frame(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session/resume",
                                           "params": {"sessionId": id}}).encode()))
        client.prompt("hello")
        raw.read_until(lazy, b"hello")  # it follows the session live, and then stops reading
        for _ in range(5):
            client.prompt("/chunks 300 10000")
        wait_until(lambda: outboxes(relay)["frames"] > 10, "messages wait for it")
        waiting = outboxes(relay)
        assert 100_000 < waiting["largest_bytes"] <= waiting["bytes"] <= 64 << 20
    wait_until(lambda: relay.metric("acp_relay_outbox_bytes") == 0, "with the client goes what waits for it")


def test_the_process_has_the_usual_names(make_relay):
    before = time.time()
    relay = make_relay()
    # The kernel knows the second.
    assert before - 2 < relay.metric("process_start_time_seconds") < time.time() + 2
    assert relay.metric("process_resident_memory_bytes") > 1 << 20
    assert relay.metric("process_cpu_seconds_total") > 0


def test_the_scrape_settings_for_tls_and_tokens_are_valid(tmp_path):
    settings = (DEPLOY / "prometheus/prometheus.yml").read_text("utf-8")
    settings, count = re.subn(r"# (?=(?:scheme|tls_config|authorization): )", "", settings)
    assert count == 3
    (tmp_path / "prometheus.yml").write_text(settings)
    shutil.copy(DEPLOY / "prometheus/alerts.yml", tmp_path)
    done = subprocess.run(["promtool", "check", "config", "--syntax-only", "prometheus.yml"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_to_complain_about(relay):
    done = subprocess.run(["promtool", "check", "metrics"], input=relay.management("/metrics").text,
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
