"""The documents are true: their examples run, their links lead somewhere, the keys they name exist.

In a document, a comment before a fenced block says what it is:
  <!-- test -->             a shell block, run with bash; $SESSION keeps its value from block to block
  <!-- output -->           lines that the block before it must print, in this order, others between them
  <!-- test: websocket -->  lines of one connection: "> " is sent, "< " must come, in this order
  <!-- test: container -->  like test, on a relay with containers of the demo agent; behind "container" may
                            stand configuration as JSON, and each one has a relay and a $SESSION of its own
JSON of a document may leave members out. Ids, times and numbers differ from run to run; a text that ends
in "..." is a beginning.
"""
import importlib.util
import json
import os
import re
import subprocess

import pytest

from harness.deadline import PATIENCE
from harness.relay import BINARY, DEMO_AGENT, ROOT

BLOCK = re.compile(r"(?:<!-- (?P<mark>[a-z: ]+)(?P<config>\{[^\n]*\})? ?-->\n)?^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S)
VOLATILE = ((re.compile(r"sess_[0-9a-f]{32}"), "sess_ID"), (re.compile(r"demo-[0-9a-f]+"), "demo-ID"),
            (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"), (re.compile(r"\bpid \d+"), "pid N"),
            (re.compile(r"\bclient_\d+"), "client_N"))
FOREIGN = {"build", "node_modules", ".venv", ".git"}


def documents():
    """Those that git knows or would add; where there is no git, all but what was installed or built."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, capture_output=True, check=False).stdout.decode("utf-8")
    found = [ROOT / name for name in listed.split("\0") if name] or [
        path for path in ROOT.rglob("*.md") if not FOREIGN & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


DOCUMENTS = documents()


def name_of(path):
    return str(path.relative_to(ROOT))


def blocks(path):
    """(mark, configuration, text) of the marked blocks of a document."""
    found = BLOCK.finditer(path.read_text("utf-8"))
    return [(block["mark"].strip(), block["config"] or "{}", block["body"]) for block in found if block["mark"]]


def stable(text):
    for pattern, word in VOLATILE:
        text = pattern.sub(word, text)
    return text


def agrees(shown, real):
    """Whether a value of a document describes a real one."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(key in real and agrees(value, real[key])
                                              for key, value in shown.items())
    if isinstance(shown, list):
        return isinstance(real, list) and len(shown) <= len(real) and all(map(agrees, shown, real))
    if isinstance(shown, bool) or shown is None:
        return shown is real
    if isinstance(shown, int):  # ids and numbers of messages; codes of errors do not differ
        return isinstance(real, int) and (shown >= 0 or shown == real)
    if not isinstance(real, str):
        return False
    shown, real = stable(shown), stable(real)
    return real.startswith(shown[:-3]) if shown.endswith("...") else real == shown


def line_agrees(shown, real):
    for prefix in ("data: ", ""):
        if shown.startswith(prefix + "{") and real.startswith(prefix + "{"):
            return agrees(json.loads(shown[len(prefix):]), json.loads(real[len(prefix):]))
    return re.sub(r"\d+", "N", stable(shown)) == re.sub(r"\d+", "N", stable(real))


def check_output(shown, real):
    lines = iter(real.splitlines())
    for wanted in filter(None, shown.splitlines()):
        assert any(line_agrees(wanted, line) for line in lines), (
            f"the document shows\n{wanted}\nbut (here or after what came before) the relay said\n{real}")


class Shell:
    """Runs the blocks of a document one after another, as a reader would type them in a clone.

    The README is the first that is read: nothing is in PATH but what it puts there.
    """

    def __init__(self, relay, path):
        self.relay = relay
        built = relay.directory / "build/release"
        built.mkdir(parents=True)
        (built / "acp-relay").symlink_to(BINARY)
        (built / "acp-demo-agent").symlink_to(DEMO_AGENT)
        before = [] if path == ROOT / "README.md" else [str(built)]
        self.env = {"PATH": ":".join([*before, os.environ["PATH"]]), "HOME": os.environ.get("HOME", "/"),
                    "DOCKER_HOST": relay.config["container"].get("docker_host", ""),
                    "ACP_RELAY_URL": relay.http_url, "ACP_RELAY_MANAGEMENT_URL": relay.management_url}

    def ports(self, text):
        server = self.relay.config["server"]
        for port, key in (("8080", "http_port"), ("8081", "websocket_port"), ("8082", "management_port")):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{server[key]}")
        return text.replace("/var/lib/acp-relay/workspaces", str(getattr(self.relay, "base", "")))

    def run(self, block):
        script = (f"set -e; test ! -f session || . ./session\n{self.ports(block)}\n"
                  "test -z \"${SESSION-}\" || declare -p SESSION > session")
        done = subprocess.run(["bash", "-c", script], cwd=self.relay.directory, env=self.env, text=True,
                              capture_output=True, timeout=2 * PATIENCE, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{block}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout


def websocket_block(relay, block):
    client, position, asked = relay.websocket(), 0, []
    for line in filter(None, block.splitlines()):
        direction, message = line[0], json.loads(line[2:])
        if direction == ">":
            if "method" not in message:  # the answer to the relay's request, whose id is of this run
                message["id"] = asked.pop(0)
            else:
                client.methods[json.dumps(message["id"])] = message["method"]
            client.send(message)
            continue
        real = client.wait_for(lambda one: agrees(message, one), line, start=position)
        position = client.messages.index(real) + 1
        if "method" in real and "id" in real:
            asked.append(real["id"])
    client.close()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if blocks(path)], ids=name_of)
