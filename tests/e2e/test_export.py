"""Exported sessions: what they hold, how they come into another relay's log, and what is refused."""
import json
import re
import stat

import pytest

from harness.relay import run_cli

SESSION = re.compile(r"sess_[0-9a-f]{32}")


def talk(relay, *prompts):
    """The id of a closed session with these turns."""
    client = relay.http()
    id = client.new(relay.workspace)
    for prompt in prompts:
        client.prompt_text(id, prompt)
    client.result("session/close", sessionId=id)
    return id


def export(relay, id, file):
    code, _, err = run_cli("sessions", "export", id, "--output", str(file), relay=relay)
    assert code == 0, err
    return file


def history(relay, id):
    messages, after = [], 0
    while True:
        page = relay.http().result("session/history", sessionId=id, after=after, limit=1000)
        messages += page["messages"]
        if not page["hasMore"]:
            return messages, page["gaps"]
        after = page["nextAfter"]


def write_lines(file, lines):
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


@pytest.fixture
def exported(relay, tmp_path):
    id = talk(relay, "first", "/tool", "/chunks 20 30")
    return id, export(relay, id, tmp_path / "session.jsonl")


def test_an_export_has_a_head_and_every_number(relay, exported):
    id, file = exported
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    head, rest = lines[0], lines[1:]
    assert (head["type"], head["format"], head["version"]) == ("session", "acp-relay-session", 1)
    assert (head["id"], head["cause"], head["isActive"]) == (id, "closed", False)
    assert head["workingDirectory"] == str(relay.workspace)
    assert {"agentSessionId", "agent", "owner", "createdAt", "closedAt", "isolation", "title"} <= set(head)
    assert [line["sequence"] for line in rest] == list(range(1, head["lastSequence"] + 1))
    assert all({"direction", "messageType", "method", "jsonrpcId", "timestamp", "message"} <= set(line)
               for line in rest)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_failed_export_leaves_the_old_file_and_no_other(relay, tmp_path):
    file = tmp_path / "session.jsonl"
    file.write_text("old")
    code, _, err = run_cli("sessions", "export", "sess_" + "0" * 32, "--output", str(file), relay=relay)
    assert code == 1 and "sess_0" in err
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["session.jsonl"]
    code, _, err = run_cli("sessions", "export", "x", "--output", str(tmp_path / "no/where"), relay=relay)
    assert code == 1 and "no/where" in err


def test_an_imported_session_has_the_same_history(make_relay, relay, exported):
    id, file = exported
    other = make_relay()
    code, out, err = run_cli("sessions", "import", str(file), relay=other)
    assert (code, out.strip()) == (0, id), err
    assert history(other, id) == history(relay, id)
    [item] = other.http().result("session/list")["sessions"]
    [before] = relay.http().result("session/list")["sessions"]
    assert item["cause"] == "imported: closed" and item["isActive"] is False
    assert {**item, "cause": None} == {**before, "cause": None}
    other.stop()
    other.start()
    assert history(other, id) == history(relay, id)


def test_an_import_reads_standard_input(make_relay, exported):
    _, file = exported
    other = make_relay()
    code, out, err = run_cli("sessions", "import", "-", relay=other, stdin=file.read_text("utf-8"))
    assert code == 0 and SESSION.fullmatch(out.strip()), err


def test_an_open_session_can_be_taken_along(make_relay, relay, tmp_path):
    client = relay.http()
    id = client.new(relay.workspace)
    client.prompt_text(id, "still here")
    file = export(relay, id, tmp_path / "open.jsonl")
    other = make_relay()
    assert run_cli("sessions", "import", str(file), relay=other)[0] == 0
    [item] = other.http().result("session/list")["sessions"]
    assert (item["cause"], item["isActive"]) == ("imported: it was open", False)


def test_gaps_and_numbers_that_were_taken_out_stay_gaps(make_relay, exported, tmp_path):
    id, file = exported
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    lines[3:6] = [{"type": "gap", "from": 3, "to": 5}]
    del lines[6]  # without a word
    number = lines[5]["sequence"] + 1
    other = make_relay()
    assert run_cli("sessions", "import", str(write_lines(tmp_path / "gaps.jsonl", lines)), relay=other)[0] == 0
    again = export(other, id, tmp_path / "again.jsonl").read_text("utf-8")
    gaps = [json.loads(line) for line in again.splitlines() if '"type":"gap"' in line]
    assert gaps == [{"type": "gap", "from": 3, "to": 5}, {"type": "gap", "from": number, "to": number}]
    assert history(other, id)[1] == [{"from": 3, "to": 5}, {"from": number, "to": number}]


