"""The agents of package.json, each by its preset, and the relays that run them."""
import contextlib
import functools
import json
import pathlib

from harness import containers, debian, sdk
from harness.engine import Engine

KEY = "sk-of-the-model-2b7d94"
MODULES = pathlib.Path(__file__).resolve().parent / "node_modules"
INSIDE = "/opt/agents/node_modules"  # the last part has that name, or modules would not find each other
OPENCODE = "opencode-linux-x64/bin/opencode"
CLAUDE = "@anthropic-ai/claude-agent-sdk-linux-x64/claude"


def script(name, *arguments, node="/bin/node", modules=INSIDE):
    """A program of a package, as its package.json calls it."""
    package, program = name.rsplit(" ", 1)
    path = json.loads((MODULES / package / "package.json").read_text())["bin"][program]
    return [str(node), f"{modules}/{package}/{path.removeprefix('./')}", *arguments]


def commands(**where):
    return {"claude": script("@agentclientprotocol/claude-agent-acp claude-agent-acp", **where),
            "codex": script("@agentclientprotocol/codex-acp codex-acp", **where),
            "gemini": script("@google/gemini-cli gemini", "--acp", **where),
            "opencode": [f"{where.get('modules', INSIDE)}/{OPENCODE}", "acp"],
            "qwen": script("@qwen-code/qwen-code qwen", "--acp", **where)}


def egress(model, certificate, **more):
    upstream = {"url": model.url, "ca_file": certificate["cert"], "credential": {"value": KEY}}
    return {"upstreams": {name: upstream for name in ("anthropic", "openai", "gemini")}, **more}


@functools.lru_cache(maxsize=None)
def image():
    """Node.js, shells, and the libraries of the agents' own programs; the agents are mounted into it."""
    sdk.installed()
    files = {**containers.tools_files(), "bin/node": (0o755, 0, sdk.NODE.read_bytes()),
             "bin/bash": (0o755, 0, pathlib.Path("/bin/bash").read_bytes())}
    for program in (sdk.NODE, "/bin/bash", MODULES / OPENCODE, MODULES / CLAUDE):
        for path in debian.libraries(program):
            files[path.lstrip("/")] = (0o755, 0, pathlib.Path(path).read_bytes())
    return containers.import_files(Engine.of_environment(), "agents", files, "USER 1000:1000", "WORKDIR /workspace",
                                   "ENV PATH=/bin")


def over_websocket():
    """Codex with the model's other transport."""
    provider = {"name": "model", "base_url": "http://127.0.0.1:9180/openai/v1", "env_key": "OPENAI_API_KEY",
                "wire_api": "responses", "supports_websockets": True}
    return {"env": {"CODEX_CONFIG": json.dumps({"model_provider": "model", "model_providers": {"model": provider}})}}


@contextlib.contextmanager
def contained_relay(directory, model, certificate, carrier="unix", more=None):
    """Each agent in a container without a network; `more`: {name: (agent, what it has besides)}."""
    of_image = {"image": image(), "extra_volumes": [f"{MODULES}:{INSIDE}:ro"]}
    agents = {name: {"preset": name, "command": command, **of_image} for name, command in commands().items()}
    for name, (kind, changes) in (more or {}).items():
        agents[name] = {**agents[kind], **changes}
    relay = containers.ContainerRelay(directory, engine=Engine.of_environment(), image=image(), config={
        "sessions": {"permission_default": "allow"},
        "container": {"startup_timeout": "120s", "memory_limit": "3G", "cpu_limit": 0},
        "agents": agents, "egress": egress(model, certificate, carrier=carrier)})
    try:
        yield relay.start()
        relay.stop()
    finally:
        relay.kill()


def check_no_key_is_kept(relay):
    """In the log, the database, and the journal with what clients were told."""
    assert KEY not in relay.log_text()
    files = [file for file in relay.database.parent.glob("*.db*") if file.is_file()]
    assert files
    for file in files:
        assert KEY.encode() not in file.read_bytes(), file
