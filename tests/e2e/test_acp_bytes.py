"""What /acp carries comes out byte for byte, but for ids of requests and sessions and for escapes in methods.

Random messages; RELAY_TEST_SEED repeats a run.
"""
import base64
import json
import os
import random
import re

import pytest

from harness.acp_client import open_client
from harness.acp_endpoint import TRANSPORTS, acp_url
from harness.deadline import wait_until
from harness.random_json import RandomJson
from harness.relay import scripted

AGENTS_SESSION = "agent-session-0123456789"
COUNT = 200


@pytest.fixture(params=TRANSPORTS)
def talk(request, make_relay, tmp_path):
    """(client, session, random texts, the lines that the agent has read so far)."""
    record = tmp_path / "lines"
    relay = make_relay({"agent": scripted("bytes", record)})
    client = open_client(request.param, acp_url(relay, request.param))
    session = client.new(relay.workspace)
    seed = int(os.environ.get("RELAY_TEST_SEED") or random.randrange(1 << 32))
    print(f"RELAY_TEST_SEED={seed}")
    # The last one is not written to its end, or is empty.
    yield client, session, RandomJson(seed, session), lambda: record.read_text("utf-8").split("\n")[:-1]
    client.close()


def test_every_notification_to_a_session_that_was_made_elsewhere_arrives(make_relay, tmp_path):
    record = tmp_path / "lines"
    relay = make_relay({"agent": scripted("bytes", record)})
    first, second = (open_client("ws", acp_url(relay, "ws")) for _ in range(2))
    session = first.new(relay.workspace)
    names = [f"_demo/note{number}" for number in range(3)]
    second.send_text("\n".join(json.dumps({"jsonrpc": "2.0", "method": name, "params": {"sessionId": session}})
                               for name in names))
    wait_until(lambda: [name for line in record.read_text("utf-8").split("\n") for name in names if name in line]
               == names, "each of them, in their order")
    for client in (first, second):
        client.close()


def encode(text):
    return base64.b64encode(text.encode()).decode()


def as_agent(text, session):
    """As the agent sees or says it: whole strings that are the session's id are the agent's own."""
    return text.replace(f'"{session}"', f'"{AGENTS_SESSION}"')


def plain(text):
    """With the methods of these tests as agents and clients are to see them: without escapes that they don't need."""
    return text.replace('"_test/\\u0074wo"', '"_test/two"').replace('"_test\\/news"', '"_test/news"')


def tagged(lines, tag):
    found = [line for line in lines if f'"{tag}"' in line]
    assert len(found) <= 1, found
    return found[0] if found else None


def same_but_id(text, written, marker="@ID@"):
    """Whether `text` is `written` with some id of one word where the marker is."""
    before, after = written.split(marker)
    return text.startswith(before) and text.endswith(after) and re.fullmatch(
        r'"[^"]*"|-?\d+', text[len(before):len(text) - len(after)]) is not None


def test_requests_and_notifications_of_the_client(talk):
    client, session, texts, lines = talk
    sent = {}
    for number in range(COUNT):
        tag = f"tag-{number}-"
        fields = ['"method":"_test/%s"' % texts.random.choice(["one", "\\u0074wo"]),
                  '"params":' + texts.object(4, f'"tag":"{tag}"', f'"sessionId":"{session}"')]
        if texts.random.random() < 0.6:
            fields.append('"id":@ID@')
        text = texts.message(*fields)
        sent[tag] = plain(as_agent(text, session))
        answer = client.send_text(text.replace("@ID@", json.dumps(f"mine-{number}")), session)
        assert answer is None or answer.status == 202, answer.body
    client.result("_test/end", sessionId=session)
    read = lines()
    for tag, text in sent.items():
        line = tagged(read, tag)
        assert line is not None, text
        assert same_but_id(line, text) if "@ID@" in text else line == text, (line, text)


