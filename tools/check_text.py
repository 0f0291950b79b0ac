#!/usr/bin/env python3
"""Checks every text file of the project for what does not belong in it.

    tools/check_text.py [FILE...]       default: all files that git knows or would add

- words: paths of somebody's machine, open ends (an unnamed TO-DO)
- shape: UTF-8, no tabs in C++ and Python, no blanks at line ends, one newline at the end of the file
- size: at most 500 lines a source file
"""
import pathlib
import re
import subprocess
import sys

MAX_LINES = 500
SOURCE = {".cpp", ".hpp", ".py", ".sh", ".cmake", ".js", ".mjs"}
NO_TABS = {".cpp", ".hpp", ".py"}
BINARY = {".png", ".jpg", ".gz", ".db", ".pem", ".ico", ".woff2"}
# Material of others, kept as it is, and inputs for fuzzers, which are meant to be odd.
FOREIGN = ("tests/e2e/schema/", "tests/fuzz/corpus/", "LICENSE")

# Written so that this file does not match itself.
FORBIDDEN = (
    (re.compile(r"/(?:wo[r]k|fa[r]m)/(?:main|shared|\.\w+)"), "a path of one machine"),
    (re.compile(r"\.py[e]nv/"), "a path of one machine"),
    (re.compile(r"\bTOD[O]\b(?!\([a-z0-9#-]+\))"), "an open end without a topic"),
    (re.compile(r"\b(?:FIXM[E]|XX[X]|HAC[K])\b"), "an open end"),
)


def check_words(name, text):
    for pattern, what in FORBIDDEN:
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{name}:{line}: {what}: {found.group()}"


def check_shape(name, text):
    suffix = pathlib.PurePosixPath(name).suffix
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"
    if text.endswith("\n\n"):
        yield f"{name}: blank lines at the end"
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line != line.rstrip(" \t\r") and suffix != ".md":
            yield f"{name}:{number}: blanks at the end of the line"
        if suffix in NO_TABS and "\t" in line:
            yield f"{name}:{number}: a tab"
    if suffix in SOURCE and len(lines) - 1 > MAX_LINES:
        yield f"{name}: {len(lines) - 1} lines, at most {MAX_LINES} are allowed; split it by idea"


def check_file(name, data):
    """Problems of one file: its path in the project and its bytes."""
    if name.startswith(FOREIGN) or pathlib.PurePosixPath(name).suffix in BINARY:
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        yield f"{name}: not UTF-8 ({problem})"
        return
    yield from check_words(name, text)
    yield from check_shape(name, text)


def project_files(root):
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=False, capture_output=True)
    if listing.returncode != 0:
        sys.exit(f"git can't list the files: {listing.stderr.decode('utf-8', 'replace').strip()}")
    return sorted(name for name in listing.stdout.decode("utf-8").split("\0") if name)


def main(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    problems = []
    for name in arguments or project_files(root):
        path = root / name
        if path.is_file() and not path.is_symlink():
            problems.extend(check_file(name, path.read_bytes()))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
