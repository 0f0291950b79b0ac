#!/usr/bin/env python3
"""Adds up what a run of scripts/test.sh has seen and prints the closing lines.

  count_results.py DIRECTORY [--failed-steps N] [--show]   the closing lines; --show: with every failure's output
  count_results.py --failed-in REPORT [--as-pattern]       names of failed tests, to run them again

Reads JUnit files (*.xml, of ctest and pytest) and the one-word verdicts of the lints (lint-*.txt) below a
directory. NAME.again.xml holds the second run of tests that failed in NAME.xml: one that passed there is named as
unsteady, counted as passed, and to be mended. A step that failed without a failed test in it (a build, a crash)
counts as one failure. Tests that run against a Docker Engine (GoogleTest suites EngineLive and Reattach, and what
tests/e2e/conftest.py gives the property needs_engine) are also counted on a line of their own; a run that skips one,
or has none at all, is not complete. Nor is one in which pytest skips any test: a GoogleTest may lack what only some
machines have, an end-to-end test has all that it needs. What ctest could not run (there is no program) failed; only a
test that says so is skipped.
Ends with 0 when nothing failed, something passed and the run is complete.
"""
import argparse
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

# How long a failure's output may be on the terminal; all of it is in the report.
MAX_LINES = 120
# Of tests/docker.
ENGINE_SUITES = ("EngineLive", "Reattach")

Case = collections.namedtuple("Case", "report name outcome output needs_engine")


def in_engine_suite(name):
    return any(part in ENGINE_SUITES for part in re.split(r"[./:]+", name))


def of_pytest(name):
    return "::" in name


def name_of(case):
    """As pytest takes it from the command line: path::test; of ctest as it is."""
    group, name = case.get("classname", ""), re.sub(r"@[^]@]*$", "", case.get("name", ""))
    return name if group in ("", name) else f"{group.replace('.', '/')}.py::{name}"


def read(path):
    """The cases of a JUnit file; one that can't be read is a failure itself."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as problem:
        return [Case(path, path.name, "failed", str(problem), False)]
    cases = []
    for case in root.iter("testcase"):
        bad = [case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None]
        left_out = case.find("skipped")
        if case.get("status") == "notrun" and (left_out is None or not left_out.get("message", "").startswith("SKIP")):
            bad.append(case if left_out is None else left_out)
        if bad:
            outcome = "failed"
        elif left_out is not None or case.get("status") == "disabled":
            outcome = "skipped"
        else:
            outcome = "passed"
        said = [one.text or one.get("message", "") for one in bad] + [one.text or "" for one in case.iter("system-out")]
        name = name_of(case)
        needs_engine = in_engine_suite(name) or case.find("properties/property[@name='needs_engine']") is not None
        cases.append(Case(path, name, outcome, "\n".join(said).strip(), needs_engine))
    return cases


def collect(directory):
    """Every case once: what failed and passed when it ran again is "unsteady"."""
    cases = []
    for path in sorted(directory.rglob("*.xml")):
        if path.name.endswith(".again.xml"):
            continue
        again = path.with_name(path.stem + ".again.xml")
        second = {case.name: case.outcome for case in read(again)} if again.exists() else {}
        for case in read(path):
            passed_later = case.outcome == "failed" and second.get(case.name) == "passed"
            cases.append(case._replace(outcome="unsteady") if passed_later else case)
    for path in sorted(directory.rglob("lint-*.txt")):
        verdict = "passed" if path.read_text().strip() == "pass" else "failed"
        cases.append(Case(path, path.stem, verdict, "", False))
    return cases


def show(cases):
    """Every failure with the end of its output, and how often it was one."""
    failures = collections.defaultdict(list)
    for case in cases:
        if case.outcome == "failed":
            failures[case.name].append(case)
    for name, runs in sorted(failures.items()):
        print(f"\nfailed {len(runs)} times: {name}")
        for run in runs:
            print(f"  in {run.report}:")
            print("\n".join("    " + line for line in run.output.splitlines()[-MAX_LINES:]))


def closing_lines(cases, failed_steps):
    outcomes = collections.Counter(case.outcome for case in cases)
    failed = max(outcomes["failed"], failed_steps)
    on_engine = collections.Counter(case.outcome for case in cases if case.needs_engine)
    lines = [f"unsteady: {case.name} failed, and passed alone ({case.report})"
             for case in cases if case.outcome == "unsteady"]
    if lines:
        lines.append(f"{len(lines)} unsteady: their cause is to be found, see CONTRIBUTING.md")
    ran = sum(on_engine.values()) - on_engine["skipped"]
    lines.append(f"{ran} tests ran against a Docker Engine, {on_engine['failed']} of them failed"
                 + (f", {on_engine['skipped']} more did not run" if on_engine["skipped"] else "")
                 + ("" if ran and not on_engine["skipped"] else ": not complete"))
    left_out = [case.name for case in cases if case.outcome == "skipped" and of_pytest(case.name)]
    lines += [f"skipped, so this run is not complete: {name}" for name in left_out]
    passed = outcomes["passed"] + outcomes["unsteady"]
    lines.append(f"{passed} passed, {failed} failed"
                 + (f", {outcomes['skipped']} skipped" if outcomes["skipped"] else ""))
    return lines, failed == 0 and passed > 0 and ran > 0 and on_engine["skipped"] == 0 and not left_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path, nargs="?")
    parser.add_argument("--failed-steps", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--failed-in", type=pathlib.Path)
    parser.add_argument("--as-pattern", action="store_true")
    arguments = parser.parse_args()
    if arguments.failed_in:
        failed = [case.name for case in read(arguments.failed_in) if case.outcome == "failed"]
        print("^(" + "|".join(map(re.escape, failed)) + ")$" if arguments.as_pattern else "\n".join(failed))
        return 0 if failed else 1
    if not arguments.directory:
        parser.error("name a directory, or a report with --failed-in")
    cases = collect(arguments.directory)
    if arguments.show:
        show(cases)
    lines, good = closing_lines(cases, arguments.failed_steps)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
