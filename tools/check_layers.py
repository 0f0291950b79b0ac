#!/usr/bin/env python3
"""Keeps the folders of src/ in layers and the libraries in their places.

    tools/check_layers.py [SOURCE_ROOT]       default: the project this script lies in

Checked are the includes of every C++ file below src/, agents/, agent_init/, bench/ and workspace_helper/, and the
DEPENDS lists of the modules' CMake files. The tables below are the rules; ARCHITECTURE.md says why they are what they
are.
"""
import dataclasses
import pathlib
import re
import sys

# Bottom up. A module may include itself and the modules that are named behind it.
LAYERS = {
    "base": set(),
    "metrics": {"base"},
    "protocol": {"base"},
    "bridge": {"base", "protocol"},
    "config": {"base"},
    "http": {"base"},
    "egress": {"base", "http"},
    "engine": {"base", "http", "metrics"},
    "storage": {"base", "metrics", "protocol"},
    "backend": {"base", "egress", "engine", "http", "protocol"},
    "session": {"backend", "base", "metrics", "protocol", "storage"},
    "frontend": {"base", "http", "metrics", "protocol", "session"},
    "management": {"base", "http", "metrics", "protocol", "session", "storage"},
    "app": {"backend", "base", "config", "egress", "engine", "frontend", "http", "management", "metrics", "protocol",
            "session", "storage"},
    "cli": {"app", "backend", "base", "bridge", "config", "egress", "engine", "http", "management", "metrics",
            "protocol", "session", "storage"},
}


@dataclasses.dataclass(frozen=True)
class Confined:
    """A library that only some folders may include."""

    header: str  # a regular expression for the start of the included path
    homes: tuple  # prefixes of paths below src/


CONFINED = (
    Confined(r"boost/(beast|asio/ssl)|openssl/", ("http/",)),
    Confined(r"simdjson", ("protocol/", "http/")),
    Confined(r"sqlite3", ("storage/",)),
    Confined(r"yaml-cpp/", ("config/",)),
    Confined(r"CLI/", ("cli/",)),
    Confined(r"spawn\.h", ("backend/process/", "egress/secret_command")),
    Confined(r"prometheus/", ("metrics/",)),
    Confined(r"agent_init/", ("egress/carried_connections",)),  # what both sides of a carrier say
)

# Values in, decisions out: these neither wait nor know the loop, and include nothing that does, by way of other
# headers neither. Each is the beginning of a path below src/.
PURE = ("protocol/", "bridge/", "config/", "engine/stream_demuxer", "engine/tar", "session/message_router",
        "session/router", "http/websocket_codec", "http/event_stream", "backend/stderr_tail",
        "backend/docker/container_options", "backend/docker/container_spec", "backend/docker/container_user",
        "backend/docker/engine_abilities", "backend/docker/exit_cause", "backend/docker/home_files",
        "backend/docker/pull_progress", "backend/docker/output_counter", "backend/docker/log_place",
        "cli/preflight/finding", "cli/preflight/agent_rules", "cli/preflight/engine_rules",
        "cli/preflight/machine_rules", "cli/preflight/place_rules", "egress/access", "egress/budget", "egress/chunks",
        "egress/denial_answer", "egress/outgoing_headers", "egress/reach", "egress/request_target",
        "egress/usage_reader", "egress/withheld", "app/egress_words", "app/request_trail")
IO_HEADER = re.compile(r"boost/asio|base/async\.hpp")
# Headers that declare values beside what waits. Pure code may include them for the values, and what is behind them is
# not looked at: that pure code takes only the values of these is for readers to see.
MIXED = ("backend/agent.hpp", "egress/broker.hpp", "http/client.hpp", "http/websocket.hpp", "session/outbox.hpp",
         "storage/message_log.hpp")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.M)
MODULE = re.compile(r"relay_module\(\s*(\w+)([^)]*)\)")
KEYWORD = re.compile(r"[A-Z]+$")


