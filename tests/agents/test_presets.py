"""Agents of others, each by its preset alone: in a container without a network and without a key they finish a turn.

scripts/test.sh full installs them (tests/agents/package.json) and runs this. Their model is fake_model.py, over TLS.
"""
import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from fake_model import ECHO, fake_model  # noqa: E402  the paths above must come first
from harness import containers, sdk  # noqa: E402
from harness.engine import Engine  # noqa: E402

KEY = "sk-of-the-model-2b7d94"
MODULES = HERE / "node_modules"
INSIDE = "/opt/agents/node_modules"  # the last part has that name, or modules would not find each other
TOOLS = ("claude", "gemini", "opencode", "qwen")  # in these the model writes a file, too
OPENCODE = "opencode-linux-x64/bin/opencode"
CLAUDE = "@anthropic-ai/claude-agent-sdk-linux-x64/claude"


def script(name, *arguments):
    """A program of a package, as its package.json calls it."""
    package, program = name.rsplit(" ", 1)
    path = json.loads((MODULES / package / "package.json").read_text())["bin"][program]
    return ["/bin/node", f"{INSIDE}/{package}/{path.removeprefix('./')}", *arguments]


def commands():
    return {"claude": script("@agentclientprotocol/claude-agent-acp claude-agent-acp"),
            "codex": script("@agentclientprotocol/codex-acp codex-acp"),
            "gemini": script("@google/gemini-cli gemini", "--acp"),
            "opencode": [f"{INSIDE}/{OPENCODE}", "acp"],
            "qwen": script("@qwen-code/qwen-code qwen", "--acp")}


def image_of(engine):
    """Node.js, shells, and the libraries of the agents' own programs; the agents are mounted into it."""
    sdk.installed()
    files = {**containers.tools_files(), "bin/node": (0o755, 0, sdk.NODE.read_bytes()),
             "bin/bash": (0o755, 0, pathlib.Path("/bin/bash").read_bytes())}
    for program in (sdk.NODE, "/bin/bash", MODULES / OPENCODE, MODULES / CLAUDE):
        libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for line in libraries.splitlines():
            path = next((word for word in line.split() if word.startswith("/")), None)
            if path:
                files[path.lstrip("/")] = (0o755, 0, pathlib.Path(path).read_bytes())
    return containers.import_files(engine, "agents", files, "USER 1000:1000", "WORKDIR /workspace", "ENV PATH=/bin")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return {"cert": str(cert), "key": str(key)}


@pytest.fixture(scope="module")
def model(certificate):
    with fake_model(certificate) as model:
        yield model


@pytest.fixture(scope="module")
def relay(tmp_path_factory, model, certificate, request):
    engine = Engine.of_environment()
    image = image_of(engine)
    of_image = {"image": image, "extra_volumes": [f"{MODULES}:{INSIDE}:ro"]}
    agents = {name: {"preset": name, "command": command, **of_image} for name, command in commands().items()}
    agents["opencode-openai"] = {**agents["opencode"], "upstreams": ["openai"]}
    # The same with the model's other transport.
    provider = {"name": "model", "base_url": "http://127.0.0.1:9180/openai/v1", "env_key": "OPENAI_API_KEY",
                "wire_api": "responses", "supports_websockets": True}
    agents["codex-ws"] = {**agents["codex"], "env": {
        "CODEX_CONFIG": json.dumps({"model_provider": "model", "model_providers": {"model": provider}})}}
    upstream = {"url": model.url, "ca_file": certificate["cert"], "credential": {"value": KEY}}
    relay = containers.ContainerRelay(
        tmp_path_factory.mktemp("relay"), engine=engine, image=image,
        config={"sessions": {"permission_default": "allow"}, "container": {"startup_timeout": "120s", "memory_limit": "3G", "cpu_limit": 0}, "agents": agents,
                "egress": {"carrier": request.param, "upstreams": {name: upstream for name in ("anthropic", "openai", "gemini")}}})
    try:
        yield relay.start()
        relay.stop()
    finally:
        relay.kill()


def check_isolation(relay, session):
    container = relay.container(session)
    host = container["HostConfig"]
    assert host["NetworkMode"] == "none" and container["Config"]["NetworkDisabled"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and "no-new-privileges" in host["SecurityOpt"]
    code, out = relay.engine.exec(f"acp-agent-{session}", "/bin/sh", "-c",
                                  "id -u; ls /sys/class/net; grep CapEff /proc/self/status; touch /opt/x 2>&1")
    assert code != 0 and out.splitlines()[:2] == ["1000", "lo"], out
    assert "0000000000000000" in out and "Read-only" in out, out


def check_no_key(relay, session):
    assert KEY not in json.dumps(relay.container(session))
    in_two = f"'{KEY[:9]}''{KEY[9:]}'"  # or the script would find itself
    _, out = relay.engine.exec(
        f"acp-agent-{session}", "/bin/sh", "-c",
        "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; ls -laR /acp-relay; "
        # Programs are larger.
        f"find /home /tmp /run /var /workspace /etc -type f -size -8000k -exec grep -sl {in_two} {{}} + | sed 's/^/FOU''ND /'")
    assert "acp-agent-init" in out and "placeholder" in out
    assert "FOUND" not in out and KEY not in out


def test_the_images_have_the_versions_that_are_tried_here():
    lines = (HERE.parents[1] / "docker/agent/packages").read_text().splitlines()
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert {package: version for _, package, version, *_ in map(str.split, lines) if package in wanted} == wanted


@pytest.mark.parametrize("relay, agent", [
    *(("unix", agent) for agent in ("claude", "codex", "gemini", "opencode", "opencode-openai", "qwen", "codex-ws")),
    *(("stdio", agent) for agent in ("claude", "codex-ws"))], indirect=["relay"])
def test_finishes_a_turn_without_a_network_and_without_a_key(relay, model, agent):
    model.requests.clear()
    websockets = model.websockets
    client = relay.http()
    session = client.new("/workspace", agent=agent)
    said = client.prompt_text(session, f"hello from {agent}")
    assert ECHO in said and f"hello from {agent}" in said
    assert model.requests and {credential for _, credential, _ in model.requests} <= {KEY, f"Bearer {KEY}"}
    assert (model.websockets > websockets) == (agent == "codex-ws")
    if agent in TOOLS:
        client.prompt_text(session, "write the file /workspace/made.txt")
        assert (relay.host_workspace(session) / "made.txt").read_text().strip() == "written"
    check_isolation(relay, session)
    check_no_key(relay, session)
    client.result("session/close", sessionId=session)
    log = relay.log_text()
    assert KEY not in log and "is in no allow rule" not in log
    for file in relay.database.parent.glob("*.db*"):
        assert KEY.encode() not in file.read_bytes()
