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