def test_answers_of_the_agent(talk):
    client, session, texts, _ = talk
    for number in range(COUNT):
        result = texts.value() if texts.random.random() < 0.2 else texts.object()
        params = {"sessionId": session, "text": encode(as_agent(result, session))}
        client.answer(client.start("_test/answer", params, id=f"mine-{number}"))
        text = next(text for text in client.texts if f'"mine-{number}"' in text)
        assert text == '{"jsonrpc":"2.0","id":"mine-%d","result":%s}' % (number, result)


def test_updates_and_requests_of_the_agent(talk):
    client, session, texts, _ = talk
    sent = {}
    for number in range(COUNT):
        tag = f"tag-{number}-"
        kind = texts.random.choice(["unheard_of", "\\u0061nother"])
        update = texts.object(3, f'"sessionUpdate":"{kind}"')
        fields = ['"params":' + texts.object(2, f'"tag":"{tag}"', f'"sessionId":"{session}"', f'"update":{update}')]
        if texts.random.random() < 0.3:
            fields += ['"method":"_test/ask"', '"id":@ID@']
        else:
            fields += ['"method":"%s"' % texts.random.choice(["_test/news", "_test\\/news"])]
        sent[tag] = texts.message(*fields)
    lines = [encode(as_agent(text, session).replace("@ID@", str(number))) for number, text in enumerate(sent.values())]
    client.result("_test/write", sessionId=session, lines=lines)
    for tag, text in sent.items():
        came = wait_until(lambda: tagged(list(client.texts), tag), lambda: f"{text} comes")
        text = plain(text)
        assert same_but_id(came, text) if "@ID@" in text else came == text, (came, text)


def test_answers_of_the_client(talk):
    client, session, texts, lines = talk
    for number in range(COUNT // 4):
        ask = '{"jsonrpc":"2.0","id":%d,"method":"_test/ask","params":{"sessionId":"%s","n":%d}}' % (
            number, AGENTS_SESSION, number)
        client.result("_test/write", sessionId=session, lines=[encode(ask)])
        asked = client.wait_for(lambda m: m.get("method") == "_test/ask" and m["params"]["n"] == number)
        tag = f"tag-{number}-"
        if texts.random.random() < 0.3:
            outcome = '"error":' + texts.object(3, '"code":-12345', f'"message":"{tag}"')
        else:
            outcome = '"result":' + texts.object(4, f'"tag":"{tag}"')
        text = texts.message('"id":@ID@', outcome)
        client.send_text(text.replace("@ID@", json.dumps(asked["id"])), session)
        line = wait_until(lambda: tagged(lines(), tag), lambda: f"{text} comes")
        assert line == as_agent(text, session).replace("@ID@", str(number))


def test_a_carriage_return_between_tokens_breaks_no_event(talk):
    client, session, _, _ = talk
    text = '{"jsonrpc":"2.0",\r"method":"_test/news",\r"params":{"sessionId":"%s","tag":"cr"}\r}' % AGENTS_SESSION
    client.result("_test/write", sessionId=session, lines=[encode(text)])
    assert client.incoming("_test/news")["params"] == {"sessionId": session, "tag": "cr"}


def test_a_number_asked_for_is_all_that_is_added(make_relay):
    """With acp-relay/seq a bridge gets numbers in _meta; everything else stays as it is."""
    relay = make_relay()
    client = open_client("ws", acp_url(relay, "ws"), initialize=False)
    client.initialize({"_meta": {"acp-relay/seq": True}})
    session = client.new(relay.workspace)
    client.prompt("one two three", session)
    numbers = [message["params"]["_meta"]["acp-relay/seq"] for message in client.messages
               if message.get("method") == "session/update"]
    assert numbers == sorted(set(numbers)) and len(numbers) >= 3
    last = client.wait_for(lambda m: "stopReason" in m.get("result", {}))["result"]
    assert last["_meta"]["acp-relay/seq"] > numbers[-1]
    client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nothing_is_added_for_others(relay, transport):
    client = open_client(transport, acp_url(relay, transport))
    session = client.new(relay.workspace)
    client.prompt("one two three", session)
    assert not any("acp-relay/seq" in text for text in client.texts)
    client.close()
