"""`acp-relay connect` over connections that break and relays that are started again."""
import signal

import pytest

from harness.editor import Editor
from harness.http_client import text_of
from harness.proxy import Proxy


def through(proxy):
    return f"ws://127.0.0.1:{proxy.port}/acp"


@pytest.fixture
def proxy(relay):
    with Proxy(relay.config["server"]["http_port"]) as proxy:
        yield proxy


def converse(relay, editor):
    """Everything an editor does with a session; the transcript."""
    editor.initialize()
    session = editor.new(relay.workspace)
    editor.wait_for(lambda message: "available_commands_update" in str(message), "list of commands")
    id = editor.start_prompt(session, "/chunks 20 200")
    editor.result(id)
    id = editor.start_prompt(session, "/permission")
    editor.answer_question("allow")
    editor.result(id)
    id = editor.start_prompt(session, "/sleep 600")
    editor.notify("session/cancel", sessionId=session)
    editor.result(id)
    editor.result(editor.start("session/set_mode", sessionId=session, modeId="code"))
    assert editor.prompt_text(session, "the last words") == "the last words"
    assert editor.finish() == 0
    return editor.transcript()


@pytest.fixture
def whole(relay, proxy):
    """The undisturbed transcript and how many bytes it took in each direction."""
    with Editor(through(proxy)) as editor:
        transcript = converse(relay, editor)
    passed = dict(proxy.passed)
    proxy.passed.update(up=0, down=0)
    return transcript, passed


@pytest.mark.parametrize("direction, cuts", [("down", 24), ("up", 12)])
def test_a_cut_at_any_byte_loses_nothing_and_repeats_nothing(relay, proxy, whole, direction, cuts):
    transcript, passed = whole
    for cut in range(cuts):
        before = proxy.connections
        proxy.passed.update(up=0, down=0)
        at = 1 + (passed[direction] - 2) * cut // (cuts - 1)
        proxy.cut_after(direction, at)
        with Editor(through(proxy)) as editor:
            assert converse(relay, editor) == transcript, f"cut {direction} before byte {at}\n{editor.log}"
        assert proxy.connections > before + 1 or cut == cuts - 1, "it was cut"


def test_many_cuts_in_one_turn(relay, proxy):
    with Editor(through(proxy)) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        proxy.passed.update(up=0, down=0)
        proxy.cut_after("down", *range(60_000, 360_000, 60_000))
        id = editor.start_prompt(session, "/chunks 400 1000")
        assert editor.result(id)["stopReason"] == "end_turn"
        chunks = [m["params"]["update"]["content"]["text"] for m in editor.messages
                  if m.get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message_chunk"]
        assert len(chunks) == 400 and len(set(chunks)) == 400
        assert proxy.connections >= 6
        assert editor.finish() == 0
        assert editor.log.count("is lost") == editor.log.count("connected again")


def test_what_the_editor_says_meanwhile_is_sent_later(relay, proxy):
    with Editor(through(proxy)) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        relay.send_signal(signal.SIGSTOP)
        proxy.cut()
        ids = [editor.start_prompt(session, f"number {number}") for number in range(10)]
        editor.wait_for_log("is lost")
        relay.send_signal(signal.SIGCONT)
        for id in ids:
            assert editor.result(id)["stopReason"] == "end_turn"
        assert text_of(editor.messages) == "".join(f"number {number}" for number in range(10))


def test_a_question_that_is_open_while_it_is_cut_is_asked_once(relay, proxy):
    with Editor(through(proxy)) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        id = editor.start_prompt(session, "/permission")
        question = editor.wait_for(lambda m: m.get("method") == "session/request_permission", "question")
        for _ in range(3):
            count = editor.log.count("connected again")
            proxy.cut()
            editor.wait_until(lambda: editor.log.count("connected again") > count, "reconnect")
        editor.respond(question, {"outcome": {"outcome": "selected", "optionId": "reject"}})
        editor.result(id)
        assert "reject" in text_of(editor.messages)
        assert sum(m.get("method") == "session/request_permission" for m in editor.messages) == 1


def test_a_relay_that_is_started_again_goes_on_with_the_session(make_relay):
    relay = make_relay()
    with Editor(relay.http_url) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        assert editor.prompt_text(session, "before") == "before"
        relay.send_signal(signal.SIGTERM)
        assert relay.wait() == 0
        relay.start()
        editor.wait_for_log("connected again")
        assert editor.prompt_text(session, "after") == "after"
        assert editor.finish() == 0


def test_a_relay_that_was_killed_goes_on_with_the_session(make_relay):
    relay = make_relay()
    with Editor(relay.http_url) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        assert editor.prompt_text(session, "before") == "before"
        relay.send_signal(signal.SIGKILL)
        relay.wait()
        relay.start()
        assert editor.prompt_text(session, "after") == "after"
        assert editor.finish() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_turn_that_ended_with_its_relay_is_answered(make_relay, how):
    relay = make_relay()
    with Editor(relay.http_url) as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        id = editor.start_prompt(session, "/sleep 600")
        relay.wait_for_prompts()
        relay.send_signal(how)
        relay.wait()
        relay.start()
        answer = editor.answer(id)
        assert "error" in answer or answer["result"]["stopReason"] == "cancelled"
        assert editor.prompt_text(session, "after") == "after"


def test_it_gives_up_after_the_configured_time(make_relay):
    relay = make_relay()
    with Editor(relay.http_url, "--reconnect-timeout", "3") as editor:
        editor.initialize()
        session = editor.new(relay.workspace)
        relay.send_signal(signal.SIGKILL)
        relay.wait()
        relay.may_leave_open_rows = True
        error = editor.answer(editor.start_prompt(session, "anybody?"))["error"]
        assert "acp-relay serve" in error["message"]
        assert editor.exit_code() == 3
