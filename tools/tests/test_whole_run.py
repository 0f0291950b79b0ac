import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRASHES = """import os, pytest, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
@pytest.mark.parametrize("number", range(40))
def test_it(number):
    number >= 3 or os.abort()
"""


def run(directory, text, *arguments):
    """(exit code, output) of pytest with one file of tests."""
    (directory / "test_it.py").write_text(text)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tools.whole_run",
                           "--rootdir", directory, *arguments, directory], cwd=ROOT, capture_output=True, text=True,
                          timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", [0, 2])
def test_a_whole_run_ends_as_it_would(tmp_path, workers):
    assert run(tmp_path, "def test_a(): pass\ndef test_b(): pass\n", "-n", str(workers))[0] == 0
    code, said = run(tmp_path, "def test_a(): assert 0\ndef test_b(): pass\n", "-n", str(workers))
    assert code == 1 and "did not run" not in said
    assert run(tmp_path, "def test_a(): pass\n", "--collect-only")[0] == 0


def test_crashes_are_failures_when_the_rest_runs(tmp_path):
    code, said = run(tmp_path, CRASHES, "-n", "2", "--max-worker-restart=9")
    assert code == 1 and "3 failed, 37 passed" in said


def test_a_run_that_gives_up_is_none(tmp_path):
    code, said = run(tmp_path, CRASHES, "-n", "2", "--max-worker-restart=0")
    assert code == 2 and " of 40 tests did not run" in said


def test_a_run_that_stops_at_a_failure_is_none(tmp_path):
    code, said = run(tmp_path, "def test_a(): assert 0\ndef test_b(): pass\n", "-x")
    assert code == 2 and "1 of 2 tests did not run" in said
