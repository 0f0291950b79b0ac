import count_results

SUITE = """<testsuites><testsuite>
<testcase name="good" status="run"/>
<testcase name="bad" status="fail"><failure message="x"/></testcase>
<testcase name="left out"><skipped/></testcase>
</testsuite></testsuites>"""


def test_adds_up_reports_and_lints(tmp_path):
    (tmp_path / "unit.xml").write_text(SUITE)
    (tmp_path / "lint-layers.txt").write_text("pass\n")
    (tmp_path / "lint-text.txt").write_text("fail\n")
    assert count_results.count(tmp_path) == (2, 2, 1)


ON_ENGINE = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_container_limits" name="test_memory"/>
<testcase classname="tests.e2e.test_container_limits" name="test_cpu"><failure message="x"/></testcase>
<testcase classname="RealEngineStart.IsFast" name="RealEngineStart.IsFast" status="run"/>
<testcase classname="tests.e2e.test_http" name="test_a_word_about_test_container_names"/>
</testsuite></testsuites>"""


def test_tests_on_an_engine_are_counted_apart(tmp_path, monkeypatch, capsys):
    (tmp_path / "e2e.xml").write_text(ON_ENGINE)
    monkeypatch.setattr("sys.argv", ["count_results.py", str(tmp_path)])
    assert count_results.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "3 tests ran against a Docker Engine, 1 of them failed", "3 passed, 1 failed"]


def test_a_broken_report_is_a_failure(tmp_path):
    (tmp_path / "unit.xml").write_text("<testsuites>")
    assert count_results.count(tmp_path) == (0, 1, 0)


def test_a_failed_step_without_a_failed_test_counts(tmp_path, monkeypatch, capsys):
    (tmp_path / "lint-layers.txt").write_text("pass\n")
    monkeypatch.setattr("sys.argv", ["count_results.py", str(tmp_path), "--failed-steps", "1"])
    assert count_results.main() == 1
    assert capsys.readouterr().out == "1 passed, 1 failed\n"


def test_nothing_at_all_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["count_results.py", str(tmp_path)])
    assert count_results.main() == 1
