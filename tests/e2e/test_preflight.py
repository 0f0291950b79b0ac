"""`acp-relay preflight`: what would keep a relay from serving, told before it does, with a remedy; and nothing is left."""
import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import containers
from harness.containers import SHELL, ContainerRelay, tools_files
from harness.deadline import PATIENCE, key_of, scaled, wait_until
from harness.private_engine import running
from harness.relay import BINARY, ROOT, run_cli, scripted
from harness.terminal import read_rest

ALWAYS = ["configuration", "clock", "open_files", "port.http", "port.websocket", "port.management", "database"]
CONTAINED = [*ALWAYS, "disk.database", "engine", "disk.images", "memory", "workspaces", "disk.workspaces", "limits",
             "image", "agent"]
STARTED = 15  # seconds; the Engine's part of the start is within startup_timeout too
MAY_DRIFT = "clock"  # where nothing keeps the machine's clock, that is a warning


def tree(directory):
    return sorted(str(path.relative_to(directory)) for path in Path(directory).rglob("*"))


class Findings:
    """What `preflight --json` says of a relay that is configured and not started."""

    def __init__(self, relay, prefix=(), env=None, code=None):
        before = tree(relay.directory)
        command = [*prefix, str(relay.binary), "preflight", "--json", "--config", str(relay.config_file)]
        done = subprocess.run(command, env={**relay.env, **(env or {})}, cwd=relay.directory, capture_output=True,
                              text=True, timeout=5 * PATIENCE)
        assert done.stderr == "", done.stderr
        self.text = done.stdout
        self.code = done.returncode
        self.all = {one["name"]: one for one in json.loads(done.stdout)}
        assert tree(relay.directory) == before, "something is left"
        assert self.code == (1 if self.named("failed") else 0), done.stdout
        if code is not None:
            assert self.code == code, json.dumps(self.all, indent=1)

    def named(self, status):
        return [name for name, one in self.all.items() if one["status"] == status]

    def status(self, name):
        return self.all[name]["status"]

    def words(self, name):
        one = self.all[name]
        return " | ".join([one["found"], *one["possible_causes"], *one["remedies"]])


@pytest.fixture
def make(make_relay, engine, demo_image):
    """make(container keys, config changes): a configuration with containers; the relay does not start."""
    def make_one(container=None, config=None):
        return make_relay({**(config or {}), "container": container or {}}, start=False, kind=ContainerRelay,
                          engine=engine, image=demo_image)
    return make_one


@pytest.fixture
def own_image(engine, own_tag):
    """The tools under a name of the test's own, so that whatever is made of it is known."""
    engine.import_image(own_tag, tools_files(), "USER 1000:1000", "WORKDIR /workspace", "ENV PATH=/bin",
                        'CMD ["/bin/acp-demo-agent"]')
    return own_tag


def containers_of(engine, image):
    return [one["Names"] for one in engine.containers() if one["Image"] == image]


def test_a_good_machine(make, engine, own_image):
    relay = make({"image": own_image})
    findings = Findings(relay, code=0)
    assert list(findings.all) == CONTAINED
    assert set(findings.all) - set(findings.named("ok")) <= {MAY_DRIFT}
    assert "acp-demo-agent" in findings.words("agent") and "as a container" in findings.words("agent")
    assert not relay.base.exists() and not relay.database.exists()
    assert containers_of(engine, own_image) == []
    code, out, err = run_cli("preflight", "--config", str(relay.config_file))
    assert (code, err) == (0, "")
    assert [line[2:].split(":")[0] for line in out.splitlines()[1:] if line[0] in "✓!"] == CONTAINED


def test_processes_need_no_engine(make_relay):
    relay = make_relay({"container": {"docker_host": "unix:///nowhere"}}, start=False)
    findings = Findings(relay, code=0)
    assert list(findings.all) == [*ALWAYS, "disk.database", "memory", "agent"]
    assert "process with this user's rights" in findings.words("agent")


def test_every_agent_is_tried(make, tools_image):
    dying = scripted("exit_in_initialize")
    relay = make({}, {"agents": {
        "shell": {"image": tools_image, "command": SHELL},
        "mute": {"image": tools_image, "command": ["/bin/sleep", "600"], "startup_timeout": key_of(STARTED)},
        "here": {"isolation": "process", "command": [dying["command"], *dying["args"]]}}})
    findings = Findings(relay, code=1)
    assert findings.named("failed") == ["agents.mute.agent", "agents.here.agent"]
    assert findings.status("agents.shell.agent") == "ok"
    assert "container.startup_timeout" in findings.words("agents.mute.agent")
    assert "cannot read /etc/agent.key" in findings.words("agents.here.agent")


