"""`acp-relay connect`: an editor on stdio, a relay behind it."""
import json
import signal

import pytest

from harness.deadline import wait_until
from harness.editor import Editor
from harness.http_client import RelayError, text_of
from harness.ports import free_port
from harness.proxy import Proxy
from harness.relay import run_cli


GUARDED = {"auth": {"mode": "token", "tokens": [{"name": "ada", "token": "token-of-ada-1"}]}}


def acp(relay):
    return relay.http_url.replace("http", "ws", 1) + "/acp"


@pytest.fixture
def editor(relay):
    with Editor(acp(relay)) as editor:
        yield editor


@pytest.fixture
def session(relay, editor):
    editor.initialize()
    return editor.new(relay.workspace)


def test_an_editor_talks_to_an_agent(relay, editor):
    result = editor.initialize(fs={"readTextFile": True})
    assert result["agentCapabilities"]["loadSession"] and result["_meta"]["acp-relay"]["version"]
    session = editor.new(relay.workspace)
    assert editor.prompt_text(session, "hello there") == "hello there"
    assert "acp-relay/seq" not in "".join(editor.lines), "the relay's marks are not for editors"
    assert editor.finish() == 0
    assert editor.log == f"acp-relay: connected to {acp(relay)}\n"


def test_updates_come_before_the_answer(editor, session):
    id = editor.start_prompt(session, "/chunks 50 20")
    editor.result(id)
    kinds = [message.get("method", "answer") for message in editor.messages]
    assert kinds.count("session/update") >= 50 and kinds[-1] == "answer"


def test_ids_keep_their_types(editor, session):
    for id in ("1", 0, -7, 2**53 + 1, "ünï"):
        editor.start("_demo/echo", id=id, value=[id])
        assert editor.result(id)["value"] == [id]


def test_permission_is_asked_and_answered(editor, session):
    id = editor.start_prompt(session, "/permission")
    question = editor.answer_question("allow")
    assert question["params"]["sessionId"] == session
    assert editor.result(id)["stopReason"] == "end_turn"
    assert "allow" in text_of(editor.messages)


def test_a_turn_is_cancelled(editor, session):
    id = editor.start_prompt(session, "/sleep 600")
    editor.notify("session/cancel", sessionId=session)
    assert editor.result(id)["stopReason"] == "cancelled"


def test_a_request_is_cancelled_by_its_id(editor, session):
    id = editor.start_prompt(session, "/sleep 600")
    editor.notify("$/cancel_request", requestId=str(id))
    editor.notify("$/cancel_request", requestId=id)
    assert editor.answer(id)["error"]["code"] == -32800


def test_a_session_is_loaded_with_its_replay(relay, editor, session):
    editor.prompt_text(session, "remember this")
    assert editor.finish() == 0
    with Editor(acp(relay)) as other:
        other.initialize()
        other.result(other.start("session/load", sessionId=session, cwd=str(relay.workspace), mcpServers=[]))
        assert text_of(other.messages) == "remember this"
        assert other.prompt_text(session, "and go on") == "and go on"


def test_a_bad_line_is_answered_and_the_rest_goes_on(editor, session):
    for line in ("nonsense", "{", '{"jsonrpc":"2.0","id":"x"}', "[]", "\x00"):
        editor.send_raw(line)
    editor.send_raw("")
    codes = wait_until(lambda: [found for found in [[message["error"]["code"] for message in editor.messages
                                                     if "error" in message]] if len(found) == 5], "five errors")[0]
    assert codes == [-32700, -32700, -32600, -32600, -32700]
    assert editor.prompt_text(session, "still here") == "still here"


def test_a_big_message_passes_both_ways(editor, session):
    text = "0123456789" * 300_000
    id = editor.start_prompt(session, text)
    assert editor.result(id)["stopReason"] == "end_turn"
    assert text_of(editor.messages) == text


def test_a_message_that_the_relay_does_not_take_is_answered_and_the_rest_goes_on(make_relay):
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "2M"}})
    with Editor(acp(relay)) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        error = editor.answer(editor.start_prompt(session, "x" * (2 << 20)))["error"]
        assert "raise server.max_message_bytes" in json.dumps(error)
        assert editor.prompt_text(session, "still here") == "still here"


def test_an_editor_that_does_not_read_loses_nothing(relay):
    with Editor(acp(relay)) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        editor.reads.clear()
        id = editor.start_prompt(session, "/chunks 2000 1000")
        wait_until(editor.pipe_is_full, "a full pipe")
        editor.reads.set()
        editor.result(id)
        assert len(text_of(editor.messages)) == 2_000_000


