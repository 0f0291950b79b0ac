"""The log under disks that are full, locks, torn files and kill -9: nothing that a client saw is lost or renumbered.

ACP_RELIABILITY_MIB are written by one turn; ACP_RELIABILITY_SEED repeats a run.
"""
import asyncio
import contextlib
import glob
import os
import pathlib
import random
import re
import resource
import signal
import sqlite3
import sys

import pytest

from harness import journal
from harness.acp_client import AcpWebSocket
from harness.chaos import replay, said
from harness.deadline import PATIENCE, SCALE, wait_until
from harness.http_client import RelayError
from harness.viewers import CHUNK, GAP, HttpConnection, RelayEvents, call

SEED = int(os.environ.get("ACP_RELIABILITY_SEED", random.SystemRandom().randrange(1 << 32)))
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "libfaketime.so.1")
CHUNKS = 20_000  # of a turn in which the relay is killed


def limit_files(relay, size=None):
    """The relay can't make a file larger than this; None lifts the limit."""
    soft = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


def fill_the_disk(relay):
    """The files of the log can't grow any more, when what was said before is in the database."""
    wait_until(lambda: relay.query("SELECT 1 FROM messages WHERE body LIKE '%stopReason%'"), "the first turn is stored")
    limit_files(relay, 1024)


def reasons(relay):
    return relay.management("/api/ready").json()["reasons"]


def wait_writable(relay):
    wait_until(lambda: relay.management("/api/ready").status_code == 200,
               lambda: f"the log is writable again: {relay.management('/api/ready').text}")


def events(relay, session):
    return asyncio.run(replay(relay.config["server"], session))


def closed_events(relay, client, session):
    client.result("session/close", sessionId=session)
    return events(relay, session)


def rows(client, session):
    found, after = [], 0
    while True:
        page = client.result("session/history", sessionId=session, after=after, limit=1000)
        found += page["messages"]
        if not page["hasMore"]:
            return [row["sequence"] for row in found], page["gaps"]
        after = page["nextAfter"]


def test_a_full_disk_stops_nothing_and_loses_nothing_that_fits_in_memory(make_relay):
    relay = make_relay()
    client = relay.http()
    session = client.new(relay.workspace)
    assert client.prompt_text(session, "before") == "before"
    fill_the_disk(relay)
    assert client.prompt_text(session, "/chunks 2000 500") == "".join(said(2000, 500))
    wait_until(lambda: "log_unwritable" in reasons(relay), lambda: f"ready is red: {reasons(relay)}")
    assert client.prompt_text(session, "meanwhile") == "meanwhile"
    limit_files(relay)
    wait_writable(relay)
    assert client.prompt_text(session, "afterwards") == "afterwards"
    numbers, gaps = rows(client, session)
    assert gaps == [] and numbers == list(range(1, len(numbers) + 1))
    seen = closed_events(relay, client, session)
    assert seen.texts() == ["before", *said(2000, 500), "meanwhile", "afterwards"]
    assert seen.problems == []


def test_a_strict_log_holds_turns_and_new_sessions_back_until_the_disk_has_room(make_relay):
    relay = make_relay({"database": {"durability": "strict"}})
    client = relay.websocket()
    session = client.new(relay.workspace)
    assert client.prompt("before")[1] == "before"
    fill_the_disk(relay)
    before = client.count()
    turn = client.start_prompt("/chunks 500 100", session)
    wait_until(lambda: "log_unwritable" in reasons(relay), lambda: f"ready is red: {reasons(relay)}")
    with pytest.raises(RelayError) as refused:
        relay.http().new(relay.workspace)
    assert "database.durability" in str(refused.value.data) and refused.value.data["recoverable"]
    assert client.count() == before, "nothing is said that the log does not have"
    limit_files(relay)
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"
    wait_writable(relay)
    seen = closed_events(relay, relay.http(), session)
    assert seen.texts() == ["before", *said(500, 100)] and seen.problems == [] and seen.texts(GAP) == []


