"""`acp-relay replay`: an exported session's client plays again, and --check tells what is different."""
import os
import signal
import subprocess

import pytest

from harness.deadline import PATIENCE, scaled
from harness.relay import BINARY, DEMO_AGENT, run_cli

AGENT = ("--", str(DEMO_AGENT))


def record(relay, file, script):
    """Exports the closed session in which `script(client, id)` was done over a WebSocket."""
    client = relay.websocket()
    id = client.new(relay.workspace)
    script(client, id)
    client.result("session/close", sessionId=id)
    code, _, err = run_cli("sessions", "export", id, "--output", str(file), relay=relay)
    assert code == 0, err
    return file


def answered(client, id, prompt, option):
    """A turn in which a permission is asked for."""
    start = len(client.messages)
    number = client.start_prompt(prompt, id)
    asked = client.incoming("session/request_permission", start=start)
    client.respond(asked, {"outcome": {"outcome": "selected", "optionId": option}})
    client.answer(number)


def cancelled(client, id, prompt):
    number = client.start_prompt(prompt, id)
    client.notify("session/cancel", sessionId=id)
    client.answer(number)


def everything(client, id):
    client.prompt("hello big world")
    client.result("session/set_mode", sessionId=id, modeId="code")
    answered(client, id, "/permission", "allow")
    answered(client, id, "/permission", "reject")
    client.prompt("/tool")
    cancelled(client, id, "/sleep 600")
    client.prompt("/chunks 20 30")


@pytest.fixture
def recorded(relay, tmp_path):
    return record(relay, tmp_path / "session.jsonl", everything)


def changed(file, change):
    """A copy in which change(line) was applied to every line that the agent wrote."""
    lines = file.read_text("utf-8").splitlines(keepends=True)
    other = file.with_suffix(".changed")
    other.write_text("".join(change(line) if "agent_to_relay" in line else line for line in lines), "utf-8")
    assert other.read_text("utf-8") != file.read_text("utf-8")
    return other


@pytest.mark.parametrize("agent", [(), AGENT], ids=["relay", "command"])
@pytest.mark.parametrize("speed", ["fast", "as-recorded"])
def test_an_agent_that_does_the_same_is_equal(relay, recorded, agent, speed):
    code, out, err = run_cli("replay", str(recorded), "--check", "--speed", speed, *agent, relay=relay)
    assert code == 0, out + err
    assert out.splitlines() == [
        *(f"turn {turn}: {'cancelled' if turn == 5 else 'end_turn'}, as recorded" for turn in range(1, 7)),
        "the agent said what was recorded"]
    assert err == ""
    relay.wait_for_agents(0)


@pytest.mark.parametrize("change, turn", [
    (lambda line: line.replace('"text":"big "', '"text":"small "'), 1),
    (lambda line: line.replace("Permission: reject", "Permission: granted"), 3),
    (lambda line: line.replace('"status":"completed"', '"status":"failed"'), 4),
    (lambda line: line.replace('"stopReason":"cancelled"', '"stopReason":"refusal"'), 5),
], ids=["text", "permission", "status", "stop"])
@pytest.mark.parametrize("agent", [(), AGENT], ids=["relay", "command"])
def test_an_agent_that_does_otherwise_is_1(relay, recorded, change, turn, agent):
    file = changed(recorded, change)
    code, out, _ = run_cli("replay", str(file), "--check", *agent, relay=relay)
    assert code == 1
    assert f"turn {turn}, message " in out and "1 turn differs from the recording" in out
    assert "recorded: " in out and "replayed: " in out
    assert run_cli("replay", str(file), *agent, relay=relay)[0] == 0, "nothing is compared without --check"


