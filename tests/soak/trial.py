"""What every trial shares: its relay, its clock, a watch on the relay's health, and the judgement at the end.

A trial is a function run(trial). It starts relays with trial.start(), asks trial.time_is_up() in its loops, tells
trial.progress(), and returns what was held, in words. What is wrong goes to trial.problem(); an exception is one,
too, and so is a time that is up before all was held. A load that can be repeated goes to trial.in_rounds(): what a
relay holds after the first round is what its allocator and its caches keep, what it holds more after the third than
after the second is a leak.
"""
import collections
import contextlib
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

import httpx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import processes, schema  # noqa: E402  the path above must come first
from harness.deadline import SCALE, Late, wait_until  # noqa: E402
from harness.relay import Relay, run_cli  # noqa: E402

HEALTH_SECONDS = 5 * SCALE  # an answer to GET /api/health, whatever else goes on
ROUNDS = 3
# For loads with large messages: malloc gives their blocks back at once, so that memory shows what is held, and not
# what lies free between blocks that are in use.
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
SHOWN = 8  # problems of a trial that are printed; all are counted


def memory(pid, name):
    """MiB of VmRSS or VmHWM."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


class Watch:
    """Asks for the relay's health several times a second, in a thread of its own."""

    def __init__(self, relay, problem):
        self.relay, self.problem = relay, problem
        self.slowest, self.asked = 0.0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with httpx.Client(timeout=HEALTH_SECONDS) as client:
            while not self._over.wait(0.2):
                begun = time.monotonic()
                try:
                    status = client.get(self.relay.management_url + "/api/health").status_code
                    if status != 200:
                        self.problem(f"GET /api/health is answered with {status}")
                except httpx.HTTPError as failure:
                    if not self._over.is_set():
                        self.problem(f"GET /api/health within {HEALTH_SECONDS:.0f} s: {failure!r}")
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.asked += 1

    def stop(self):
        self._over.set()
        self._thread.join()


