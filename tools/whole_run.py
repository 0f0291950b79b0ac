"""A plugin of pytest: a run that did not come to all the tests that it collected ends with 2, like an interrupted one.

    python3 -m pytest -p tools.whole_run ...        from the project's folder

pytest-xdist gives up after four crashes a worker. It ends with 1, as if the crashed tests alone had failed, and a
second run of those would hide that the others never ran.
"""
import pytest

ran = set()


def pytest_runtest_logreport(report):
    ran.add(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    is_worker = hasattr(session.config, "workerinput")  # it has collected all, and is given some
    missing = session.testscollected - len(ran)
    if is_worker or missing <= 0 or session.config.option.collectonly:
        return
    session.exitstatus = pytest.ExitCode.INTERRUPTED
    session.config.get_terminal_writer().line(f"\n{missing} of {session.testscollected} tests did not run")