def test_an_absent_configuration_is_the_default_one(tmp_path, engine):
    code, out, _ = run_cli("preflight", cwd=tmp_path)
    assert "the default one" in out and "✓ agent: the built-in demo agent answers" in out, out
    assert os.listdir(tmp_path) == []
    code, out, _ = run_cli("preflight", "--config", "missing.yaml", cwd=tmp_path)
    assert code == 1 and out.splitlines()[1].startswith("✗ configuration: missing.yaml")


# What is broken, where it is noticed, and what has to be said of it.
def no_socket(relay):
    return {"docker_host": f"unix://{relay.directory}/docker.sock"}


def dead_socket(relay):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(relay.directory / "docker.sock"))
    listener.close()
    return no_socket(relay)


def file_as_workspace(relay):
    (relay.directory / "file").write_text("x")
    return {"workspace_base_dir": str(relay.directory / "file")}


BROKEN = {
    "no socket": (no_socket, "engine", "the socket does not exist", "docker", ["agent"]),
    "a socket of nobody": (dead_socket, "engine", "nobody listens", "dockerd", ["agent"]),
    "no such address": ({"docker_host": "tcp://127.0.0.1:9"}, "engine", "refused", "container.docker_host",
                        ["agent"]),
    "no image": ({"image": "acp-relay-test/none:1"}, "image", "acp-relay-test/none:1", "docker pull", ["agent"]),
    "a mute image": ({"command": ["/bin/sleep", "600"], "startup_timeout": key_of(STARTED)}, "agent",
                     f"did not answer initialize within {round(scaled(STARTED))}000 ms",
                     "container.startup_timeout", []),
    "an image that says something else": ({"command": ["/bin/sh", "-c", "echo hello; sleep 600"],
                                           "startup_timeout": key_of(STARTED)}, "agent", "hello", "docker run -i",
                                          []),
    "an image that ends": ({"command": ["/bin/sh", "-c", "echo no key >&2; exit 3"]}, "agent",
                           "its last words on stderr: no key", "agent.env", []),
    "an image without the program": ({"command": ["/bin/nothing"]}, "agent", "/bin/nothing", "container.command",
                                     []),
    "no such user": ({"user": "nobody-at-all"}, "agent", "nobody-at-all", "container.user", []),
    "no such network": ({"network_mode": "acp-none"}, "agent", "acp-none", "container.network_mode", []),
    "no such runtime": ({"runtime": "acp-none"}, "limits", "acp-none", "container.runtime", ["agent"]),
    "too much memory": ({"memory_limit": "900G"}, "memory", "900G", "container.memory_limit", []),
    "a file for workspaces": (file_as_workspace, "workspaces", "Not a directory", "container.workspace_base_dir",
                              ["agent"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_with_containers(make, tools_image, case):
    change, name, told, remedy, skipped = BROKEN[case]
    relay = make({"image": tools_image})
    relay.config["container"].update(change(relay) if callable(change) else change)
    relay.config_file.write_text(json.dumps(relay.config))
    findings = Findings(relay, code=1)
    assert findings.status(name) == "failed", findings.text
    assert told in findings.all[name]["found"] or told in " ".join(findings.all[name]["possible_causes"])
    assert remedy in findings.words(name)
    also = set(findings.named("failed")) - {name}
    assert also <= ({"agent"} if name == "limits" else set()), findings.text
    if name != "limits":
        assert [one for one in findings.named("skipped") if one == "agent"] == skipped
    relay.wait_until_empty()


def missing_directory(relay):
    return {"database": {"path": str(relay.directory / "none" / "relay.db")}}


def no_database(relay):
    relay.database.write_text("something else, and long enough to be looked at" * 4)
    return {}


def directory_as_database(relay):
    relay.database.mkdir()
    return {}


PLACES = {
    "no directory for the database": (missing_directory, "database", "does not exist", "mkdir -p"),
    "a file that is no database": (no_database, "database", "is not a database", "database.path"),
    "a directory for a database": (directory_as_database, "database", "not a regular file", "database.path"),
    "an address of another machine": ({"server": {"http_host": "203.0.113.1"}}, "port.http", "203.0.113.1",
                                      "server.http_host"),
    "no such agent": ({"agent": {"command": "acp-no-such-agent"}}, "agent", "not found in PATH", "agent.command"),
    "an agent that is no program": ({"agent": {"command": "/etc/passwd"}}, "agent", "not an executable file",
                                    "chmod +x"),
    "a mute agent": ({"agent": {"command": "sleep", "args": ["600"], "startup_timeout_seconds": 1}}, "agent",
                     "did not answer initialize", "agent.startup_timeout_seconds"),
    "an agent that ends": ({"agent": scripted("exit_at_once")}, "agent", "exit code", "agent.command"),
    "a wrong key": ({"server": {"http_prt": 1}}, "configuration", "is not valid", "http_port"),
    "no certificate": ({"server": {"tls": {"cert": "/nowhere.pem", "key": "/nowhere.pem"}}}, "port.http",
                       "/nowhere.pem", "server.tls"),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_is_broken_without_containers(make_relay, case):
    change, name, told, remedy = PLACES[case]
    relay = make_relay(change if not callable(change) else None, start=False)
    if callable(change):
        changes = change(relay)
        for section, keys in changes.items():
            relay.config[section].update(keys)
        relay.config_file.write_text(json.dumps(relay.config))
    findings = Findings(relay, code=1)
    assert findings.status(name) == "failed", findings.text
    assert told in findings.all[name]["found"], findings.words(name)
    assert remedy in findings.words(name)


def test_a_port_that_is_taken_names_who_has_it(make_relay):
    relay = make_relay(start=False)
    with socket.create_server(("127.0.0.1", relay.config["server"]["websocket_port"])):
        findings = Findings(relay, code=1)
    assert findings.named("failed") == ["port.websocket"]
    assert f"process {os.getpid()}" in findings.words("port.websocket")
    assert "server.websocket_port" in findings.words("port.websocket")


def test_a_relay_that_runs_is_no_failure_and_goes_on(make, engine):
    relay = make({}).start()
    client = relay.http()
    session = client.new("/workspace")
    findings = Findings(relay, code=0)
    assert set(findings.named("warning")) - {MAY_DRIFT} == {
        "port.http", "port.websocket", "port.management", "database"}
    assert f"process {relay.pid}" in findings.words("database")
    assert findings.status("agent") == "ok"
    assert relay.directories() == [session]
    assert client.prompt_text(session, "still here") == "still here"
    client.result("session/close", sessionId=session)


def test_another_relay_with_the_same_database_is_a_failure(make_relay):
    relay = make_relay()
    other = make_relay({"database": {"path": str(relay.database)}}, start=False)
    findings = Findings(other, code=1)
    assert findings.named("failed") == ["database"]
    assert f"stop process {relay.pid}" in findings.words("database")


def test_too_few_open_files(make_relay):
    relay = make_relay(start=False)
    findings = Findings(relay, prefix=("prlimit", "--nofile=200:200"), code=1)
    assert findings.named("failed") == ["open_files"]
    assert "agent.max_concurrent_sessions" in findings.words("open_files")
    findings = Findings(relay, prefix=("prlimit", "--nofile=2000:2000"), code=0)
    assert findings.status("open_files") == "warning" and "LimitNOFILE" in findings.words("open_files")


def test_an_image_that_would_be_pulled_is_a_warning(make):
    findings = Findings(make({"image": "acp-relay-test/none:1", "pull_policy": "missing"}), code=0)
    assert findings.status("image") == "warning" and findings.status("agent") == "skipped"
    assert "the relay pulls it as it starts" in findings.words("image")


def test_processes_in_place_of_containers_are_a_warning(make):
    relay = make({"required": False, "docker_host": "unix:///nowhere"})
    findings = Findings(relay, code=0)
    assert findings.status("engine") == findings.status("agent") == "warning"
    assert "NO CONTAINERS" in findings.words("agent")


def test_an_engine_that_hangs(make, tmp_path):
    path = tmp_path / "hangs.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        findings = Findings(make({"docker_host": f"unix://{path}"}), code=1)
    assert findings.named("failed") == ["engine"] and "did not answer in time" in findings.words("engine")


def test_secrets_stay_secret(make, tools_image):
    relay = make({"image": tools_image, "command": ["/bin/sh", "-c", "echo bad key $API_KEY >&2; exit 1"]},
                 {"agent": {"env": {"API_KEY": "sk-very-secret-key"}}})
    findings = Findings(relay, code=1)
    assert "bad key ***" in findings.words("agent") and "sk-very-secret-key" not in findings.text


@pytest.fixture
def unprivileged(make, engine):
    """(relay, prefix): a configuration of a user who is neither root nor may use the Engine."""
    directory = Path(tempfile.mkdtemp(prefix="acp-e2e-", dir="/tmp"))
    os.chmod(directory, 0o755)
    for program in ("acp-relay", "acp-workspace-helper", "acp-demo-agent"):
        shutil.copy(BINARY.with_name(program), directory)
    relay = make({"workspace_base_dir": str(directory / "sessions")}, {"database": {"path": str(directory / "db")}})
    relay.binary = directory / "acp-relay"
    moved = directory / "relay"
    shutil.copytree(relay.directory, moved)
    relay.directory, relay.config_file = moved, moved / "config.yaml"
    group = os.stat(engine.socket).st_gid
    yield relay, lambda *groups: ("setpriv", "--reuid=4711", "--regid=4711", "--inh-caps=-all", *(
        (f"--groups={group}",) if groups else ("--clear-groups",)))
    shutil.rmtree(directory)


def test_a_user_without_rights(unprivileged, engine):
    relay, as_user = unprivileged
    findings = Findings(relay, prefix=as_user(), code=1)
    assert set(findings.named("failed")) == {"engine", "database", "workspaces"}
    assert "permission denied" in findings.words("engine") and "usermod -aG" in findings.words("engine")
    assert "4711" in findings.words("workspaces") and "sudo install -d -o 4711" in findings.words("workspaces")
    assert "Permission denied" in findings.words("database")
    base = Path(relay.config["container"]["workspace_base_dir"])
    base.mkdir()
    findings = Findings(relay, prefix=as_user("docker"), code=1)
    assert findings.status("engine") == "ok"
    assert "sudo chown 4711" in findings.words("workspaces") and "belongs to root" in findings.words("workspaces")
    os.chown(base, 4711, 4711)
    findings = Findings(relay, prefix=as_user("docker"), code=1)
    assert findings.named("failed") == ["database"] and findings.status("agent") == "ok"
    assert os.listdir(base) == []
    base.rmdir()


@contextlib.contextmanager
def running_preflight(relay):
    process = subprocess.Popen([str(BINARY), "preflight", "--config", str(relay.config_file)], env=relay.env,
                               cwd=relay.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number, when", [(signal.SIGINT, "first"), (signal.SIGINT, "agent"),
                                          (signal.SIGTERM, "agent"), (signal.SIGHUP, "agent")])
def test_an_interruption_leaves_nothing(make, engine, own_image, number, when):
    relay = make({"image": own_image, "command": ["/bin/sleep", "600"], "startup_timeout": "1h"},
                 {"agents": {"next": {"isolation": "container"}}})
    with running_preflight(relay) as process:
        if when == "first":  # while the image is looked at, or the container is made
            wait_until(lambda: containers_of(engine, own_image), "a container is made")
        else:
            wait_until(lambda: engine.mounting(relay.base, running_only=True), "the agent runs")
        process.send_signal(number)
        out, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 5, out + err
    assert err == "acp-relay: interrupted\n"
    assert "agent:" not in out
    assert containers_of(engine, own_image) == []
    assert not relay.base.exists() and not relay.database.exists()


@pytest.fixture
def private_engine():
    yield from running()


def test_what_a_frozen_engine_keeps_is_named(make_relay, private_engine):
    relay = make_relay({"container": {"command": ["/bin/sleep", "600"], "startup_timeout": "60s"}}, start=False,
                       kind=ContainerRelay, engine=private_engine, image=containers.import_tools(private_engine))
    with running_preflight(relay) as process:
        wait_until(lambda: private_engine.mounting(relay.base, running_only=True), "the agent runs")
        with private_engine.frozen():
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 5, out + err
    label = out.split("--filter label=")[1].split(",")[0]
    assert "its container may be left" in out
    for left in private_engine.containers(label):
        private_engine.remove(left["Id"])
    relay.wait_for_containers(0)
    shutil.rmtree(relay.base)


def test_progress_is_for_terminals(make_relay):
    relay = make_relay(start=False)
    ours, theirs = pty.openpty()
    done = subprocess.run([str(BINARY), "preflight", "--config", str(relay.config_file)], env=relay.env,
                          cwd=relay.directory, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=2 * PATIENCE)
    os.close(theirs)
    shown = read_rest(ours).decode()
    os.close(ours)
    assert done.returncode == 0 and "starting the agent (at most " in shown and shown.endswith("\r\x1b[K")
    assert "starting" not in done.stdout


def test_the_script_runs_it(make_relay):
    relay = make_relay(start=False)
    done = subprocess.run([ROOT / "scripts/preflight.sh", "--json", "--config", str(relay.config_file)],
                          env=relay.env, cwd=relay.directory, capture_output=True, text=True, timeout=5 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["name"] for one in json.loads(done.stdout)][0] == "configuration"
