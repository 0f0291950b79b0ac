"""Requests of the agent to its clients: who is asked, whose answer counts, and that none is left open."""
import json

import pytest

from harness import schema
from harness.deadline import wait_until
from harness.http_client import RelayError, read_events, text_of

ASK = "session/request_permission"


def selected(request, position=0):
    option = request["params"]["options"][position]["optionId"]
    return {"outcome": {"outcome": "selected", "optionId": option}}


def said(client):
    return text_of(client.all("session/update"))


def two_clients(relay):
    first, second = relay.websocket(), relay.websocket()
    id = first.new(relay.workspace)
    second.result("session/resume", sessionId=id)
    return first, second, id


def test_the_answer_of_the_client_reaches_the_agent(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/permission")
    request = client.incoming(ASK)
    answer = selected(request)
    client.respond(request, answer)
    assert client.answer(turn)["result"]["stopReason"] == "end_turn"
    assert answer["outcome"]["optionId"] in said(client)


def test_all_are_asked_and_the_first_answer_wins(relay):
    first, second, _ = two_clients(relay)
    turn = first.start_prompt("/permission")
    copies = [client.incoming(ASK) for client in (first, second)]
    second.respond(copies[1], selected(copies[1], -1))
    first.answer(turn)
    assert selected(copies[1], -1)["outcome"]["optionId"] in said(first)
    told = first.incoming("$/cancel_request")
    assert told["params"]["requestId"] == copies[0]["id"], "the others are told by the id they know"
    first.respond(copies[0], selected(copies[0]))
    assert first.prompt("still fine")[1] == "still fine"


def test_an_error_of_one_client_is_no_decision(relay):
    first, second, _ = two_clients(relay)
    turn = first.start_prompt("/permission")
    copies = [client.incoming(ASK) for client in (first, second)]
    second.respond(copies[1], error={"code": -32603, "message": "no dialog here"})
    second.result("session/list")  # the error has been read
    first.respond(copies[0], selected(copies[0]))
    first.answer(turn)
    assert selected(copies[0])["outcome"]["optionId"] in said(first)


NONSENSE = [{"outcome": {"outcome": "selected", "optionId": "no such option"}},
            {"outcome": "allow_once"}, {}, None]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_invalid_answer_of_one_client_is_no_decision(relay, nonsense):
    first, second, _ = two_clients(relay)
    turn = first.start_prompt("/permission")
    copies = [client.incoming(ASK) for client in (first, second)]
    second.respond(copies[1], nonsense)
    second.result("session/list")  # the answer has been read
    first.respond(copies[0], selected(copies[0]))
    assert first.answer(turn)["result"]["stopReason"] == "end_turn"
    assert selected(copies[0])["outcome"]["optionId"] in said(first)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_invalid_answer_of_the_only_client_holds_nothing_up(relay, nonsense):
    """The agent is given it."""
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/permission")
    request = client.incoming(ASK)
    client.respond(request, nonsense)
    client.respond(request, selected(request))
    client.answer(turn)
    assert client.prompt("still fine")[1] == "still fine"


def test_someone_who_comes_later_is_asked_too(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    turn = first.start_prompt("/permission")
    first.incoming(ASK)
    second = relay.websocket()
    second.result("session/resume", sessionId=id)
    request = second.incoming(ASK)
    second.respond(request, selected(request))
    assert first.answer(turn)["result"]["stopReason"] == "end_turn"


def test_a_request_outlives_the_client_that_saw_it(relay):
    first = relay.websocket()
    id = first.new(relay.workspace)
    first.start_prompt("/permission")
    first.incoming(ASK)
    first.abort()
    second = relay.websocket()
    second.result("session/resume", sessionId=id)
    request = second.incoming(ASK)
    second.respond(request, selected(request))
    second.wait_for(lambda m: selected(request)["outcome"]["optionId"] in text_of([m]), "the outcome")


@pytest.mark.parametrize("policy, outcome", [
    ("cancelled", "cancelled"), ("reject", "reject"), ("allow", "allow")])
def test_without_anybody_the_policy_answers_in_time(make_relay, policy, outcome):
    relay = make_relay({"sessions": {"permission_timeout": "200ms", "permission_default": policy}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    client.start_prompt("/permission")
    client.incoming(ASK)
    client.abort()
    history = relay.http()
    wait_until(lambda: "stopReason" in json.dumps(history.result("session/history", sessionId=id)),
               "the turn ends")
    assert outcome in text_of(json.loads(item["rawMessage"]) for item in
                              history.result("session/history", sessionId=id)["messages"])


def test_a_blocking_prompt_uses_the_policy_at_once(make_relay):
    relay = make_relay({"sessions": {"permission_default": "allow"}})
    client = relay.http()
    assert "allow" in client.prompt_text(client.new(relay.workspace), "/permission")


def test_cancel_answers_the_open_request(relay):
    client = relay.websocket()
    client.new(relay.workspace)
    turn = client.start_prompt("/permission")
    client.incoming(ASK)
    client.notify("session/cancel", sessionId=client.session)
    assert client.answer(turn)["result"]["stopReason"] == "cancelled"


def test_an_http_script_answers_with_respond(session):
    client, id = session
    with client.stream(id, "/permission") as response:
        seen = []
        for event in read_events(response):
            seen.append(event.data)
            if event.data.get("method") == ASK:
                assert client.respond(id, event.data["id"], selected(event.data)) == {}
                used = event.data["id"]
    assert seen[-1]["result"]["stopReason"] == "end_turn"
    with pytest.raises(RelayError) as caught:
        client.respond(id, used, {"outcome": {"outcome": "cancelled"}})
    assert caught.value.code == -32602


@pytest.mark.parametrize("request_id", [987654321, "unknown", None])
def test_respond_to_an_unknown_request_is_refused(session, request_id):
    client, id = session
    with pytest.raises(RelayError) as caught:
        client.respond(id, request_id, {})
    assert caught.value.code == -32602


def test_respond_wants_a_result_or_an_error(session):
    client, id = session
    with client.stream(id, "/permission") as response:
        for event in read_events(response):
            if event.data.get("method") == ASK:
                answer, _ = client.call("session/respond", sessionId=id, requestId=event.data["id"])
                assert answer["error"]["code"] == -32602
                client.respond(id, event.data["id"], error={"code": -32603, "message": "I can't"})
            last = schema.check(event.data)
    assert last["result"]["stopReason"]


def test_an_extension_request_without_a_client_is_answered_with_an_error(session):
    client, id = session
    assert "-3260" in client.prompt_text(id, "/call _test/anyone {}")
