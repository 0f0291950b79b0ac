#!/usr/bin/env python3
"""Every C++ file includes, itself or by its headers, what declares the names that it uses.

    tools/check_includes.py [SOURCE_ROOT]     default: the project this script lies in

The release compiles the files of a folder as one, so that a file may live on its neighbour's includes and
nobody sees it before another compiler does; and on what its neighbour keeps for itself. Looked at are types, aliases
and constants that exactly one file declares.
"""
import collections
import pathlib
import re
import sys

# Each with folders whose headers know each other.
PROGRAMS = (("src", "bench"), ("agents/demo",), ("agent_init",), ("workspace_helper",))

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)
IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|^[ \t]*#[^\n]*', re.S | re.M)
NAME = re.compile(r"\b(?:[A-Z][a-z0-9]\w*|k[A-Z]\w*)\b")
# What a header gives to others stands at the beginning of a line: no member, and not only announced.
GIVEN = re.compile(r"^(?:(?:struct|class|enum class|enum) (?:\[\[\w+\]\] )?(\w+) *(?:final *)?[:{]|using (\w+) =|"
                   r"(?:inline )?constexpr [^\n;{}()]*?\b(k[A-Z]\w*))", re.M)
AHEAD = re.compile(r"\b(?:struct|class|enum class) \w+;")
# Members, parameters of templates, announcements and test suites are a file's own names, too.
OWN = re.compile(r"\b(?:struct|class|enum class|enum|typename|using) (?:\[\[\w+\]\] )?(?:\w+::)*(\w+)|\bTEST\((\w+)|"
                 r"\b(?:constexpr|const) [^\n;{}()]*?\b(k[A-Z]\w*)")
ENUM = re.compile(r"\benum(?: class)? \w+[^{;]*\{([^}]*)\}")

# A function of a namespace begins its line; a member, and what is local, does not.
FUNCTION = re.compile(r"^(?!return|using|else)[A-Za-z_\[][\w:<>,*& \[\]]*[ &*>]([a-z]\w*)\(", re.M)
MEMBER = re.compile(r"^ +(?!return|co_await|co_return|throw|else)[A-Za-z_\[][\w:<>,*& \[\]]*[ &*>]([a-z]\w*)\(|"
                    r"\b(?:auto|std::function<[^;\n]*>)&? ([a-z]\w*)\b", re.M)
# Of the project's namespaces, too: those of libraries begin with their names.
CALL = re.compile(r"(?<![\w.:>~])(?!(?:std|boost|asio|beast|fmt|testing|simdjson)::)(?:[a-z]\w*::)*([a-z]\w*)\(")


def folder(path):
    return path.rpartition("/")[0]


def names(pattern, text):
    return {name for found in pattern.findall(text) for name in found if name}


def declared(text):
    """All that the file has a name of its own for."""
    return names(OWN, text) | {name for body in ENUM.findall(text) for name in NAME.findall(body)}


def owners(texts):
    """{name: file} of what one file gives and no other declares in any way."""
    homes, declaring = {}, collections.defaultdict(set)
    for path, text in texts.items():
        homes.update({name: path for name in names(GIVEN, text)})
        for name in declared(AHEAD.sub("", text)):
            declaring[name].add(path)
    return {name: path for name, path in homes.items() if declaring[name] <= {path}}


def functions(texts):
    """{name: header} of the functions that one header declares, and nothing else has the name of."""
    homes, taken = {}, set()
    for path, text in texts.items():
        taken |= names(MEMBER, text)
        for name in set(FUNCTION.findall(text)):
            if path.endswith(".hpp"):
                taken |= {name} & homes.keys()
                homes[name] = path
    for path, text in texts.items():
        headers = {other for other in texts if folder(other) == folder(path)}
        taken |= {name for name in set(FUNCTION.findall(text)) if homes.get(name, path) not in headers}
    return {name: path for name, path in homes.items() if name not in taken}


def reached(path, includes):
    seen, ahead = {path}, [path]
    while ahead:
        for header in includes.get(ahead.pop(), ()):
            if header not in seen:
                seen.add(header)
                ahead.append(header)
    return seen


def check(raw):
    """Problems of the files in {path: text}; the paths are those that includes name."""
    texts = {path: IGNORED.sub(" ", text) for path, text in raw.items()}
    # A file beside it may be named without its folder.
    includes = {path: [name if name in raw else f"{folder(path)}/{name}"
                       for name in INCLUDE.findall(text)] for path, text in raw.items()}
    homes = owners(texts) | functions(texts)
    for path, text in sorted(texts.items()):
        near = reached(path, includes)
        used = set(NAME.findall(text)) | (set(CALL.findall(text)) - set(FUNCTION.findall(text)))
        for name in sorted(used - declared(text)):
            home = homes.get(name, path)
            # What is no header is compiled with its neighbours alone.
            if home not in near and (home.endswith(".hpp") or folder(home) == folder(path)):
                yield f"{path}: uses {name} and does not include {home}"


def sources(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            yield path.relative_to(root / folder).as_posix(), path.read_text("utf-8")


def main(arguments):
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    problems = [problem for folders in PROGRAMS for problem in check(dict(sources(root, folders)))]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