def test_a_clock_that_is_set_back_changes_nothing_but_times(make_relay, tmp_path):
    """The relay's clock alone, by a preloaded library; the time that passes goes on as it was."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    relay = make_relay({"database": {"retention_days": 2}, "log": {"level": "info"}}, env={
        "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    client = relay.http()
    session = client.new(relay.workspace)
    said_so_far = []
    for offset in ("+0", "-1d", "-30d", "+1d"):
        clock.write_text(offset)
        text = f"at{offset}"
        assert client.prompt_text(session, text) == text
        said_so_far.append(text)
        numbers, gaps = rows(client, session)
        assert gaps == [] and numbers == list(range(1, len(numbers) + 1))
    times = [row["timestamp"][:10] for row in client.result("session/history", sessionId=session)["messages"]]
    assert len(set(times)) >= 4, f"the clock was set: {times}"
    clock.write_text("-1d")
    kill(relay)
    relay.start()
    after = events(relay, session)
    assert after.texts() == said_so_far and after.problems == [] and after.texts(GAP) == []
    assert session in [one["id"] for one in relay.http().result("session/list")["sessions"]]
    relay.assert_serves()


def test_a_database_that_is_deleted_or_replaced_is_put_back_with_all_it_had(make_relay, tmp_path):
    relay = make_relay()
    said_so_far = []

    def talk():
        text = f"said{len(said_so_far)}"
        assert client.prompt_text(session, text) == text
        said_so_far.append(text)

    def check_after_kill():
        kill(relay)
        relay.start()
        seen = events(relay, session)
        assert seen.texts() == said_so_far and seen.problems == [] and seen.texts(GAP) == []
        said_so_far.clear()

    client = relay.http()
    session = client.new(relay.workspace)
    talk()
    for path in relay.database.parent.glob(relay.database.name + "*"):
        path.unlink()
    wait_until(lambda: talk() or relay.database.exists(), "the database is there again")
    talk()
    relay.wait_logged("deleted or replaced under the running relay")
    relay.wait_logged("stop the relay before you touch the files of database.path")
    relay.wait_logged("the database is at its path again")  # it is there before its journal is
    assert reasons(relay) == []
    check_after_kill()

    client = relay.http()
    session = client.new(relay.workspace)
    talk()
    theirs = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(theirs)) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    before = theirs.read_bytes()
    os.replace(theirs, relay.database)
    wait_until(lambda: talk() or "log_unwritable" in reasons(relay), "ready is red")
    assert "is a database of another application" in relay.management("/api/ready").text
    talk()
    os.replace(relay.database, theirs)
    assert theirs.read_bytes() == before
    wait_writable(relay)
    talk()
    check_after_kill()


def test_what_no_memory_holds_becomes_a_gap_that_clients_are_told(make_relay):
    relay = make_relay({"database": {"max_pending_bytes": "1M"}})
    client = relay.http()
    session = client.new(relay.workspace)
    client.prompt_text(session, "before")
    fill_the_disk(relay)
    assert client.prompt_text(session, "/chunks 4000 1000") == "".join(said(4000, 1000)), "clients get everything"
    wait_until(lambda: "log_unwritable" in reasons(relay), lambda: f"ready is red: {reasons(relay)}")
    status = relay.management("/api/ready").json()["log"]
    limit_files(relay)
    wait_writable(relay)
    client.prompt_text(session, "afterwards")
    assert status["lostMessages"] > 0 and relay.metric("acp_relay_log_lost_messages_total") > 0
    seen = closed_events(relay, client, session)
    texts, gaps = seen.texts(), [tuple(map(int, text.split("-"))) for text in seen.texts(GAP)]
    assert gaps, "the range is named"
    kept = [text for text in texts if text in set(said(4000, 1000))]
    assert texts[0] == "before" and texts[-1] == "afterwards" and 0 < len(kept) < 4000
    assert kept == sorted(kept, key=lambda text: int(text.split(" ")[0])) and len(set(kept)) == len(kept)
    # Every number is either there or in a gap, once.
    client = relay.http()
    numbers, _ = rows(client, session)
    missing = set(range(1, max(numbers) + 1)) - set(numbers)
    assert len(set(numbers)) == len(numbers)
    assert missing == {number for first, last in gaps for number in range(first, last + 1)}


def test_another_process_that_locks_the_database_delays_only_the_log(make_relay):
    relay = make_relay()
    client = relay.http()
    session = client.new(relay.workspace)
    client.prompt_text(session, "before")
    with contextlib.closing(sqlite3.connect(relay.database, timeout=PATIENCE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert client.prompt_text(session, "/chunks 3000 100") == "".join(said(3000, 100))
        other.execute("ROLLBACK")
    client.prompt_text(session, "afterwards")
    wait_writable(relay)
    seen = closed_events(relay, client, session)
    assert seen.texts() == ["before", *said(3000, 100), "afterwards"] and seen.texts(GAP) == []


MIB = 1 << 20
WRITTEN_MIB = int(os.environ.get("ACP_RELIABILITY_MIB", "256")) if SCALE == 1 else 256  # a sanitizer takes long
# The relay's own bounds are lower: a WAL of 16 MiB, an outbox of 64 MiB. The journal has the messages, and the room of
# its last file.
WAL_MIB, JOURNAL_MIB, MEMORY_MIB = 64, WRITTEN_MIB * 1.02 + 8, 128


def memory(relay, key):
    text = pathlib.Path(f"/proc/{relay.pid}/status").read_text("ascii")
    return int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M)[1]) / 1024


def test_much_that_is_written_and_replayed_needs_little_memory_and_bounded_files(make_relay):
    relay = make_relay({"log": {"level": "info"}})
    session = start_talking(relay, WRITTEN_MIB * 16, 65536)
    most = {"-wal": 0, ".journal.": 0}
    before = memory(relay, "VmRSS")

    def stored():
        for part in most:
            size = 0
            for path in relay.database.parent.glob(f"{relay.database.name}{part}*"):
                with contextlib.suppress(OSError):  # removed just then
                    size += path.stat().st_size
            most[part] = max(most[part], size / MIB)
        return not relay.management(f"/api/sessions/{session}").json()["turnRunning"] and (
            relay.metric("acp_relay_log_pending_bytes") == 0)

    wait_until(stored, "all of it is in the database", 600)
    written = memory(relay, "VmHWM") - before
    viewer = RelayEvents(relay.config["server"], session)
    asyncio.run(asyncio.wait_for(
        viewer.watch(1 << 60, lambda one: one.counts[CHUNK] == WRITTEN_MIB * 16), 10 * PATIENCE))
    replayed = memory(relay, "VmHWM") - before
    print(f"{most} MiB of files at most, memory +{written:.0f} MiB while writing, +{replayed:.0f} MiB with the replay")
    assert most["-wal"] < WAL_MIB and most[".journal."] < JOURNAL_MIB
    # A sanitizer keeps what was freed.
    assert max(written, replayed) < MEMORY_MIB or SCALE > 1


def watch_until(relay, session, count):
    """A viewer that has seen at least so many chunks, with its numbers; the turn goes on behind it."""
    viewer = RelayEvents(relay.config["server"], session)
    asyncio.run(asyncio.wait_for(viewer.watch(1 << 60, lambda one: one.counts[CHUNK] >= count), PATIENCE))
    return viewer


def kill(relay):
    relay.remember_children()
    relay.process.send_signal(signal.SIGKILL)
    relay.wait()


def start_talking(relay, chunks=CHUNKS, size=40):
    """A session with a turn under way that nobody watches."""
    ports = relay.config["server"]

    async def start():
        session = (await call(ports["http_port"], "session/new", workingDirectory=str(relay.workspace)))["sessionId"]
        stream = await HttpConnection.ask(
            ports["http_port"], "POST", "/session/prompt", {"Accept": "text/event-stream"},
            {"jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": {
                "sessionId": session, "content": [{"type": "text", "text": f"/chunks {chunks} {size}"}]}})
        stream.drop()
        return session
    return asyncio.run(start())


def log_begins_with(relay, viewer):
    """What the viewer saw has the same numbers and texts in the log of the next run; the replay."""
    after = events(relay, viewer.session)
    known = {number: (kind, text) for kind, text, number in after.events}
    for kind, text, number in viewer.events:
        assert known.get(number) == (kind, text), f"{number} was {text[:30]}, is {str(known.get(number))[:60]}"
    assert after.problems == [] and after.texts() == said(CHUNKS, 40)[:len(after.texts())]
    return after


@pytest.mark.parametrize("durability", ["relaxed", "strict"])
def test_what_a_client_saw_is_in_the_log_after_kill_9(make_relay, durability):
    draw = random.Random(SEED)
    print(f"ACP_RELIABILITY_SEED={SEED}")
    relay = make_relay({"log": {"level": "info"}, "database": {"durability": durability}})
    for _ in range(10):
        session = start_talking(relay)
        viewer = watch_until(relay, session, draw.randrange(1, 3000))
        kill(relay)
        relay.start()
        log_begins_with(relay, viewer)
    relay.assert_serves()


def newest(relay, pattern):
    found = sorted(relay.database.parent.glob(relay.database.name + pattern), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def written_end(path):
    """Behind the last entry of a journal, whose files have their full size from the beginning."""
    if ".journal." not in path.name:
        return path.stat().st_size
    content = path.read_bytes()
    at = content.index(b"\n") + 1
    while length := int.from_bytes(content[at:at + 4], sys.byteorder):
        at += 8 + length
    return at


def tear(path, draw, how):
    """What is before the place that this returns is as it was."""
    size = written_end(path)
    if how == "cut":
        place = max(0, size - draw.randrange(1, 200))
        os.truncate(path, place)
        return place
    place, count = max(0, size - 100), 100
    if how.endswith("behind"):
        place, count = size, draw.randrange(1, 5000)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(count) if how == "zeros behind" else draw.randbytes(count))
    return place


def messages_in(entry, session):
    """The bodies of a session's messages in one entry of a journal; none of one that is not whole."""
    reader = journal.Reader(entry[journal.HEAD:])
    is_batch = reader.byte() == 0
    reader.at = 9  # behind its order
    if not is_batch or reader.text() != session:
        return []
    try:
        bodies = [one.body for one in journal.messages_of(entry, session, 1, 1 << 60)]
    except IndexError:
        bodies = [""]
    # Of a large write that the kill broke off the rest is zeros.
    return bodies if bodies[-1].endswith("}") else []


