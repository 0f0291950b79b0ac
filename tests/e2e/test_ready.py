"""/api/ready turns red for each reason, says what to do, and turns back."""
import resource
import subprocess
from shlex import quote

import pytest

from harness.deadline import wait_until
from harness.http_client import RelayError
from harness.relay import DEMO_AGENT


def reasons(relay):
    answer = relay.management("/api/ready")
    body = answer.json()
    assert answer.status_code == (503 if body["reasons"] else 200)
    assert body["ready"] is not bool(body["reasons"])
    assert set(body["remedies"]) == set(body["reasons"]), "each has its remedy"
    return body["reasons"]


def wait_for_reasons(relay, *expected):
    wait_until(lambda: reasons(relay) == list(expected), lambda: f"{expected}, not {reasons(relay)}")


@pytest.fixture
def unsteady(tmp_path):
    """An agent's command that fails while a file is there."""
    class Agent:
        broken = tmp_path / "broken"
        command = tmp_path / "agent.sh"
    Agent.command.write_text(f"#!/bin/sh\n[ ! -e {quote(str(Agent.broken))} ] || exit 3\n"
                             f"exec {quote(str(DEMO_AGENT))}\n")
    Agent.command.chmod(0o755)
    return Agent


def test_sessions_that_do_not_start(make_relay, unsteady):
    relay = make_relay({"agent": {"command": str(unsteady.command)}})
    client = relay.http()
    unsteady.broken.touch()
    for count in range(3):
        assert reasons(relay) == [], f"{count} say nothing yet"
        with pytest.raises(RelayError):
            client.new(relay.workspace)
    assert reasons(relay) == ["session_starts_failing"]
    unsteady.broken.unlink()
    for _ in range(3):
        client.new(relay.workspace)
    assert reasons(relay) == []


def test_what_clients_ask_wrongly_is_not_the_relays_failure(relay):
    client = relay.http()
    for _ in range(5):
        with pytest.raises(RelayError):
            client.new("/no/such/directory")
    assert reasons(relay) == []


def test_turns_that_fail(make_relay):
    relay = make_relay({"sessions": {"restart_agent": False}})
    client = relay.http()
    for _ in range(3):
        with pytest.raises(RelayError):
            client.prompt(client.new(relay.workspace), "/exit 3")
    assert reasons(relay) == ["turns_failing"]
    session = client.new(relay.workspace)
    for _ in range(3):
        client.prompt(session, "well")
    assert reasons(relay) == []


def test_a_canary_that_does_not_start(make_relay, unsteady):
    relay = make_relay({"agent": {"command": str(unsteady.command)}, "readiness": {"canary_interval": "50ms"}})
    # One after the other: nothing is left of them.
    wait_until(lambda: relay.metric("acp_relay_sessions_created_total") >= 3, "canaries were made")
    assert reasons(relay) == []
    unsteady.broken.touch()
    wait_until(lambda: "canary_failed" in reasons(relay), "the canary failed")
    relay.wait_logged("the canary session did not start")
    unsteady.broken.unlink()
    wait_until(lambda: "canary_failed" not in reasons(relay), "the canary starts again")
    wait_for_reasons(relay)
    relay.stop()
    assert relay.query("SELECT count(*) FROM sessions WHERE closed_at IS NOT NULL") == [(0,)]


def test_an_agent_that_is_not_there(make_relay, unsteady):
    relay = make_relay({"agent": {"command": str(unsteady.command)}})
    assert reasons(relay) == []
    unsteady.command.rename(unsteady.command.with_suffix(".away"))
    wait_for_reasons(relay, "agent_start_failed")
    unsteady.command.with_suffix(".away").rename(unsteady.command)
    wait_for_reasons(relay)


def test_as_many_sessions_as_may_be(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 2}})
    client = relay.http()
    client.new(relay.workspace)
    assert reasons(relay) == []
    session = client.new(relay.workspace)
    assert reasons(relay) == ["session_limit_reached"]
    client.result("session/close", sessionId=session)
    wait_for_reasons(relay)


def test_few_descriptors(relay):
    before = resource.prlimit(relay.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (64, before[1]))
    assert reasons(relay) == ["descriptors_low"]
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, before)
    assert reasons(relay) == []


def test_little_room_for_the_database(make_relay, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", disk], check=True)
    try:
        relay = make_relay({"database": {"path": str(disk / "relay.db")}, "readiness": {"min_free_bytes": "8M"}})
        assert reasons(relay) == []
        client = relay.http()
        session = client.new(relay.workspace)
        (disk / "filler").write_bytes(bytes(18 << 20))
        client.prompt(session, "something to write")
        wait_for_reasons(relay, "disk_low")
        (disk / "filler").unlink()
        wait_for_reasons(relay)
        relay.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def test_a_large_write_ahead_log(make_relay):
    relay = make_relay({"readiness": {"max_wal_bytes": "400K"}})
    client = relay.http()

    def grows():
        client.result("session/close", sessionId=client.new(relay.workspace))
        return reasons(relay) == ["wal_too_large"]

    wait_until(grows, "the write-ahead log is large")
    relay.stop()  # an orderly end brings it into the database
    relay.start()
    assert reasons(relay) == []