def may_use(module, other):
    allowed = LAYERS[module]
    return other == module or other in allowed


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_source(name, text):
    """Problems of one file; `name` is its path below src/."""
    module = name.split("/")[0] if "/" in name else "cli"  # main() only calls the command line
    is_test = name.endswith("_test.cpp")
    if module not in LAYERS:
        yield f"{name}: {module}/ has no layer; add it to LAYERS in tools/check_layers.py"
        return
    for found in INCLUDE.finditer(text):
        header, where = found.group(1), f"{name}:{line_of(text, found.start())}"
        other = header.split("/")[0]
        if "/" in header and other in LAYERS and not may_use(module, other):
            yield f"{where}: {module}/ may not include {header}"
        for rule in CONFINED:
            if re.match(rule.header, header) and not name.startswith(rule.homes):
                yield f"{where}: {header} belongs in {', '.join(rule.homes)} only"
        if IO_HEADER.match(header) and name.startswith(PURE) and not is_test:
            yield f"{where}: pure code may not include {header}"


def way_to_io(name, includes, passed):
    """The headers by which a file reaches one that waits, or None; which of MIXED it passed is noted."""
    ways, ahead = {name: ()}, [name]
    while ahead:
        file = ahead.pop(0)
        for header in includes.get(file, ()):
            if IO_HEADER.match(header):
                return *ways[file], header
            if header in MIXED:
                passed.add(header)
            elif header not in ways:
                ways[header] = (*ways[file], header)
                ahead.append(header)
    return None


def check_pure(texts):
    """Problems of {path below src/: text}: what pure code includes by way of others (direct ones are check_source's),
    and lines of the tables that are for nothing."""
    # A file beside it may be named without its folder.
    includes = {name: [header if header in texts or "/" in header else f"{name.rpartition('/')[0]}/{header}"
                       for header in INCLUDE.findall(text)] for name, text in texts.items()}
    passed = set()
    for name in sorted(texts):
        if name.startswith(PURE) and not name.endswith("_test.cpp"):
            way = way_to_io(name, includes, passed)
            if way and len(way) > 1:
                yield f"src/{name}: pure code may not include {way[-1]}, which comes by way of {', '.join(way[:-1])}"
    for prefix in PURE:
        if not any(name.startswith(prefix) for name in texts):
            yield f"tools/check_layers.py: PURE names {prefix}, and no file is called so"
    for header in MIXED:
        if header not in passed:
            yield f"tools/check_layers.py: MIXED names {header}, which no pure file needs"


def check_cmake(name, text):
    """Problems of one module's CMake file."""
    for found in MODULE.finditer(re.sub(r"#[^\n]*", "", text)):
        module, depends, keyword = found.group(1), [], ""
        for word in found.group(2).split():
            if KEYWORD.match(word):
                keyword = word
            elif keyword == "DEPENDS":
                depends.append(word)
        if module not in LAYERS:
            yield f"{name}: {module} has no layer; add it to LAYERS in tools/check_layers.py"
            continue
        for other in depends:
            if not may_use(module, other):
                yield f"{name}: {module} may not depend on {other}"


def check_table():
    """The table itself must have no cycle: every layer uses earlier ones only."""
    seen = set()
    for module, allowed in LAYERS.items():
        for other in sorted(allowed - seen):
            yield f"tools/check_layers.py: {module} uses {other}, which is not below it"
        seen.add(module)


def check_outside(name, text):
    """Programs beside src/ keep their hands off the confined libraries that need care."""
    for found in INCLUDE.finditer(text):
        if re.match(r"sqlite3|yaml-cpp/|prometheus/", found.group(1)):
            yield f"{name}:{line_of(text, found.start())}: {found.group(1)} belongs below src/ only"


def check_tree(root):
    yield from check_table()
    source = root / "src"
    if not any(source.rglob("*.?pp")):
        yield f"{source}: no C++ file found"
    texts = {path.relative_to(source).as_posix(): path.read_text("utf-8") for path in sorted(source.rglob("*.[ch]pp"))}
    for name, text in texts.items():
        for problem in check_source(name, text):
            yield f"src/{problem}"
    yield from check_pure(texts)
    for path in sorted(source.rglob("CMakeLists.txt")):
        yield from check_cmake(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    for folder in ("agents", "agent_init", "bench", "workspace_helper"):
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            yield from check_outside(path.relative_to(root).as_posix(), path.read_text("utf-8"))


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    problems = list(check_tree(root))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
