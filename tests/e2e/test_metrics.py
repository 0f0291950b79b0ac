"""A real Prometheus scrapes a relay and evaluates everything that deploy/ and docs/metrics.md say."""
import json
import re
import subprocess

import httpx
import pytest

from harness.deadline import wait_until
from harness.ports import free_port
from harness.relay import ROOT

DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\bacp_relay_\w+")
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
        self.log = (directory / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}",
             f"--web.listen-address={self.url[7:]}"], stdout=self.log, stderr=self.log)
        wait_until(self.ready, lambda: (directory / "prometheus.log").read_text("utf-8"), 30)

    def ready(self):
        try:
            return httpx.get(self.url + "/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path, **parameters):
        answer = httpx.get(self.url + path, params=parameters, timeout=20).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression):
        found = self.ask("/api/v1/query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.fixture
def prometheus(relay, tmp_path):
    server = Prometheus(tmp_path, relay)
    yield server
    server.end()


def test_a_prometheus_scrapes_the_relay_and_has_what_the_dashboard_and_the_alerts_use(relay, session, prometheus):
    client, id = session
    client.prompt_text(id, "/chunks 10 10")
    wait_until(lambda: prometheus.value('up{job="acp-relay"}') == 1, "the relay is scraped")
    wait_until(lambda: prometheus.value('acp_relay_turns_total{stop_reason="end_turn"}') == 1, "the turn is counted")
    wait_until(lambda: prometheus.value('acp_relay_sessions{state="ready"}') == 1, "the session is counted")

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
    assert dict(re.findall(r"^\| `(acp_relay_\w+)` \| (\w+) \|", document, re.M)) == families(relay)
    rules = (DEPLOY / "prometheus/alerts.yml").read_text("utf-8")
    severities = re.findall(r"alert: (\w+)\n.*?severity: (\w+)", rules, re.S)
    assert sorted(re.findall(r"^\| `(AcpRelay\w+)` \| (\w+) \|", document, re.M)) == sorted(severities)


def test_promtool_finds_nothing_to_complain_about(relay):
    done = subprocess.run(["promtool", "check", "metrics"], input=relay.management("/metrics").text,
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