def chunks_before(path, end, session):
    """How many of a session are in those entries of a journal's file that end before a place."""
    content, count = path.read_bytes()[:end], 0
    at = content.index(b"\n") + 1
    while length := int.from_bytes(content[at:at + 4], sys.byteorder):
        size = journal.HEAD + (length & ~journal.ERASED)
        if at + size > len(content):
            break
        if not length & journal.ERASED:
            bodies = messages_in(content[at:at + size], session)
            count += sum('"agent_message_chunk"' in body for body in bodies)
        at += size
    return count


def chunks_left(relay, session, torn, place):
    """How many the journal has of a session, of the torn file up to that place."""
    files = relay.database.parent.glob(relay.database.name + ".journal.*")
    return sum(chunks_before(path, place if path == torn else None, session) for path in files)


@pytest.mark.parametrize("which", [".journal.*", "-wal"])
@pytest.mark.parametrize("how", ["cut", "garbage behind", "zeros behind", "garbage at the end"])
def test_a_torn_file_costs_its_torn_end_alone(make_relay, which, how):
    draw = random.Random(f"{SEED} {which} {how}")
    print(f"ACP_RELIABILITY_SEED={SEED}")
    relay = make_relay({"log": {"level": "info"}})
    earlier = []
    for _ in range(3):
        session = start_talking(relay)
        viewer = watch_until(relay, session, draw.randrange(300, 3000))  # more than is torn off
        kill(relay)
        torn = newest(relay, which)
        assert torn is not None, f"there is no file {relay.database}{which}"
        left = chunks_left(relay, session, torn, tear(torn, draw, how))
        assert left > 0
        relay.start()
        if which == "-wal" or how.endswith("behind"):  # the journal has all that it had
            after = log_begins_with(relay, viewer)
        else:
            after = events(relay, session)
            assert after.problems == [] and after.texts() == said(CHUNKS, 40)[:len(after.texts())]
        assert len(after.texts()) >= left
        for one in earlier:
            assert events(relay, one.session).events == one.events, "what was told of before stays"
        earlier.append(after)
    relay.assert_serves()


