"""Turns results into markdown tables.

`results[scenario name][contender name]` is a list with one dict of numbers, or None after a
failure, for each repeat. A ratio is taken within one repeat; what is shown is the median.
"""

import os
import platform
import statistics
from dataclasses import dataclass
from typing import Callable

FLOOR = "floor"
LOG_ON = "relay, log on"
LOG_OFF = "relay, log off"


class Results:
    def __init__(self, table):
        self._table = table

    def contenders(self, scenario):
        return [name for name, runs in self._table.get(scenario, {}).items() if any(runs)]

    def median(self, scenario, contender, key):
        values = [run[key] for run in self._runs(scenario, contender) if run and key in run]
        return statistics.median(values) if values else None

    def ratio(self, scenario, contender, key, base=FLOOR):
        pairs = zip(self._runs(scenario, contender), self._runs(scenario, base))
        values = [one[key] / other[key] for one, other in pairs
                  if one and other and key in one and other.get(key)]
        return statistics.median(values) if values else None

    def share_of_best(self, scenario, contender, key, base=FLOOR):
        """What the contender reaches at `key` of the base's best of all keys."""
        pairs = zip(self._runs(scenario, contender), self._runs(scenario, base))
        values = [one[key] / max(other.values()) for one, other in pairs if one and other]
        return statistics.median(values) if values else None

    def _runs(self, scenario, contender):
        return self._table.get(scenario, {}).get(contender, [])


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_ratio(results, scenario, contender, key):
    text = number(results.median(scenario, contender, key))
    ratio = results.ratio(scenario, contender, key)
    return text if ratio is None or contender == FLOOR else f"{text} ({ratio:.2f}x)"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


COLUMNS = {
    "round_trips": ("Round trips", [
        ("p50 us", "p50_us"), ("p99 us", "p99_us"), ("messages/s", "msgs_per_s"),
        ("CPU us a message", "cpu_us"), ("of it other threads", "cpu_other_us")]),
    "fan_out": ("One agent's 300 B updates to many clients", [
        ("deliveries/s", "deliveries_per_s"), ("CPU us a delivery", "cpu_us"),
        ("of it other threads", "cpu_other_us"), ("RSS after, KiB", "rss_kib")]),
    "session_start": ("Session start", [("p50 us", "p50_us"), ("p99 us", "p99_us")]),
    "idle": ("Memory of what is idle, KiB each", [
        ("relay PSS", "pss_kib"), ("relay RSS", "rss_kib"),
        ("whole machine", "machine_kib"), ("relay PSS before", "relay_pss_kib")]),
    "container_start": ("Containers: session start", [("p50 us", "p50_us"), ("p99 us", "p99_us")]),
    "container_round_trips": ("Containers: round trips",
                              [("p50 us", "p50_us"), ("p99 us", "p99_us")]),
    "container_close": ("Containers: session end", [
        ("exit known, us", "exit_us"), ("nothing left, us", "gone_us")]),
    "container_at_once": ("Containers: sessions started a second", [
        (f"{number} at a time", f"at_{number}") for number in (1, 2, 4, 8, 16)]),
    "container_idle": ("Containers: memory of what is idle, KiB each", [
        ("relay PSS", "pss_kib"), ("relay RSS", "rss_kib"), ("whole machine", "machine_kib"),
        ("relay PSS before", "relay_pss_kib"), ("sessions", "sessions")]),
}


@dataclass(frozen=True)
class Goal:
    text: str
    limit: float
    at_least: bool
    value: Callable  # (Results, contender) -> number or None
    contenders: tuple = (LOG_ON, LOG_OFF)

    def reached(self, value):
        return value >= self.limit if self.at_least else value <= self.limit


def ratio_of(scenario, key, base=FLOOR):
    return lambda results, contender: results.ratio(scenario, contender, key, base)


def median_of(scenario, key):
    return lambda results, contender: results.median(scenario, contender, key)


GOALS = [
    Goal("300 B, 1 in flight: p50 to the floor", 1.3, False, ratio_of("300x1", "p50_us")),
    Goal("300 B, 1 in flight: CPU to the floor", 1.6, False, ratio_of("300x1", "cpu_us")),
    Goal("300 B, 16 in flight: messages/s to the floor", 0.25, True,
         ratio_of("300x16", "msgs_per_s")),
    Goal("300 B, 32 sessions: messages/s to the floor", 0.7, True,
         ratio_of("300x32s", "msgs_per_s")),
    Goal("64 KiB, 1 in flight: p50 to the floor", 1.6, False, ratio_of("64kx1", "p50_us")),
    Goal("blast to 100: CPU us a delivery", 0.4, False, median_of("blast100", "cpu_us")),
    Goal("log on to log off: p50 of 300 B, 1 in flight", 1.1, False,
         lambda results, contender: results.ratio("300x1", contender, "p50_us", LOG_OFF),
         (LOG_ON,)),
    Goal("session start: p50 to posix_spawn + handshake", 1.3, False, ratio_of("start", "p50_us")),
    Goal("idle client: KiB of relay PSS", 10, False, median_of("idle_clients", "pss_kib")),
    Goal("container start: p50 to the bare client", 1.05, False,
         ratio_of("container_start", "p50_us"), (LOG_ON,)),
    Goal("container start: p50 to docker run", 0.6, False,
         ratio_of("container_start", "p50_us", "docker run"), (LOG_ON,)),
    Goal("container round trip: p50 to the bare attach", 1.2, False,
         ratio_of("container_round_trip", "p50_us"), (LOG_ON,)),
    Goal("container close: exit known to the Engine's own wait", 1.05, False,
         ratio_of("container_close", "exit_us"), (LOG_ON,)),
    Goal("containers, 16 at a time: starts/s to the bare client's best", 0.95, True,
         lambda results, contender: results.share_of_best("container_at_once", contender, "at_16"),
         (LOG_ON,)),
]


def verdict(goal, values):
    """Yes, no, or with which of the two it is reached."""
    if not values:
        return "not measured"
    reached = [name for name, value in values.items() if goal.reached(value)]
    if len(reached) == len(values):
        return "yes"
    return f"{reached[0].removeprefix('relay, ')} only" if reached else "no"


def goal_rows(results):
    for goal in GOALS:
        measured = {name: goal.value(results, name) for name in goal.contenders}
        values = {name: value for name, value in measured.items() if value is not None}
        cells = [f"{values[name]:.2f}" if name in values else "-" for name in (LOG_ON, LOG_OFF)]
        bound = ("at least " if goal.at_least else "at most ") + f"{goal.limit:g}"
        yield [goal.text, bound, *cells, verdict(goal, values)]


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    load = os.getloadavg()[2]
    return (f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, "
            f"load of the last 15 minutes {load:.1f}")


def render(scenarios, table_of_results, repeats, quick=False):
    results = Results(table_of_results)
    lines = [f"Machine: {machine()}. Medians of {repeats} interleaved repeats; "
             "(n x) is the ratio to the floor of the same repeat.", ""]
    if quick:
        lines += ["**A quick run shows that everything works; its numbers mean nothing.**", ""]
    for kind, (title, columns) in COLUMNS.items():
        rows = [[scenario.title, contender,
                 *(with_ratio(results, scenario.name, contender, key) for _, key in columns)]
                for scenario in scenarios if scenario.kind.startswith(kind)
                for contender in results.contenders(scenario.name)]
        if rows:
            head = ["", "contender", *(name for name, _ in columns)]
            lines += [f"## {title}", "", *table(head, rows)]
    lines += ["## Goals", "",
              *table(["goal", "limit", "log on", "log off", "reached"], goal_rows(results))]
    return "\n".join(lines)
