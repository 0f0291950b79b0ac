"""What is measured: one Scenario for each call of the load client."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scenario:
    name: str
    kind: str  # the load client's scenario
    title: str
    arguments: dict = field(default_factory=dict)
    framing: str = "websocket"  # how the relay is reached; the floor speaks lines

    def client_arguments(self):
        return [part for name, value in self.arguments.items()
                for part in (f"--{name}", str(value))]


def round_trips(quick):
    seconds = 0.2 if quick else 1.5

    def one(name, title, framing="websocket", **arguments):
        return Scenario(name, "round_trips", title, {**arguments, "seconds": seconds}, framing)

    return [
        one("300x1", "300 B, 1 in flight", size=300),
        one("300x16", "300 B, 16 in flight", size=300, depth=16),
        one("300x32s", "300 B, 32 sessions", size=300, sessions=32),
        one("64kx1", "64 KiB, 1 in flight", size=65536),
        one("64kx16", "64 KiB, 16 in flight", size=65536, depth=16),
        one("http300", "HTTP prompt, 300 B", "http", size=300, method="prompt"),
        one("http64k", "HTTP prompt, 64 KiB", "http", size=65536, method="prompt"),
    ]


def fan_outs(quick):
    scenarios = []
    for paced in (0, 1):
        for clients in (1, 10, 100):
            # A paced update costs a wake-up, so many clients get fewer of them: the cost of one
            # delivery does not depend on how many there are.
            count = 100_000 if not paced or clients == 1 else 1_000_000 // clients
            if quick:
                count = 500
            style = "paced" if paced else "blast"
            scenarios.append(Scenario(
                f"{style}{clients}", "fan_out", f"{style}, {count:,} to {clients}",
                {"clients": clients, "count": count, "size": 300, "paced": paced}))
    return scenarios


def containers(quick):
    rounds, messages, sessions, idle = (3, 200, 16, 50) if quick else (30, 5000, 32, 200)
    at_a_time = "4,16" if quick else "1,2,4,8,16"
    return [
        Scenario("container_start", "container_start", "session/new to answer", {"count": rounds}),
        Scenario("container_round_trip", "container_round_trips", "300 B, 1 in flight",
                 {"count": messages, "size": 300}),
        Scenario("container_close", "container_close", "session/close", {"count": rounds}),
        Scenario("container_at_once", "container_at_once", f"{sessions} sessions",
                 {"count": sessions, "at-a-time": at_a_time}),
        Scenario("container_idle", "container_idle", "session in a container", {"count": idle},
                 "http"),
    ]


def all_scenarios(quick):
    starts, idle = (10, 50) if quick else (300, 1000)
    return [
        *round_trips(quick),
        *fan_outs(quick),
        Scenario("start", "session_start", "session/new to answer", {"count": starts}),
        Scenario("idle_sessions", "idle_sessions", f"session with its agent ({idle:,} of them)",
                 {"count": idle}, "http"),
        Scenario("idle_clients", "idle_clients", f"client of one session ({idle:,} of them)",
                 {"count": idle}),
        *containers(quick),
    ]