class Trial:
    def __init__(self, name, size, seed, seconds):
        self.name, self.size, self.seed, self.seconds = name, size, seed, seconds
        self.random = random.Random(f"{seed} {name}")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="acp-soak.", dir="/tmp"))
        self.problems = collections.Counter()
        self.relay = self.watch = None
        self.measured = {}
        self.still_serves = lambda relay: relay.assert_serves()
        self.memory_slack = 64  # MiB that may stay above the start, without rounds
        self.memory_noise = 8  # MiB that two equal rounds may differ by
        self.part, self.round, self.after_rounds = size, 0, []  # size of a round; its number, from 1; MiB after each
        self.cleanup = contextlib.ExitStack()  # what a trial needs until its relay has ended
        self._shown_at = time.monotonic()
        self._out_of_time = False

    # What a trial calls.
    def start(self, config=None, **options):
        """A relay that serves, measured after a first session and watched from here on."""
        kind = options.pop("kind", Relay)
        base = {"log": {"level": "error"}}
        self.relay = kind(self.directory / "relay", {**base, **(config or {})}, **options).start()
        return self.relay

    def measure(self):
        """What the relay holds now is what it may hold at the end."""
        pid = self.relay.pid
        self.measured = {"memory": memory(pid, "VmRSS"), "descriptors": processes.descriptors(pid),
                         "children": len(self.relay.agents())}
        self.watch = Watch(self.relay, self.problem)

    def in_rounds(self, load, part=None):
        """What load() returned, ROUNDS times, each of `part`; by default they hold the size of the trial together."""
        self.part = part or -(-self.size // ROUNDS)
        held = []
        for self.round in range(1, ROUNDS + 1):
            held.append(load())
            self.come_to_rest()
            self.after_rounds.append(memory(self.relay.pid, "VmRSS"))
        return held

    def stop_watching(self):
        if self.watch:
            self.watch.stop()

    def time_is_up(self):
        """Asked before each piece of the load: True means that it is not held, and that the trial fails."""
        self._out_of_time = self._out_of_time or time.monotonic() - self._begun > self.seconds
        return self._out_of_time

    def progress(self, done, what):
        """At most one line in five seconds."""
        if time.monotonic() - self._shown_at > 5:
            self._shown_at = time.monotonic()
            of_round = f"round {self.round}: " if self.round else ""
            print(f"  {self.name}: {of_round}{done:,} of {self.part:,} {what}, {time.monotonic() - self._begun:.0f} s, relay "
                  f"{memory(self.relay.pid, 'VmRSS'):.0f} MiB", flush=True)

    def problem(self, text):
        self.problems[text[:1000]] += 1

    def check_error(self, error, where, by_relay=False):
        """An error of the relay's own is complete: causes and remedies, too. With by_relay it can be no agent's."""
        try:
            data = schema.check_error(error)
        except Exception as failure:  # a JSON of any other form
            self.problem(f"{where}: {str(failure)[:300]}: {str(error)[:400]}")
            return {}
        if by_relay and not data:
            self.problem(f"{where}: an error of the relay without its data: {str(error)[:400]}")
        return data

    def close_sessions(self):
        """The operator ends what is open."""
        code, _, errors = run_cli("sessions", "close", "--all", relay=self.relay)
        if code:
            self.problem(f"acp-relay sessions close --all: {errors}")

    def come_to_rest(self):
        """Waits until the relay has no more descriptors and agents than at measure()."""
        pid, before = self.relay.pid, self.measured
        self._wait_for("descriptors", lambda: processes.descriptors(pid), before["descriptors"] + 4)
        self._wait_for("agents", lambda: len(self.relay.agents()), before["children"])

    def settle(self):
        """Waits until the relay holds no more than it may, and says what it holds."""
        pid, before = self.relay.pid, self.measured
        self.come_to_rest()
        bound = self.after_rounds[-2] + self.memory_noise if self.round else before["memory"] + self.memory_slack
        self._wait_for("MiB", lambda: memory(pid, "VmRSS"), bound)
        rounds = ", ".join(f"{one:.0f}" for one in self.after_rounds or [memory(pid, "VmRSS")])
        return (f"memory {before['memory']:.0f} -> {rounds} MiB, at most {memory(pid, 'VmHWM'):.0f}; "
                f"descriptors {before['descriptors']} -> {processes.descriptors(pid)}")

    def _wait_for(self, name, value, bound):
        try:
            wait_until(lambda: value() <= bound, name, 30, every=0.1)
        except Late:
            self.problem(f"{value():.0f} {name} are left, at most {bound:.0f} are allowed")

    # How it goes.
    def run(self, body):
        print(f"{self.name}: {self.size:,}, seed {self.seed}", flush=True)
        self._begun = time.monotonic()
        held, left = "nothing", ""
        try:
            held = body(self)
            self.stop_watching()
            if self._out_of_time:
                self.problem(f"the time of {self.seconds} s was up before all {self.size:,} were held; --seconds "
                             "gives more")
            if not self.relay.running():
                self.problem(f"the relay ended with {self.relay.process.returncode}")
            else:
                self.still_serves(self.relay)
                left = self.settle()
                self.relay.stop()
                left += "; no process, container or open row is left, exit code 0"
        except Exception as failure:  # what failed is the trial's result
            place = traceback.extract_tb(failure.__traceback__)[-1]
            self.problem(f"{type(failure).__name__} at {pathlib.Path(place.filename).name}:{place.lineno}: {failure}")
        finally:
            self.stop_watching()
            if self.relay:
                self.relay.kill()
            self.cleanup.close()
        return self._tell(held, left)

    def _tell(self, held, left):
        for text, times in self.problems.most_common(SHOWN):
            print(f"  {self.name}: {times} x {text}")
        if self.problems:
            left += f"; kept for you: {self.directory}"
        else:
            with contextlib.suppress(OSError):
                shutil.rmtree(self.directory)
        if self.watch and self.watch.asked:
            left += f"; health asked {self.watch.asked} times, at most {self.watch.slowest:.2f} s"
        verdict = f"FAILED ({sum(self.problems.values())} problems)" if self.problems else "ok"
        print(f"{self.name}: {verdict}: {held}; {left}; {time.monotonic() - self._begun:.0f} s", flush=True)
        return not self.problems
