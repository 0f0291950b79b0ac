"""'acp-relay backup': the message log as one file, which a relay can be started with."""
import concurrent.futures
import shutil
import stat

from harness.relay import run_cli


def messages(relay, session):
    found, after = [], 0
    while True:
        page = relay.http().result("session/history", sessionId=session, after=after, limit=1000)
        found += [(one["sequence"], one["direction"], one["rawMessage"]) for one in page["messages"]]
        if not page["hasMore"]:
            return found
        after = page["nextAfter"]


def test_a_backup_of_a_running_relay_is_what_another_one_starts_with(make_relay, tmp_path):
    relay = make_relay()
    client = relay.http()
    quiet = client.new(relay.workspace)
    client.prompt_text(quiet, "/chunks 300 40000")
    client.result("session/close", sessionId=quiet)
    busy = client.new(relay.workspace)
    file = tmp_path / "backup.db"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        turn = pool.submit(client.prompt_text, busy, "/chunks 20000 100")
        out = relay.back_up(file, quiet, busy)
        turn.result()
    assert out.startswith(f"{file}: 2 sessions, ") and out.endswith(f"{file.stat().st_size} bytes\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob("backup.db?*")) == []

    other = make_relay(start=False)
    shutil.move(file, other.database)
    other.start()
    assert messages(other, quiet) == messages(relay, quiet)
    then, now = messages(other, busy), messages(relay, busy)
    same = sum(1 for one, other_one in zip(then, now) if one == other_one)
    assert same > 0 and then[:same] == now[:same]
    # The other relay has ended the turn and the session, which it tells of.
    assert all(direction.startswith("relay_") for _, direction, _ in then[same:])
    other.assert_serves()


def test_a_backup_is_refused_with_what_to_do(relay, tmp_path):
    there = tmp_path / "there.db"
    there.write_text("of somebody")
    code, out, err = run_cli("backup", str(there), "--config", str(relay.config_file))
    assert (code, out) == (1, "") and "File exists" in err and "choose a file" in err
    assert there.read_text() == "of somebody"
    code, _, err = run_cli("backup", str(tmp_path / "new.db"), "--config", str(tmp_path / "missing.yaml"))
    assert code == 1 and "missing.yaml" in err and "--database FILE" in err
    code, _, err = run_cli("backup", str(tmp_path / "new.db"), "--database", "none.db", cwd=tmp_path)
    assert code == 1 and f"there is no database {tmp_path}/none.db" in err
    empty = tmp_path / "empty.yaml"
    empty.write_text("database: {enabled: false}\n")
    code, _, err = run_cli("backup", str(tmp_path / "new.db"), "--config", str(empty))
    assert code == 1 and "database.enabled" in err
    assert not (tmp_path / "new.db").exists()
    code, out, err = run_cli("backup", "new.db", "--database", str(relay.database), cwd=tmp_path)
    assert code == 0 and out.startswith("new.db: 0 sessions, 0 messages, "), err
