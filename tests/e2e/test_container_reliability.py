"""Relays that are killed, or replaced, while agents in containers go on: nothing is lost, doubled or left over.

ACP_RELIABILITY_KILLS rounds of scripts/chaos.sh; ACP_RELIABILITY_SEED repeats a run.
"""
import asyncio
import json
import os
import random
import signal
import threading
import time

import httpx
import pytest

from harness.chaos import Chaos, container_leftovers, history, said
from harness.deadline import PATIENCE, Late, wait_until
from harness.editor import Editor
from harness.engine import EngineError, demultiplexed
from harness.engine_proxy import EngineProxy
from harness.http_client import RelayError, text_of
from harness.viewers import CHUNK, DIALECTS, END, GAP, HttpConnection, RelayEvents

KILLS = int(os.environ.get("ACP_RELIABILITY_KILLS", "15"))
SEED = int(os.environ.get("ACP_RELIABILITY_SEED", random.SystemRandom().randrange(1 << 20)))

# Says "first" and half of a line, and the rest when there is a file /workspace/go-on.
SLOW_AGENT = r"""
say() { printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"%s"}}}}\n' "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([^,}]*\).*/\1/p')
  case $line in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":1}}\n' "$id" ;;
    *'"session/new"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"sessionId":"s"}}\n' "$id" ;;
    *'"session/prompt"'*)
      say first
      printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","upd'
      until [ -e /workspace/while-down ]; do sleep 0.02; done
      printf 'ate":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"second"}}}}\n'
      say third
      : > /workspace/written
      until [ -e /workspace/go-on ]; do sleep 0.02; done
      say last
      printf '{"jsonrpc":"2.0","id":%s,"result":{"stopReason":"end_turn"}}\n' "$id" ;;
  esac
done
"""


def kill(relay, number=signal.SIGKILL):
    relay.process.send_signal(number)
    return relay.wait()


def watch(viewer, done, seconds=PATIENCE):
    """Reads on the viewer's next connections until done(viewer)."""
    async def follow():
        while True:
            try:
                if await viewer.watch(1 << 60, done):
                    return
            except OSError:
                await asyncio.sleep(0.05)
    try:
        asyncio.run(asyncio.wait_for(follow(), seconds))
    except asyncio.TimeoutError:
        raise Late(f"seen so far: {[event[:2] for event in viewer.events[-6:]]}") from None
    return viewer


def turn_is_over(viewer):
    return viewer.counts[END] > 0


def viewer_of(relay, session, dialect=RelayEvents):
    return dialect(relay.config["server"], session)


def start_prompt(relay, session, text):
    """A prompt whose client does not stay."""
    async def ask():
        stream = await HttpConnection.ask(
            relay.config["server"]["http_port"], "POST", "/session/prompt", {"Accept": "text/event-stream"},
            {"jsonrpc": "2.0", "id": "the turn", "method": "session/prompt",
             "params": {"sessionId": session, "content": [{"type": "text", "text": text}]}})
        assert stream.status == 200
        stream.drop()
    asyncio.run(ask())


def rows(relay, session):
    return asyncio.run(history(relay.config["server"], session))[0]


def close_all(relay):
    """Ends every session that is open; nothing of any session is left."""
    client = relay.http()
    for one in client.result("session/list", limit=1000, activeOnly=True)["sessions"]:
        client.result("session/close", sessionId=one["id"])
    relay.wait_until_empty()


def run_rounds(relay, count, others=()):
    chaos = Chaos(relay, container_leftovers(relay))
    dialects = sorted(DIALECTS)
    print(f"ACP_RELIABILITY_KILLS={KILLS} ACP_RELIABILITY_SEED={SEED}")

    async def rounds():
        outcomes = []
        for number in range(count):
            outcomes.append(await chaos.round(SEED + number, [dialects[number % len(dialects)]], others))
            print(outcomes[-1].line(number + 1))
        return outcomes

    outcomes = asyncio.run(rounds())
    assert [one.line(0) for one in outcomes if one.bad()] == []
    relay.wait_until_empty()
    return outcomes