def test_the_end_of_stdin_ends_it(relay):
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}},
             {"jsonrpc": "2.0", "id": 2, "method": "session/list", "params": {}}]
    code, out, err = run_cli("connect", relay=relay, stdin="\n".join(map(json.dumps, lines)))
    assert code == 0, err
    assert [json.loads(line)["id"] for line in out.splitlines()] == [1, 2], "the last line needs no newline"


def test_nothing_on_stdin_is_fine(relay):
    code, out, err = run_cli("connect", relay=relay)
    assert (code, out) == (0, ""), err


def test_an_open_request_gets_a_short_grace(relay, editor, session):
    editor.start_prompt(session, "/sleep 600")
    assert editor.finish() == 0
    assert relay.wait_for_agents(1), "the session goes on"


def test_a_signal_ends_it_in_the_middle_of_a_turn(editor, session):
    editor.start_prompt(session, "/sleep 600")
    editor.process.send_signal(signal.SIGTERM)
    assert editor.exit_code() == 0


def test_without_a_relay_the_editor_hears_why():
    url = f"ws://127.0.0.1:{free_port()}/acp"
    with Editor(url) as editor:
        editor.start("initialize", id="first", protocolVersion=1)
        error = editor.answer("first")["error"]
        assert error["code"] == -32603
        assert "acp-relay serve" in error["message"] and url in error["message"]
        assert editor.exit_code() == 3
        assert url in editor.log


def test_without_a_relay_a_script_hears_why():
    code, out, err = run_cli("connect", "--url", f"http://127.0.0.1:{free_port()}",
                             stdin='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n')
    assert code == 3 and "acp-relay serve" in json.loads(out)["error"]["message"]


def test_a_relay_that_comes_late_is_waited_for(relay):
    """For 5 s; the proxy is there sooner than a relay could be."""
    port = free_port()
    with Editor(f"ws://127.0.0.1:{port}/acp") as editor:
        id = editor.start("initialize", protocolVersion=1)
        with Proxy(relay.config["server"]["http_port"], own_port=port):
            assert editor.result(id)["protocolVersion"] == 1


@pytest.mark.parametrize("arguments, env", [((), {}), (("--token", "wrong-token"), {}),
                                            ((), {"ACP_RELAY_TOKEN": "wrong-token"})])
def test_a_wrong_token_is_final(make_relay, arguments, env):
    relay = make_relay(GUARDED)
    with Editor(acp(relay), *arguments, env=env) as editor:
        error = editor.answer(editor.start("initialize", protocolVersion=1))["error"]
        assert error["code"] == -32603, "-32000 would make editors offer the agent's logins"
        assert "--token-file" in error["data"]["suggested_actions"][0]
        assert editor.exit_code() == 4
        assert "wrong-token" not in editor.log + "".join(editor.lines)


def test_the_right_token_is_taken_from_everywhere(make_relay, tmp_path):
    relay = make_relay(GUARDED)
    token = GUARDED["auth"]["tokens"][0]["token"]
    file = tmp_path / "token"
    file.write_text(token + "\n", "ascii")
    for arguments, env in ((("--token", token), {"ACP_RELAY_TOKEN": "x"}), (("--token-file", str(file)), {}),
                           ((), {"ACP_RELAY_TOKEN": token})):
        with Editor(acp(relay), *arguments, env=env) as editor:
            assert editor.initialize()["protocolVersion"] == 1


@pytest.mark.parametrize("path, arguments", [("/acpx", ()), ("/acp", ("--agent", "nobody"))])
def test_an_endpoint_that_is_not_there_is_final(relay, path, arguments):
    url = relay.http_url.replace("http", "ws", 1) + path
    with Editor(url, *arguments) as editor:
        error = editor.answer(editor.start("initialize", protocolVersion=1))["error"]
        assert "--agent" in error["data"]["suggested_actions"][0]
        assert editor.exit_code() == 1


@pytest.mark.parametrize("arguments", [
    ("--url", "ftp://h/acp"), ("--url", "ws://h/acp?token=x"), ("--agent", "a/b"), ("--reconnect-timeout", "x"),
    ("--url", "ws://h/other", "--agent", "a"), ("--token-file", "/no/such/file"), ("--token", "a b"), ("extra",)])
def test_a_wrong_command_line_is_2(arguments):
    code, out, err = run_cli("connect", *arguments)
    assert (code, out) == (2, "") and err.strip()


def test_the_relay_is_found_by_the_variable_of_the_other_commands(relay):
    code, out, _ = run_cli("connect", relay=relay,
                           stdin='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n')
    assert code == 0 and json.loads(out)["result"]["protocolVersion"] == 1


def test_errors_of_the_relay_pass_through(editor, relay):
    editor.initialize()
    with pytest.raises(RelayError) as failure:
        editor.result(editor.start("session/load", sessionId="sess_" + "0" * 32, cwd=str(relay.workspace),
                                   mcpServers=[]))
    assert failure.value.code == -32002
