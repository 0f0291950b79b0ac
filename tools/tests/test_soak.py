import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def soak(*arguments):
    return subprocess.run([ROOT / "scripts/soak.sh", *arguments], capture_output=True, text=True, check=False)


def test_the_help_names_every_trial_without_a_build():
    done = soak("--help")
    assert done.returncode == 0, done.stderr
    for file in (ROOT / "tests/soak").glob("*_trial.py"):
        assert f"\n  {file.stem.removesuffix('_trial')} " in done.stdout