def test_examples_do_what_the_document_says(path, make_relay, request, record_property):
    relay = make_relay()
    shell, output, contained = Shell(relay, path), "", {}
    for mark, config, body in blocks(path):
        if mark == "test":
            output = shell.run(body)
        elif mark == "test: container":
            if config not in contained:
                keys = json.loads(config)
                make = request.getfixturevalue("make_container_relay")
                record_property("needs_engine", "yes")  # as conftest.py does for fixtures that it can see
                contained[config] = Shell(make(keys.pop("container", {}), keys), path)
            output = contained[config].run(body)
        elif mark == "output":
            check_output(body, output)
        elif mark == "test: websocket":
            websocket_block(relay, body)
        else:
            pytest.fail(f"unknown mark: {mark}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path):
    text = BLOCK.sub("", path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.M)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{target}: no such heading among {slugs}"


def configuration_keys():
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    table = text.split("<!-- keys:")[1].split("<!-- end of keys -->")[0]
    rows = re.findall(r"^\| ((?:`[\w.]+`(?: or )?)+) \|", table, re.M)
    return {key for row in rows for key in re.findall(r"`([\w.]+)`", row)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_configuration_keys_exist(path):
    keys = configuration_keys()
    assert "agent.command" in keys and "auth.tokens" in keys
    sections = "|".join({key.split(".")[0] for key in keys if "." in key})
    named = re.compile(rf"`(?:ACP_RELAY_\w+|((?:agents\.[\w-]+|{sections})(?:\.[a-z_]+)+)(?:\[\S*)?(?::[^`]*)?)`")
    found = {re.sub(r"^agents\.[\w-]+", "agents.NAME", key) for key in named.findall(path.read_text("utf-8"))}
    unknown = {key for key in found - {"agents.NAME.agent"}  # a finding of preflight
               if key and key not in keys and not key.endswith((".hpp", ".cpp", ".py", ".md"))
               and not any(known.startswith(key + ".") for known in keys)
               and key.rsplit("_seconds", 1)[0] not in keys}
    assert not unknown


def test_the_table_of_errors_is_complete():
    source = (ROOT / "src/base/error.cpp").read_text("utf-8")
    table = (ROOT / "docs/api.md").read_text("utf-8").split("<!-- error types -->")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == re.findall(
        r"case ErrorType::\w+:\s+return \"(\w+)\";", source)


def test_the_map_of_folders_is_what_the_lint_checks():
    spec = importlib.util.spec_from_file_location("check_layers", ROOT / "tools/check_layers.py")
    lint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lint)
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("<!-- layers -->")[1].split("\n\n")[0]
    shown = {folder: set() if uses == "-" else set(uses.split(", "))
             for folder, uses in re.findall(r"^\| `(\w+)` \|.*\| ([a-z, -]+) \|$", table, re.M)}
    assert shown == lint.LAYERS


def known_tests():
    """What a document may name: "Suite.Name" of C++, "test_file.py::test_name" of Python."""
    for path in [*(ROOT / "src").rglob("*_test.cpp"), *(ROOT / "tests").rglob("*_test.cpp")]:
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text("utf-8"), re.M):
            yield f"{suite}.{name}"
    for path in (ROOT / "tests/e2e").glob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M):
            yield f"{path.name}::{name}"


def test_every_bound_names_the_tests_that_fill_it():
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("| Filled to its edge by |")[1].split("\n\n")[0]
    rows = table.strip().split("\n")[1:]
    known = set(known_tests())
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`([^`]+)`", row.rsplit("| ", 1)[1])
        assert named and set(named) <= known, f"{row}: {set(named) - known} do not exist"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_and_files_exist(path):
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert not set(re.findall(r"`make ([a-z0-9-]+)", text)) - targets
    for name in re.findall(r"`([a-z]+/[a-z_/]+\.(?:[ch]pp|py|sh|txt|yaml|cmake))`", text):
        assert (ROOT / name).exists() or (ROOT / "src" / name).exists(), f"{name} does not exist"


def test_metrics_that_are_named_are_there(relay):
    real = relay.management("/metrics").text
    for path in DOCUMENTS:
        for name in re.findall(r"\bacp_relay_[a-z_]+\b", path.read_text("utf-8")):
            assert f"# TYPE {name} " in real, f"{name_of(path)} names {name}"
