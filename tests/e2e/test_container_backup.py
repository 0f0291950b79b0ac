"""A backup of a relay whose agents run in containers, started beside that relay and in its place."""
import shutil
import signal

from harness.deadline import wait_until


def test_a_backup_that_is_started_beside_its_relay_leaves_its_sessions_alone(make_container_relay, tmp_path):
    relay = make_container_relay()
    known, newer = relay.websocket(), relay.websocket()
    sessions = [known.new("/workspace")]
    file = tmp_path / "backup.db"
    relay.back_up(file, *sessions)
    sessions.append(newer.new("/workspace"))
    other = make_container_relay({"workspace_base_dir": str(relay.base)}, start=False)
    shutil.move(file, other.database)
    other.start()
    other.wait_logged("backup of one that another relay runs with")
    [one] = other.http().result("session/list")["sessions"]
    assert (one["id"], one["isActive"]) == (sessions[0], False)
    other.assert_serves()
    other.stop()
    for client, session in zip((known, newer), sessions):
        assert client.prompt("still here")[1] == "still here"
        assert relay.host_workspace(session).is_dir()


def test_a_backup_in_its_relays_place_leaves_the_work_of_newer_sessions_to_the_operator(make_container_relay,
                                                                                         tmp_path):
    relay = make_container_relay()
    known, newer = relay.websocket(), relay.websocket()
    known_session = known.new("/workspace")
    file = tmp_path / "backup.db"
    relay.back_up(file, known_session)
    newer_session = newer.new("/workspace")
    newer.prompt("/write work.txt x")
    relay.process.send_signal(signal.SIGKILL)
    relay.wait()
    for old in relay.database.parent.glob(f"{relay.database.name}*"):
        old.unlink()
    shutil.move(file, relay.database)
    relay.start()
    assert relay.container(known_session)["State"]["Running"], "the backup knows it"
    wait_until(lambda: relay.container(newer_session) is None, "its container is gone")
    relay.wait_logged(str(relay.base / newer_session))
    assert (relay.host_workspace(newer_session) / "work.txt").is_file()
    marker = (relay.base / known_session / ".acp-relay").read_text()
    relay.http().result("session/close", sessionId=known_session)
    shutil.rmtree(relay.base / newer_session)
    relay.stop()
    # From then on what the database does not know is a leftover again.
    (relay.base / "sess_left").mkdir()
    (relay.base / "sess_left/.acp-relay").write_text(marker)
    relay.start()
    relay.wait_until_empty()
