import collections
import pathlib
import re

import count_results

LIVE_TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests/docker"

SUITE = """<testsuites><testsuite>
<testcase name="good" status="run"/>
<testcase name="bad" status="fail"><failure message="x"/><system-out>it said why</system-out></testcase>
<testcase name="left out"><skipped/></testcase>
</testsuite></testsuites>"""


def run(monkeypatch, capsys, *arguments):
    """(exit code, lines) of the tool."""
    monkeypatch.setattr("sys.argv", ["count_results.py", *map(str, arguments)])
    return count_results.main(), capsys.readouterr().out.splitlines()


def test_adds_up_reports_and_lints(tmp_path):
    (tmp_path / "unit.xml").write_text(SUITE)
    (tmp_path / "lint-layers.txt").write_text("pass\n")
    (tmp_path / "lint-text.txt").write_text("fail\n")
    outcomes = collections.Counter(case.outcome for case in count_results.collect(tmp_path))
    assert outcomes == {"passed": 2, "failed": 2, "skipped": 1}


ON_ENGINE = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_egress" name="test_memory"><properties>
<property name="needs_engine" value="yes"/></properties></testcase>
<testcase classname="tests.e2e.test_egress" name="test_cpu"><properties><property name="seed" value="1"/>
<property name="needs_engine" value="yes"/></properties><failure message="x"/></testcase>
<testcase classname="EngineLive.Starts" name="EngineLive.Starts" status="run"/>
<testcase classname="Reattach.GoesOn" name="Reattach.GoesOn" status="run"/>
<testcase classname="ReattachPlan.IsPure" name="ReattachPlan.IsPure" status="run"/>
<testcase classname="tests.e2e.test_container_images" name="test_a_name_is_not_enough"/>
</testsuite></testsuites>"""


def test_tests_on_an_engine_are_counted_apart(tmp_path, monkeypatch, capsys):
    (tmp_path / "e2e.xml").write_text(ON_ENGINE)
    assert run(monkeypatch, capsys, tmp_path) == (1, [
        "4 tests ran against a Docker Engine, 1 of them failed", "5 passed, 1 failed"])


def test_every_live_suite_counts_as_one_on_an_engine():
    tests = [test for file in LIVE_TESTS.glob("*.cpp")
             for test in re.findall(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", file.read_text("utf-8"), re.MULTILINE)]
    assert tests and all(count_results.in_engine_suite(".".join(test)) for test in tests), tests


def test_a_test_on_an_engine_that_is_skipped_is_no_success(tmp_path, monkeypatch, capsys):
    skipped = ON_ENGINE.replace("failure", "skipped")
    (tmp_path / "e2e.xml").write_text(skipped)
    assert run(monkeypatch, capsys, tmp_path) == (1, [
        "3 tests ran against a Docker Engine, 0 of them failed, 1 more did not run: not complete",
        "skipped, so this run is not complete: tests/e2e/test_egress.py::test_cpu",
        "5 passed, 0 failed, 1 skipped"])


def test_any_end_to_end_test_that_is_skipped_is_no_success(tmp_path, monkeypatch, capsys):
    (tmp_path / "unit.xml").write_text(ENGINE)
    (tmp_path / "e2e.xml").write_text(
        '<testsuite><testcase classname="tests.e2e.test_http" name="test_a"><skipped/></testcase></testsuite>')
    assert run(monkeypatch, capsys, tmp_path) == (1, [
        "1 tests ran against a Docker Engine, 0 of them failed",
        "skipped, so this run is not complete: tests/e2e/test_http.py::test_a", "1 passed, 0 failed, 1 skipped"])


def test_a_run_without_an_engine_is_no_success(tmp_path, monkeypatch, capsys):
    (tmp_path / "lint-layers.txt").write_text("pass\n")
    assert run(monkeypatch, capsys, tmp_path) == (1, [
        "0 tests ran against a Docker Engine, 0 of them failed: not complete", "1 passed, 0 failed"])


ENGINE = """<testsuite><testcase classname="EngineLive.Starts" name="EngineLive.Starts" status="run"/></testsuite>"""


CTEST = """<testsuite>
<testcase name="Good.Runs" classname="Good.Runs" status="run"><system-out>fine</system-out></testcase>
<testcase name="Left.Out" classname="Left.Out" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>[  SKIPPED ] Left.Out (0 ms)</system-out></testcase>
<testcase name="Off.Now" classname="Off.Now" status="disabled"><system-out>Disabled</system-out></testcase>
</testsuite>"""
NOT_RUN = """<testcase name="No.Program" classname="No.Program" status="notrun">
<skipped message="Unable to find executable"/><system-out>Unable to find executable: x_test</system-out></testcase>
"""


def test_what_ctest_could_not_run_failed(tmp_path, monkeypatch, capsys):
    (tmp_path / "engine.xml").write_text(ENGINE)
    report = tmp_path / "unit.xml"
    report.write_text(CTEST)
    code, lines = run(monkeypatch, capsys, tmp_path)
    assert code == 0 and lines[-1] == "2 passed, 0 failed, 2 skipped"
    report.write_text(CTEST.replace("</testsuite>", NOT_RUN + "</testsuite>"))
    code, lines = run(monkeypatch, capsys, tmp_path, "--show")
    assert code == 1 and lines[-1] == "2 passed, 1 failed, 2 skipped"
    assert "    Unable to find executable: x_test" in lines
    assert run(monkeypatch, capsys, "--failed-in", report, "--as-pattern") == (0, [r"^(No\.Program)$"])
    report.write_text(CTEST.replace('<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>', ""))
    code, lines = run(monkeypatch, capsys, tmp_path)
    assert code == 1 and lines[-1] == "2 passed, 1 failed, 1 skipped"


FIRST = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_http" name="test_a[x.y]@group"><failure message="x"/></testcase>
<testcase classname="tests.e2e.test_http" name="test_b"><error message="x"/></testcase>
<testcase classname="tests.e2e.test_http" name="test_c"/>
</testsuite></testsuites>"""
AGAIN = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_http" name="test_a[x.y]"/>
<testcase classname="tests.e2e.test_http" name="test_b"><error message="x"/></testcase>
</testsuite></testsuites>"""


def test_what_passes_when_it_runs_again_is_unsteady(tmp_path, monkeypatch, capsys):
    (tmp_path / "unit.xml").write_text(ENGINE)
    (tmp_path / "e2e.xml").write_text(FIRST)
    (tmp_path / "e2e.again.xml").write_text(AGAIN)
    code, lines = run(monkeypatch, capsys, tmp_path)
    assert code == 1
    assert lines[0].startswith("unsteady: tests/e2e/test_http.py::test_a[x.y] failed, and passed alone")
    assert lines[1].startswith("1 unsteady") and lines[-1] == "3 passed, 1 failed"

    (tmp_path / "e2e.again.xml").write_text(AGAIN.replace("<error message=\"x\"/>", ""))
    code, lines = run(monkeypatch, capsys, tmp_path)
    assert code == 0 and lines[-1] == "4 passed, 0 failed" and lines[2].startswith("2 unsteady")


def test_names_failed_tests_as_they_are_run_again(tmp_path, monkeypatch, capsys):
    (tmp_path / "e2e.xml").write_text(FIRST)
    assert run(monkeypatch, capsys, "--failed-in", tmp_path / "e2e.xml") == (0, [
        "tests/e2e/test_http.py::test_a[x.y]", "tests/e2e/test_http.py::test_b"])
    (tmp_path / "unit.xml").write_text(SUITE.replace("\"bad\"", "\"suite.Is/0\""))
    assert run(monkeypatch, capsys, "--failed-in", tmp_path / "unit.xml", "--as-pattern") == (
        0, [r"^(suite\.Is/0)$"])
    (tmp_path / "good.xml").write_text("<testsuites/>")
    assert run(monkeypatch, capsys, "--failed-in", tmp_path / "good.xml")[0] == 1


def test_shows_what_failed_in_any_round(tmp_path, monkeypatch, capsys):
    for number in (1, 2):
        (tmp_path / f"round-{number}").mkdir()
        (tmp_path / f"round-{number}" / "unit.xml").write_text(SUITE)
    code, lines = run(monkeypatch, capsys, tmp_path, "--show")
    assert code == 1 and lines[1] == "failed 2 times: bad"
    assert sum("it said why" in line for line in lines) == 2
    assert lines[-1] == "2 passed, 2 failed, 2 skipped"


def test_a_broken_report_is_a_failure(tmp_path, monkeypatch, capsys):
    (tmp_path / "engine.xml").write_text(ENGINE)
    (tmp_path / "unit.xml").write_text("<testsuites>")
    code, lines = run(monkeypatch, capsys, tmp_path)
    assert code == 1 and lines[-1] == "1 passed, 1 failed"


def test_a_failed_step_without_a_failed_test_counts(tmp_path, monkeypatch, capsys):
    (tmp_path / "unit.xml").write_text(ENGINE)
    code, lines = run(monkeypatch, capsys, tmp_path, "--failed-steps", 1)
    assert code == 1 and lines[-1] == "1 passed, 1 failed"


def test_nothing_at_all_is_no_success(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, capsys, tmp_path)[0] == 1