def test_every_chunk_comes_once_whenever_the_relay_is_killed(make_container_relay):
    run_rounds(make_container_relay(config={"log": {"level": "info"}}), KILLS)


def test_every_view_is_exact_whenever_the_relay_is_killed_and_whoever_is_cut(make_container_relay):
    """Over every dialect at once, each cut at random."""
    outcomes = run_rounds(make_container_relay(config={"log": {"level": "info"}}), -(-KILLS // 5), sorted(DIALECTS))
    assert sum(one.cuts for one in outcomes) > 5 * len(outcomes)


def test_idle_sessions_live_through_a_killed_relay(make_container_relay):
    relay = make_container_relay()
    clients = [relay.http() for _ in range(3)]
    sessions = [client.new("/workspace") for client in clients]
    for session in sessions:
        assert clients[0].prompt_text(session, "before") == "before"
    containers = {session: relay.container(session)["Id"] for session in sessions}
    for _ in range(3):
        kill(relay)
        relay.start()
        client = relay.http()
        for session in sessions:
            assert client.prompt_text(session, f"hello {session}") == f"hello {session}"
            assert relay.container(session)["Id"] == containers[session]
    close_all(relay)


def logged(engine, session, text):
    """Whether the end of the container's log has a text."""
    try:
        stream = engine.request("GET", f"/containers/acp-agent-{session}/logs", stdout="1", tail="1")
    except EngineError:
        return False
    return text in b"".join(payload for _, payload in demultiplexed(stream)).decode("utf-8", "replace")


def test_what_is_rotated_out_of_the_log_is_a_gap_and_the_rest_is_exact(make_container_relay, engine):
    relay = make_container_relay()
    session = relay.http().new("/workspace")
    wanted = said(100_000, 1000)
    start_prompt(relay, session, "/chunks 100000 1000")

    def has_begun(viewer):
        if viewer.counts[CHUNK] < 20:
            return False
        relay.process.send_signal(signal.SIGSTOP)  # now, before it carries much more
        return True
    viewer = watch(viewer_of(relay, session), has_begun)
    kill(relay)
    wait_until(lambda: logged(engine, session, "end_turn"), "the agent has said everything", 300)
    relay.start()
    watch(viewer, turn_is_over, 5 * PATIENCE)
    kinds = [kind for kind, _, _ in viewer.events]
    assert GAP in kinds, "the missing range is told"
    before = [text for kind, text, _ in viewer.events[:kinds.index(GAP)] if kind == CHUNK]
    after = [text for kind, text, _ in viewer.events[kinds.index(GAP):] if kind == CHUNK]
    assert kinds.count(GAP) == 1 and viewer.problems == []
    assert before == wanted[:len(before)]
    assert 0 < len(after) < len(wanted) - len(before) and after == wanted[-len(after):]
    assert relay.http().prompt_text(session, "and on") == "and on"
    close_all(relay)


@pytest.fixture
def slow_relay(make_container_relay, tools_image):
    def make(**container):
        return make_container_relay({"image": tools_image, "command": ["/bin/sh", "-c", SLOW_AGENT], **container})
    return make


def through_a_dead_relay(relay, session, viewer):
    """The slow agent's turn; it ends its line, and writes another one, while there is no relay."""
    workspace = relay.host_workspace(session)
    start_prompt(relay, session, "go")
    watch(viewer, lambda one: one.texts() == ["first"])
    kill(relay)
    (workspace / "while-down").touch()
    wait_until((workspace / "written").exists, "the agent has written its lines")
    relay.start()
    (workspace / "go-on").touch()
    watch(viewer, turn_is_over)


def test_a_line_that_was_half_written_when_the_relay_died_is_whole(slow_relay):
    relay = slow_relay()
    session = relay.http().new("/workspace")
    viewer = viewer_of(relay, session)
    through_a_dead_relay(relay, session, viewer)
    assert viewer.texts() == ["first", "second", "third", "last"]
    assert viewer.texts(GAP) == [] and viewer.texts(END) == ["end_turn"]
    close_all(relay)


def test_without_a_log_driver_the_turn_goes_on_behind_a_gap(slow_relay):
    relay = slow_relay(log_driver="none")
    relay.wait_logged("what an agent writes while no relay runs is lost")
    session = relay.http().new("/workspace")
    viewer = viewer_of(relay, session)
    through_a_dead_relay(relay, session, viewer)
    kinds = [kind for kind, _, _ in viewer.events]
    assert GAP in kinds
    assert viewer.texts()[0] == "first" and viewer.texts()[-1] == "last"
    assert "second" not in viewer.texts() or viewer.texts() == ["first", "second", "third", "last"]
    assert viewer.texts(END) == ["end_turn"]
    close_all(relay)


@pytest.mark.parametrize("answers_over", ["websocket", "http"])
def test_a_question_that_is_open_when_the_relay_dies_is_asked_again_once(make_container_relay, answers_over):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    client.start_prompt("/permission")
    client.incoming("session/request_permission")
    kill(relay)
    relay.start()
    again = relay.websocket()
    again.result("session/resume", sessionId=session, after=0)
    question = again.incoming("session/request_permission")
    answer = {"outcome": {"outcome": "selected", "optionId": "allow"}}
    if answers_over == "websocket":
        again.respond(question, answer)
    else:
        relay.http().respond(session, question["id"], answer)
    again.wait_for(lambda m: "Permission: allow" in text_of([m]), "what the agent makes of it")
    assert len(again.all("session/request_permission")) == 1
    viewer = watch(viewer_of(relay, session), turn_is_over)
    assert viewer.texts(END) == ["end_turn"]
    with pytest.raises(RelayError):
        relay.http().respond(session, question["id"], answer)
    assert again.prompt("on")[1] == "on"
    close_all(relay)


def test_an_elicitation_that_is_open_when_the_relay_dies_is_asked_again(make_container_relay):
    relay = make_container_relay()
    client = relay.websocket()
    session = client.new("/workspace")
    client.start_prompt('/call elicitation/create {"sessionId":"$SESSION","mode":"form","message":"Which?",'
                        '"requestedSchema":{"type":"object","properties":{}}}')
    client.incoming("elicitation/create")
    kill(relay)
    relay.start()
    again = relay.websocket()
    again.result("session/resume", sessionId=session, after=0)
    again.respond(again.incoming("elicitation/create"), {"action": "decline"})
    again.wait_for(lambda m: "decline" in text_of([m]), "what the agent makes of it")
    assert len(again.all("elicitation/create")) == 1
    assert again.prompt("on")[1] == "on"
    close_all(relay)


def test_an_editor_behind_connect_sees_one_turn(make_container_relay):
    relay = make_container_relay()
    with Editor(relay.http_url) as editor:
        editor.initialize()
        session = editor.new("/workspace")
        id = editor.start_prompt(session, "/chunks 40000 100")
        editor.wait_for(lambda message: "agent_message_chunk" in str(message), "first chunk")
        kill(relay)
        relay.start()
        assert editor.result(id)["stopReason"] == "end_turn"
        assert text_of(editor.messages) == "".join(said(40_000, 100))
        id = editor.start_prompt(session, "/permission")
        question = editor.wait_for(lambda m: m.get("method") == "session/request_permission", "question")
        kill(relay)
        relay.start()
        editor.wait_until(lambda: editor.log.count("connected again") > 1, "reconnect")
        editor.respond(question, {"outcome": {"outcome": "selected", "optionId": "reject"}})
        editor.result(id)
        assert "Permission: reject" in text_of(editor.messages)
        assert editor.finish() == 0
    close_all(relay)


def test_prompts_that_wait_when_the_relay_dies_run_once_or_say_so(make_container_relay):
    relay = make_container_relay()
    session = relay.http().new("/workspace")
    client = relay.websocket()
    client.result("session/resume", sessionId=session)
    client.start_prompt("/sleep 2", session)
    for number in range(3):
        client.start_prompt(f"waiting-{number}", session)
    wait_until(lambda: sum(row["method"] == "session/prompt" for row in rows(relay, session)) == 4, "all are taken")
    kill(relay)
    relay.start()
    viewer = watch(viewer_of(relay, session), lambda one: one.counts[END] == 4)
    ran = [text for text in viewer.texts() if text.startswith("waiting-")]
    ends = viewer.texts(END)
    assert ran == sorted(set(ran)), "in order, and none twice"
    assert len(ran) + ends.count("relay_restarted") == 3, (ran, ends)
    assert "Slept." in "".join(viewer.texts())
    close_all(relay)


def test_a_prompt_runs_once_whenever_the_relay_is_killed_around_it(make_container_relay):
    """Its client sends it again when, and only when, the relay says that the agent did not have it."""
    draw = random.Random(SEED)
    print(f"ACP_RELIABILITY_SEED={SEED}")
    relay = make_container_relay(config={"log": {"level": "info"}})
    session = relay.http().new("/workspace")
    for number in range(12):
        word = f"word-{number}"
        viewer = viewer_of(relay, session)
        viewer.last = rows(relay, session)[-1]["sequence"]
        thread = at_a_random_moment(draw, lambda: start_prompt(relay, session, word), 0.006)
        kill(relay)
        thread.join()
        relay.start()
        asked = [row for row in rows(relay, session) if row["method"] == "session/prompt" and word in row["rawMessage"]]
        if asked:
            watch(viewer, turn_is_over)
        if not asked or viewer.texts(END) == ["relay_restarted"]:
            relay.http().prompt(session, word)
        relay.http().prompt(session, "done")
        watch(viewer, lambda one: one.shows("done"))
        assert viewer.texts().count(word) == 1, f"{word}: {[event[:2] for event in viewer.events]}"
    close_all(relay)


def test_an_agent_that_ends_while_there_is_no_relay_closes_its_session_with_its_cause(make_container_relay, engine):
    relay = make_container_relay()
    client = relay.http()
    session = client.new("/workspace")
    start_prompt(relay, session, "/sleep 600")
    relay.wait_for_prompts()
    kill(relay)
    engine.kill(f"acp-agent-{session}")
    wait_until(lambda: not relay.container(session)["State"]["Running"], "the agent is gone")
    relay.start()
    wait_until(lambda: relay.container(session) is None, "its container is removed")
    client = relay.http()
    [one] = wait_until(lambda: [one for one in client.result("session/list")["sessions"] if not one["isActive"]],
                       "the session's end")
    assert "137" in one["cause"] or "SIGKILL" in one["cause"] or "relay_restarted" in one["cause"], one
    viewer = watch(viewer_of(relay, session), turn_is_over)
    assert viewer.texts(END) != ["end_turn"], "the turn is answered with an error"
    client.result("session/close", sessionId=session)
    relay.wait_until_empty()


def at_a_random_moment(draw, action, longest):
    """Runs an action that may fail beside a pause."""
    def attempt():
        try:
            action()
        except Exception:  # the relay is killed under it
            pass
    thread = threading.Thread(target=attempt)
    thread.start()
    time.sleep(draw.uniform(0, longest))
    return thread


@pytest.mark.parametrize("within", ["new", "close"])
def test_a_relay_that_is_killed_within_a_call_leaves_nothing_behind(make_container_relay, within):
    draw = random.Random(f"{SEED} {within}")
    print(f"ACP_RELIABILITY_SEED={SEED}")
    relay = make_container_relay(config={"log": {"level": "info"}})
    for _ in range(8):
        client = relay.http()
        if within == "close":
            session = client.new("/workspace")
            thread = at_a_random_moment(draw, lambda: client.result("session/close", sessionId=session), 0.3)
        else:
            thread = at_a_random_moment(draw, lambda: client.new("/workspace"), 0.5)
        kill(relay)
        thread.join()
        relay.start()
        alive = {one["id"] for one in relay.http().result("session/list", activeOnly=True)["sessions"]}
        wait_until(lambda: {one["Names"][0].removeprefix("/acp-agent-") for one in relay.containers()} <= alive,
                   lambda: f"only containers of {alive}, but there are {[c['Names'] for c in relay.containers()]}")
        for session in alive:
            assert relay.http().prompt_text(session, "alive") == "alive"
        close_all(relay)


def test_a_relay_that_is_killed_behind_any_call_of_close_leaves_nothing_behind(make_container_relay, engine, tmp_path):
    """Once in each round, in place of the answer to another one of the calls to the Engine."""
    with EngineProxy(engine.socket, tmp_path / "engine.sock") as proxy:
        relay = make_container_relay({"docker_host": f"unix://{proxy.path}"}, {"log": {"level": "info"}})
        number = 0
        while True:
            number += 1
            client = relay.http()
            session = client.new("/workspace")
            proxy.stop_behind(number, relay.process.kill)
            try:
                client.result("session/close", sessionId=session)
            except httpx.TransportError:
                pass
            call = proxy.stopped()
            if call is None:
                break
            print(f"killed behind {call}")
            relay.wait()
            relay.start()
            client = relay.http()
            for one in client.result("session/list", activeOnly=True)["sessions"]:
                assert client.prompt_text(one["id"], "alive") == "alive"
            close_all(relay)
        relay.wait_until_empty()
        assert number > 3, "the container is stopped and removed by calls"
        relay.stop()


def test_two_relays_on_one_engine_leave_each_other_alone(make_container_relay):
    one, other = make_container_relay(), make_container_relay()
    sessions = {relay: relay.http().new("/workspace") for relay in (one, other)}
    kill(one)
    kill(other)
    other.start()
    other.assert_serves()
    assert one.container(sessions[one])["State"]["Running"], "an orphan of another relay is that relay's"
    assert one.host_workspace(sessions[one]).is_dir()
    one.start()
    for relay, session in sessions.items():
        assert relay.http().prompt_text(session, "mine") == "mine"
        close_all(relay)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_relay_that_is_upgraded_goes_on_in_the_middle_of_a_turn(make_container_relay, dialect):
    relay = make_container_relay(config={"sessions": {"on_shutdown": "detach"}})
    session = relay.http().new("/workspace")
    viewer = viewer_of(relay, session, DIALECTS[dialect])

    async def turn():
        await viewer.watch(1 << 60, lambda one: one.counts[CHUNK] >= 500)
        code = await asyncio.to_thread(kill, relay, signal.SIGTERM)
        await asyncio.to_thread(relay.start)
        while viewer.counts[CHUNK] < 30_000:
            try:
                await viewer.watch(1 << 60, lambda one: one.counts[CHUNK] >= 30_000)
            except OSError:
                await asyncio.sleep(0.05)
        await viewer.stop()
        return code

    start_prompt(relay, session, "/chunks 30000 100")
    assert asyncio.run(asyncio.wait_for(turn(), 3 * PATIENCE)) == 0
    assert viewer.texts() == said(30_000, 100) and viewer.texts(GAP) == [] and viewer.problems == []
    ended = [json.loads(row["rawMessage"]) for row in rows(relay, session) if row["messageType"] == "response"]
    assert sum("stopReason" in (one.get("result") or {}) for one in ended) >= 1
    assert relay.http().prompt_text(session, "on") == "on"
    close_all(relay)
