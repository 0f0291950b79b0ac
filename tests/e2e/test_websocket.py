"""The relay's WebSocket dialect, with the message shapes that earlier clients use."""
import json

from harness.deadline import wait_until
from harness.http_client import RelayError, text_block, text_of


def test_new_tells_session_and_client(relay):
    result = relay.websocket().result("session/new", workingDirectory=str(relay.workspace))
    assert result["sessionId"].startswith("sess_")
    assert result["clientId"]


def test_a_prompt_streams_its_updates_before_its_answer(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    result, text = client.prompt("one two three", session=id)
    assert (result["stopReason"], text) == ("end_turn", "one two three")


def test_the_session_id_may_be_left_out_after_new(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    assert client.prompt("hello")[1] == "hello"


def test_the_session_id_may_be_left_out_after_resume(relay):
    first, second = relay.websocket(), relay.websocket()
    id = first.new(relay.workspace)
    second.result("session/resume", sessionId=id)
    assert second.prompt("hello")[1] == "hello"


def test_using_a_session_by_its_id_does_not_make_it_the_current_one(relay):
    other = relay.http().new(relay.workspace)
    client = relay.websocket()
    assert client.prompt("named", session=other)[1] == "named"
    assert client.error("session/prompt", content=text_block("unnamed")).code == -32602
    own = client.result("session/new", workingDirectory=str(relay.workspace))["sessionId"]
    client.prompt("named again", session=other)
    client.result("session/prompt", content=text_block("whose is this"))
    said = relay.http().result("session/history", sessionId=own)["messages"]
    assert "whose is this" in json.dumps(said)


def test_without_a_session_a_prompt_is_refused(relay):
    error = relay.websocket().error("session/prompt", content=text_block("hello"))
    assert error.type in ("invalid_params", "session_not_found")


def test_resume_replays_and_goes_on_live_from_a_second_connection(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    first.prompt("before")
    second = relay.websocket()
    second.result("session/resume", sessionId=id)
    assert second.messages[0].get("result"), "the answer comes before the replay"
    first.prompt("after")
    wait_until(lambda: text_of(second.all("session/update")) == "beforeafter",
               lambda: f"replay and live in one: {text_of(second.all('session/update'))}")


def test_resume_continues_behind_a_sequence_number(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    first.prompt("one")
    after = max(item["sequence"] for item in
                first.result("session/history", sessionId=id)["messages"])
    first.prompt("two")
    second = relay.websocket()
    second.result("session/resume", sessionId=id, after=after)
    wait_until(lambda: text_of(second.all("session/update")) == "two",
               lambda: text_of(second.all("session/update")))


def test_resuming_in_the_middle_of_a_flood_loses_and_doubles_nothing(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    turn = first.start_prompt("/chunks 3000 10")
    first.incoming("session/update")
    second = relay.websocket()
    second.result("session/resume", sessionId=id, after=0)
    first.answer(turn)
    wait_until(lambda: len(text_of(second.all("session/update"))) >= 30000, "everything comes")
    assert text_of(second.all("session/update")) == text_of(first.all("session/update"))


def test_a_dropped_client_comes_back_to_the_running_turn(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    first.start_prompt("/sleep 0.5")
    relay.wait_for_prompts()
    first.abort()
    second = relay.websocket()
    second.result("session/resume", sessionId=id)
    second.wait_for(lambda m: "Slept." in text_of([m]), "the end of the turn")
    assert second.prompt("again")[1] == "again"


def test_clients_of_one_session_have_their_own_ids(relay):
    first, second = relay.websocket(), relay.websocket()
    id = first.new(relay.workspace)
    second.result("session/resume", sessionId=id)
    for client, text in ((first, "from the first"), (second, "from the second")):
        client.start_prompt(text, id=77)
    for client in (first, second):
        assert client.answer(77)["result"]["stopReason"] == "end_turn"
        assert sum(1 for m in client.messages if m.get("id") == 77 and "method" not in m) == 1


def test_everyone_sees_the_prompt_of_another_client(relay):
    first, second = relay.websocket(), relay.websocket()
    id = first.new(relay.workspace)
    second.result("session/resume", sessionId=id)
    first.prompt("what I asked")
    second.wait_for(lambda m: m.get("params", {}).get("update", {}).get("sessionUpdate")
                    == "user_message_chunk" and "what I asked" in json.dumps(m), "the echoed prompt")
    assert not any(m["params"]["update"]["sessionUpdate"] == "user_message_chunk"
                   for m in first.all("session/update")), "who asks gets no echo"
    second.incoming("_acp-relay/turn_complete")


def test_sessions_of_other_clients_stay_apart(relay):
    first, second = relay.websocket(), relay.websocket()
    first.new(relay.workspace)
    second.new(relay.workspace)
    first.prompt("private to the first")
    second.prompt("private to the second")
    assert "first" not in text_of(second.all("session/update"))
    assert "second" not in text_of(first.all("session/update"))


def test_prompts_queue_and_run_in_order(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    ids = [client.start_prompt(f"turn {n} ") for n in range(5)]
    for id in ids:
        assert client.answer(id)["result"]["stopReason"] == "end_turn"
    assert text_of(client.all("session/update")) == "".join(f"turn {n} " for n in range(5))


def test_a_full_queue_refuses_and_the_others_run(make_relay):
    relay = make_relay({"sessions": {"max_queued_prompts": 2}})
    client = relay.websocket()
    client.new(relay.workspace)
    running = client.start_prompt("/sleep 600")
    queued = [client.start_prompt(text) for text in ("a", "b")]
    refused = client.answer(client.start_prompt("c"))
    assert RelayError(refused["error"]).type == "turn_in_progress"
    client.notify("session/cancel", sessionId=client.session)
    assert client.answer(running)["result"]["stopReason"] == "cancelled"
    for id in queued:
        client.answer(id)
    assert client.prompt("d")[1] == "d"


def test_cancel_as_a_notification_ends_the_turn(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/sleep 600")
    client.notify("session/cancel", sessionId=client.session)
    assert client.answer(turn)["result"]["stopReason"] == "cancelled"


def test_cancel_as_a_request_is_answered_too(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/sleep 600")
    assert "result" in client.request("session/cancel", sessionId=client.session)
    assert client.answer(turn)["result"]["stopReason"] == "cancelled"


def test_cancel_request_cancels_by_the_clients_own_id(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/sleep 600", id="my turn")
    client.notify("$/cancel_request", requestId="my turn")
    answer = client.answer(turn)
    assert answer.get("result", {}).get("stopReason") == "cancelled" or answer["error"]["code"] == -32800


def answers_to(client, id):
    """How many answers the client has to a request, once a later one is answered by every session."""
    for session in client.sessions:
        client.request("session/cancel", sessionId=session)
    client.result("session/list")
    return [m for m in client.messages if "method" not in m and m.get("id") == id]


def test_cancel_request_as_a_request_is_answered_once_whatever_the_sessions(relay):
    client = relay.websocket()
    client.sessions = []
    for count in range(3):
        client.start("$/cancel_request", {"requestId": "unknown"}, id=f"cancel {count}")
        assert [a.get("result") for a in answers_to(client, f"cancel {count}")] == [{}]
        client.sessions.append(client.new(relay.workspace))


def test_cancel_request_as_a_request_ends_what_it_names(relay):
    client = relay.websocket()
    first, second = client.new(relay.workspace), client.new(relay.workspace)
    client.sessions = [second]
    turn = client.start_prompt("/sleep 600", session=first, id="my turn")
    client.start("$/cancel_request", {"requestId": "my turn"}, id="cancel")
    answer = client.answer(turn)
    assert answer.get("result", {}).get("stopReason") == "cancelled" or answer["error"]["code"] == -32800
    assert [a.get("result") for a in answers_to(client, "cancel")] == [{}]


def test_cancel_request_reaches_one_session_when_both_have_a_request_of_that_id(relay):
    client = relay.websocket()
    first, second = client.new(relay.workspace), client.new(relay.workspace)
    client.start_prompt("/sleep 600", session=first, id="turn")
    client.start_prompt("/sleep 600", session=second, id="turn")
    client.notify("$/cancel_request", requestId="turn")
    client.answer("turn")
    states = {id: relay.management(f"/api/sessions/{id}").json()["turnRunning"] for id in (first, second)}
    assert states == {first: True, second: False}, "the session used last is meant"
    client.request("session/cancel", sessionId=first)


def test_other_methods_reach_the_agent(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    modes = client.result("session/new", workingDirectory=str(relay.workspace)).get("modes")
    assert modes, "the agent's own answer is carried through"
    mode = modes["availableModes"][-1]["id"]
    assert "error" not in client.request("session/set_mode", sessionId=id, modeId=mode)
    wait_until(lambda: any(m["params"]["update"]["sessionUpdate"] == "current_mode_update"
                           for m in client.all("session/update")), "the mode is announced")


def test_the_agents_errors_pass_through(relay):
    client = relay.websocket()
    id = client.new(relay.workspace)
    assert client.error("_nobody/knows_this", sessionId=id).code == -32601
    assert client.error("session/set_mode", sessionId=id, modeId="no such mode").code == -32602


def test_requests_of_the_agent_reach_the_client_and_come_back(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt('/call _test/question {"sessionId":"$SESSION","what":"name"}')
    question = client.incoming("_test/question")
    assert question["params"]["sessionId"] == client.session, "the relay's id, not the agent's"
    client.respond(question, {"name": "Ada"})
    client.answer(turn)
    assert "Ada" in text_of(client.all("session/update"))


def test_the_clients_disk_is_not_offered_by_default(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    client.prompt('/call fs/read_text_file {"sessionId":"$SESSION","path":"/etc/passwd"}')
    assert client.all("fs/read_text_file") == []
    assert "-3260" in text_of(client.all("session/update"))


def test_passthrough_offers_the_clients_disk(make_relay):
    relay = make_relay({"client_capabilities": "passthrough"})
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt('/call fs/read_text_file {"sessionId":"$SESSION","path":"/x"}')
    client.respond(client.incoming("fs/read_text_file"), {"content": "from the client"})
    client.answer(turn)
    assert "from the client" in text_of(client.all("session/update"))


def test_close_ends_the_session_for_everyone(relay):
    first, second = relay.websocket(), relay.websocket()
    id = first.new(relay.workspace)
    second.result("session/resume", sessionId=id)
    relay.wait_for_agents(1)
    first.result("session/close", sessionId=id)
    second.incoming("_acp-relay/session_closed")
    relay.wait_for_agents(0)
    assert second.error("session/prompt", sessionId=id, content=text_block("x")).type == "session_closed"
    first.new(relay.workspace)
    assert first.prompt("another")[1] == "another"


def test_one_connection_may_use_several_sessions(relay):
    client = relay.websocket()
    ids = [client.new(relay.workspace) for _ in range(3)]
    for id in ids:
        assert client.prompt(f"in {id}", session=id)[1] == f"in {id}"
    relay.wait_for_agents(3)


def test_an_idle_session_is_closed(make_relay):
    relay = make_relay({"sessions": {"idle_timeout": "300ms"}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.close()
    relay.wait_for_agents(0)
    http = relay.http()

    def listed():
        return [(item["id"], item["isActive"]) for item in http.result("session/list")["sessions"]]
    wait_until(lambda: listed() == [(id, False)], lambda: f"it is closed: {listed()}")
    relay.assert_serves_a_watcher()


def test_a_running_turn_is_not_idle(make_relay):
    relay = make_relay({"sessions": {"idle_timeout": "100ms"}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.start_prompt("/sleep 1")
    relay.wait_for_prompts()
    client.abort()
    http = relay.http()
    wait_until(lambda: "Slept." in json.dumps(http.result("session/history", sessionId=id)), "the turn ends")


def test_binary_frames_are_ignored(relay):
    client = relay.websocket()
    client.send_raw(b"\x00\x01")
    client.new(relay.workspace)
    assert client.prompt("hello")[1] == "hello"


def test_replays_of_several_sessions_share_a_slow_connection(make_relay):
    relay = make_relay({"server": {"max_message_bytes": "1M", "max_outbox_bytes": "4M"}, "log": {"level": "info"}})
    http = relay.http()
    sessions = [http.new(relay.workspace) for _ in range(3)]
    for session in sessions:
        for _ in range(2):
            http.result("session/prompt", sessionId=session, content=text_block("/chunks 40 100000"))
    client = relay.websocket()
    for session in sessions:
        client.start("session/resume", {"sessionId": session, "after": 0})

    def chunks():
        """{session: how many chunks of a turn have come}"""
        updates = [message["params"] for message in client.all("session/update")]
        return {session: sum(one["sessionId"] == session and one["update"]["sessionUpdate"] == "agent_message_chunk"
                             for one in updates) for session in sessions}
    wait_until(lambda: set(chunks().values()) == {80}, lambda: f"every replay is whole: {chunks()}")
    assert not client.closed
    for session in sessions:
        http.result("session/close", sessionId=session)