def test_an_id_that_is_there_is_refused_unless_it_is_new(relay, exported):
    id, file = exported
    code, out, err = run_cli("sessions", "import", str(file), relay=relay)
    assert (code, out) == (1, "") and "--new-id" in err and id in err
    code, out, err = run_cli("sessions", "import", "--new-id", str(file), relay=relay)
    assert code == 0, err
    fresh = out.strip()
    assert SESSION.fullmatch(fresh) and fresh != id
    messages, _ = history(relay, fresh)
    assert id not in json.dumps(messages) and fresh in json.dumps(messages)
    assert len(messages) == len(history(relay, id)[0])


def cut(text):
    return text[:len(text) // 2]


def backwards(text):
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:2], lines[3], lines[2], *lines[4:]])


@pytest.mark.parametrize("change, complaint", [
    (lambda text: "", "is empty"),
    (lambda text: "\n\n", "is empty"),
    (lambda text: "hello\n", "line 1 of the exported session: it is not valid JSON"),
    (lambda text: text.replace('"version":1', '"version":7', 1), "version of the format"),
    (lambda text: text.replace("acp-relay-session", "notes", 1), "format"),
    (cut, "it is not valid JSON"),
    (lambda text: cut(text).rsplit("\n", 1)[0] + "\n", "was cut off"),
    (lambda text: text.split("\n", 1)[1], "the first line must have"),
    (backwards, "line 4 of the exported session: the number 2 does not come after 3"),
    (lambda text: text + text.splitlines()[-1] + "\n", "does not come after"),
    (lambda text: text + text, "a file holds one session"),
    (lambda text: text.replace("agent_to_relay", "agent_to_agent"), "direction"),
], ids=["empty", "blank", "text", "version", "format", "cut", "cut-at-a-line", "headless", "backwards", "doubled",
        "two", "direction"])
def test_a_bad_file_is_refused_and_leaves_nothing(make_relay, exported, tmp_path, change, complaint):
    _, file = exported
    other = make_relay()
    bad = tmp_path / "bad.jsonl"
    bad.write_text(change(file.read_text("utf-8")), "utf-8")
    code, out, err = run_cli("sessions", "import", str(bad), relay=other)
    assert (code, out) == (1, ""), err
    assert complaint in err and "what to do" in err
    assert other.http().result("session/list")["sessions"] == []
    assert other.query("SELECT count(*) FROM sessions") == [(0,)]


def test_a_line_has_a_limit(make_relay, exported, tmp_path):
    _, file = exported
    other = make_relay({"server": {"max_message_bytes": 65536}})
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    lines[2]["message"]["padding"] = "x" * 200_000
    code, _, err = run_cli("sessions", "import", str(write_lines(tmp_path / "long.jsonl", lines)), relay=other)
    assert code == 1 and "line 3" in err and "server.max_message_bytes" in err
    other.assert_serves()


def test_a_file_that_cannot_be_read_is_1(relay, tmp_path):
    code, _, err = run_cli("sessions", "import", str(tmp_path / "missing"), relay=relay)
    assert code == 1 and "missing" in err
    assert run_cli("sessions", "import", relay=relay)[0] == 2


def test_secrets_of_the_importing_relay_are_redacted(make_relay, exported):
    id, file = exported
    other = make_relay({"agent": {"env": {"KEY": "${KEY}"}}}, env={"KEY": "canary-secret-1"})
    text = file.read_text("utf-8").replace("first", "canary-secret-1")
    assert run_cli("sessions", "import", "-", relay=other, stdin=text)[0] == 0
    messages, _ = history(other, id)
    assert "canary-secret-1" not in json.dumps(messages) and "***" in json.dumps(messages)


def test_only_operators_import(make_relay, exported):
    _, file = exported
    other = make_relay({"auth": {"mode": "token", "tokens": [
        {"name": "opa", "token": "operator-token", "role": "operator"},
        {"name": "eve", "token": "observer-token", "role": "observer"}]}})
    arguments = ("sessions", "import", str(file))
    assert run_cli(*arguments, relay=other)[0] == 4
    assert run_cli(*arguments, relay=other, env={"ACP_RELAY_TOKEN": "observer-token"})[0] == 4
    assert run_cli(*arguments, relay=other, env={"ACP_RELAY_TOKEN": "operator-token"})[0] == 0