def test_a_cancel_over_http_is_played_too(relay, tmp_path):
    process = subprocess.Popen([str(BINARY), "prompt", "--close", "/sleep 600"], env={"ACP_RELAY_URL": relay.http_url},
                               cwd=relay.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        relay.wait_for_prompts()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    [item] = relay.http().result("session/list")["sessions"]
    file = tmp_path / "cancelled.jsonl"
    assert run_cli("sessions", "export", item["id"], "--output", str(file), relay=relay)[0] == 0
    code, out, err = run_cli("replay", str(file), "--check", relay=relay)
    assert (code, out.splitlines()[0]) == (0, "turn 1: cancelled, as recorded"), out + err


def test_an_agent_that_ends_is_compared(relay, tmp_path):
    client = relay.http()
    id = client.new(relay.workspace)
    client.call("session/prompt", sessionId=id, content=[{"type": "text", "text": "/exit 3"}])
    relay.wait_for_agents(0)
    file = tmp_path / "exit.jsonl"
    assert run_cli("sessions", "export", id, "--output", str(file), relay=relay)[0] == 0
    for agent in ((), AGENT):
        code, out, err = run_cli("replay", str(file), "--check", *agent, relay=relay)
        assert code == 0 and "turn 1: error agent_exited, as recorded" in out, out + err


def test_an_agent_that_ends_half_way_is_1(relay, tmp_path):
    def two_turns(client, id):
        client.prompt("one")
        client.prompt("two")
    file = record(relay, tmp_path / "half.jsonl", two_turns)
    file.write_text(file.read_text("utf-8").replace('"one"', '"/exit 3"'), "utf-8")
    for check in ((), ("--check",)):
        code, out, err = run_cli("replay", str(file), *check, *AGENT)
        assert code == 1, out + err
        assert out.splitlines()[:2] == ["turn 1: error agent_exited, recorded: end_turn", "turn 2: -, recorded: end_turn"]
        assert "not played to its end" in err and "the agent has ended" in err


def test_the_directory_can_be_another_one(relay, tmp_path):
    file = record(relay, tmp_path / "cwd.jsonl", lambda client, id: client.prompt("/cwd"))
    other = tmp_path / "elsewhere"
    other.mkdir()
    code, out, err = run_cli("replay", str(file), "--check", "--cwd", "elsewhere", *AGENT, cwd=tmp_path)
    assert code == 0, out + err
    os.rmdir(relay.workspace)
    code, _, err = run_cli("replay", str(file), relay=relay)
    assert code == 1 and str(relay.workspace) in err
    relay.workspace.mkdir()


def test_an_imported_session_is_played_like_any_other(make_relay, recorded):
    other = make_relay()
    code, out, _ = run_cli("sessions", "import", "--new-id", str(recorded), relay=other)
    assert code == 0
    code, text, _ = run_cli("sessions", "export", out.strip(), relay=other)
    code, out, err = run_cli("replay", "-", "--check", relay=other, stdin=text)
    assert code == 0, out + err


@pytest.mark.parametrize("text, complaint", [
    ("", "is empty"), ("hello\n", "not valid JSON"), ('{"type":"message"}\n', "the first line must have")])
def test_a_bad_file_is_1(relay, text, complaint):
    code, _, err = run_cli("replay", "-", relay=relay, stdin=text)
    assert code == 1 and complaint in err and "what to do" in err


def test_a_file_that_was_cut_is_1(relay, recorded):
    text = recorded.read_text("utf-8")
    for part in (text[:len(text) // 2], text[:text.rindex("\n", 0, -1) + 1]):
        code, _, err = run_cli("replay", "-", relay=relay, stdin=part)
        assert code == 1 and "cut off" in err


def test_without_an_agent_it_says_why(make_relay, recorded):
    code, _, err = run_cli("replay", str(recorded), env={"ACP_RELAY_URL": "http://127.0.0.1:9"})
    assert code == 3 and "127.0.0.1:9" in err
    code, _, err = run_cli("replay", str(recorded), "--", "/no/such/agent")
    assert code == 1 and "/no/such/agent" in err
    code, _, err = run_cli("replay", str(recorded), "--", "sh", "-c", "echo broken >&2; exit 1")
    assert code == 1 and "broken" in err
    other = make_relay({"auth": {"mode": "token", "tokens": [{"name": "ada", "token": "secret-token-1"}]}})
    assert run_cli("replay", str(recorded), relay=other)[0] == 4
    assert run_cli("replay", str(recorded), "--token", "secret-token-1", relay=other)[0] == 0
    code, _, err = run_cli("replay", str(recorded), "--agent", "nobody", "--token", "secret-token-1", relay=other)
    assert code == 1 and "nobody" in err


def test_an_agent_that_says_nothing_is_given_up(recorded, tmp_path):
    heard = tmp_path / "heard"
    agent = ["sh", "-c", 'tee "$0" | "$1" --hang-on session/prompt', str(heard), str(DEMO_AGENT)]
    code, _, err = run_cli("replay", str(recorded), "--timeout", str(round(scaled(5))), "--", *agent)
    assert code == 1 and "--timeout" in err
    assert '"session/prompt"' in heard.read_text("utf-8"), "this is what it does not answer"


def test_an_interrupt_ends_it_and_its_agent(relay, tmp_path):
    file = record(relay, tmp_path / "long.jsonl", lambda client, id: client.prompt("/sleep 0.2"))
    text = file.read_text("utf-8").replace("/sleep 0.2", "/sleep 600")
    file.write_text(text, "utf-8")
    process = subprocess.Popen([str(BINARY), "replay", str(file)], env={"ACP_RELAY_URL": relay.http_url},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        relay.wait_for_prompts(2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 5 and "interrupted" in err
        relay.wait_for_agents(0)
    finally:
        process.kill()
        process.wait()
