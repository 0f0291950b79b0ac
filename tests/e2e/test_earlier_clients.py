"""What was written for earlier acp-relay servers goes on when nothing but the address changes."""
import datetime
import subprocess

import pytest

from harness.deadline import PATIENCE
from harness.relay import BINARY

PAGE = {"Origin": "http://localhost:5173"}


def test_a_session_picker_reads_the_list(relay):
    client = relay.http()
    id = client.new(relay.workspace)
    answer = relay.management("/api/sessions", headers=PAGE)
    assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    (entry,) = [entry for entry in answer.json() if entry["id"] == id]
    assert {"id", "agentSessionId", "workingDirectory", "createdAt", "closedAt", "isActive"} <= entry.keys()
    made = datetime.datetime.strptime(entry["createdAt"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    assert abs(datetime.datetime.now(datetime.timezone.utc) - made) < datetime.timedelta(minutes=10)
    assert entry["isActive"] is True and entry["closedAt"] is None
    relay.management(f"/api/sessions/{id}", "DELETE")


def test_the_list_leads_to_its_next_page(relay):
    client = relay.http()
    made = [client.new(relay.workspace) for _ in range(3)]
    listed, path = [], "/api/sessions?limit=2"
    while path:
        answer = relay.management(path)
        listed += [entry["id"] for entry in answer.json()]
        link = answer.headers.get("link", "")
        path = link[1:link.index(">")] if 'rel="next"' in link else None
    assert [id for id in listed if id in made] == made[::-1] and len(set(listed)) == len(listed)
    for id in made:
        relay.management(f"/api/sessions/{id}", "DELETE")


def test_a_page_that_was_opened_as_a_file_may_ask_where_that_is_configured(make_relay):
    relay = make_relay({"server": {"allowed_origins": ["null"]}})
    for url in (f"{relay.http_url}/session/list", f"{relay.management_url}/api/sessions"):
        preflight = relay.http().client.options(url, headers={"Origin": "null", "Access-Control-Request-Method": "GET"})
        assert preflight.status_code == 204 and preflight.headers["access-control-allow-origin"] == "null"
    assert relay.management("/api/health", headers={"Origin": "null"}).status_code == 200
    assert relay.management("/api/health", headers={"Origin": "https://evil.example"}).status_code == 403
    relay.wait_logged("sandboxed")


def test_health_names_the_agent(relay):
    assert relay.management("/api/health").json()["agent_command"] == relay.config["agent"]["command"]


CONFIGURATIONS = {
    "a mode of the agent": ("agent: {command: /bin/true, mode: container}", ["agent.mode", "container.enabled: true"]),
    "containers below the agent": ("agent: {container: {image: a}}", ["agent.container", "below container"]),
    "where workspaces are": ("container: {workspace_host_base: /srv/w}", ["container.workspace_base_dir"]),
    "where a workspace is inside": ("container: {workspace_container_path: /workspace}", ["leave it out", "/workspace"]),
    "a path as for a shell": ("database: {path: $XDG_DATA_HOME/acp-relay/messages.db}",
                              ["database.path", "${XDG_DATA_HOME}/acp-relay/messages.db"]),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_keys_of_earlier_servers_are_answered_with_what_to_write(tmp_path, name):
    text, expected = CONFIGURATIONS[name]
    (tmp_path / "config.yaml").write_text(text, "utf-8")
    for arguments in (["check-config", "-config", "config.yaml"], ["-config", "config.yaml"]):
        done = subprocess.run([BINARY, *arguments], cwd=tmp_path, capture_output=True, text=True,
                              timeout=PATIENCE)
        assert done.returncode != 0
        assert all(words in done.stderr for words in expected), done.stderr


EARLIER_FILE = """
server: {http_port: 0, http_host: "127.0.0.1", websocket_port: 0, websocket_host: "127.0.0.1",
         management_port: 0, management_host: "127.0.0.1"}
agent:
  command: "npx"
  args: ["an-agent"]
  env: {KEY_OF_THE_MODEL: "${NOT_SET}"}
  startup_timeout_seconds: 10
  max_concurrent_sessions: 100
container:
  enabled: true
  image: "acp-agent:latest"
  memory_limit: "2G"
  cpu_limit: 1.0
  network_mode: "none"
  workspace_base_dir: "/var/lib/acp-relay/workspaces"
  auto_remove: true
  pull_policy: "missing"
  readonly_rootfs: false
  drop_capabilities: ["NET_RAW", "SYS_ADMIN"]
  security_opt: []
  log_driver: "json-file"
  log_opts: {max-size: "10m", max-file: "3"}
database: {path: "./relay-messages.db"}
"""


def test_a_configuration_of_an_earlier_server_is_valid(tmp_path):
    (tmp_path / "config.yaml").write_text(EARLIER_FILE, "utf-8")
    done = subprocess.run([BINARY, "check-config", "-config", "config.yaml"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
