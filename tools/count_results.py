#!/usr/bin/env python3
"""Adds up what a run of scripts/test.sh has seen and prints the closing lines.

Reads JUnit files (*.xml, of ctest and pytest) and the one-word verdicts of the lints (lint-*.txt) in a
directory. A step that failed without a failed test in it (a build, a crash) counts as one failure. Tests
that run against a Docker Engine (tests/e2e/test_container_*.py, GoogleTest suites RealEngine*) are also
counted on a line of their own, so that a run without them can't look complete.
Ends with 0 when nothing failed and something passed.
"""
import argparse
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def needs_engine(case):
    names = case.get("classname", "") + "." + case.get("name", "")
    return any(part.startswith(("test_container_", "RealEngine")) for part in names.replace("/", ".").split("."))


def count_junit(path, chosen=lambda case: True):
    """(passed, failed, skipped) of those cases of one JUnit file that `chosen` likes."""
    passed = failed = skipped = 0
    for case in filter(chosen, ElementTree.parse(path).getroot().iter("testcase")):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count(directory):
    passed = failed = skipped = 0
    for path in sorted(directory.glob("*.xml")):
        try:
            one = count_junit(path)
        except ElementTree.ParseError as problem:
            print(f"{path}: {problem}", file=sys.stderr)
            one = (0, 1, 0)
        passed, failed, skipped = passed + one[0], failed + one[1], skipped + one[2]
    for path in directory.glob("lint-*.txt"):
        if path.read_text().strip() == "pass":
            passed += 1
        else:
            failed += 1
    return passed, failed, skipped


def count_engine(directory):
    """The same for the tests against a Docker Engine alone."""
    total = [0, 0, 0]
    for path in directory.glob("*.xml"):
        try:
            total = [a + b for a, b in zip(total, count_junit(path, needs_engine))]
        except ElementTree.ParseError:
            continue  # count() tells of it
    return tuple(total)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--failed-steps", type=int, default=0)
    arguments = parser.parse_args()
    passed, failed, skipped = count(arguments.directory)
    failed = max(failed, arguments.failed_steps)
    on_engine, bad_on_engine, left_out = count_engine(arguments.directory)
    if on_engine + bad_on_engine + left_out > 0:
        print(f"{on_engine + bad_on_engine} tests ran against a Docker Engine, {bad_on_engine} of them failed"
              + (f", {left_out} more did not run" if left_out else ""))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
