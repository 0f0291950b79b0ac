"""Waiting for conditions. Tests never sleep for a guess; they wait until something is true."""
import os
import time

# Sanitized builds are several times slower.
SCALE = float(os.environ.get("ACP_TEST_TIME_SCALE", "1"))
PATIENCE = 60.0 * SCALE  # for what comes within a moment, unless the machine is very busy


class Late(AssertionError):
    """A condition did not become true in time."""


def scaled(seconds):
    """A limit of so many seconds; PATIENCE for None."""
    return PATIENCE if seconds is None else seconds * SCALE


def key_of(seconds):
    """The same as a configuration has it."""
    return f"{round(scaled(seconds))}s"


def wait_until(condition, what, seconds=None, every=0.01):
    """Returns the first true value of condition(); fails with `what` when the time is over."""
    end = time.monotonic() + scaled(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"did not happen in time: {what() if callable(what) else what}")
        time.sleep(every)