def test_a_disk_that_was_full_for_a_while_costs_nothing_when_the_relay_is_killed_later(make_relay):
    """The journal goes on with its next file when there is room for one."""
    draw = random.Random(SEED)
    print(f"ACP_RELIABILITY_SEED={SEED}")
    relay = make_relay({"log": {"level": "info"}})
    client = relay.http()
    session = client.new(relay.workspace)
    client.prompt_text(session, "before")
    # The file of the journal that there is has 8 MiB; a next one can't be made.
    limit_files(relay, draw.randrange(4 * MIB, 8 * MIB))
    client.prompt_text(session, "/chunks 1000 10000")
    limit_files(relay)
    client.prompt_text(session, "at-once")
    wait_writable(relay)
    client.prompt_text(session, "afterwards")
    # What came while nothing could be written is in memory until the database has it.
    wait_until(lambda: relay.metric("acp_relay_log_pending_bytes") == 0, "the log has caught up")
    kill(relay)
    relay.start()
    after = events(relay, session)
    assert after.texts() == ["before", *said(1000, 10000), "at-once", "afterwards"]
    assert after.problems == [] and after.texts(GAP) == []


def test_numbers_that_a_client_has_are_not_given_again(make_relay):
    """Also not to the session that /acp makes of a closed one."""
    relay = make_relay({"log": {"level": "info"}})
    session = start_talking(relay, 300)
    viewer = watch_until(relay, session, 150)
    kill(relay)
    relay.start()
    other = AcpWebSocket(f"ws://127.0.0.1:{relay.config['server']['http_port']}/acp")
    try:
        other.result("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[])
        assert other.prompt("a later word", session)[1] == "a later word"
    finally:
        other.close()
    later = RelayEvents(relay.config["server"], session)
    later.last = viewer.last
    asyncio.run(asyncio.wait_for(
        later.watch(1 << 60, lambda one: (CHUNK, "word") in [(k, t.strip()) for k, t, _ in one.events]), PATIENCE))
    numbers = [number for _, _, number in viewer.events + later.events]
    assert len(numbers) == len(set(numbers)) and numbers == sorted(numbers)
