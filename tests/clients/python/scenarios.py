"""Scenarios, each with the facts of the one of its name in tests/clients/scenarios."""
import asyncio


from connection import Client, describe, plain, refusal, select, words_of


async def initialize(setting):
    return (await Client.open(setting)).initialized


async def streaming(setting):
    client = await Client.open(setting)
    session = await client.new_session()
    first = await client.prompt(session["sessionId"], "one two three")
    many = await client.prompt(session["sessionId"], "/chunks 500 40")
    chunks = [update for update in many["updates"] if update["sessionUpdate"] == "agent_message_chunk"]
    numbers = [int(chunk["content"]["text"].split()[0]) for chunk in chunks]
    kinds = {event["update"]["sessionUpdate"] if event["kind"] == "update" else event["kind"]
             for event in client.events}
    return {"session": session, "first": first, "stopReason": many["stopReason"], "count": len(chunks),
            "inOrder": numbers == list(range(len(numbers))), "kinds": sorted(kinds)}


async def permission(setting):
    choices = ["allow", "reject"]
    client = await Client.open(setting, lambda _: select(choices.pop(0)))
    session = (await client.new_session())["sessionId"]
    allowed = await client.prompt(session, "/permission")
    rejected = await client.prompt(session, "/permission")
    asked = [event["params"] for event in client.events if event["kind"] == "permission"]
    return {"sessionId": session, "asked": asked, "allowed": allowed, "rejected": rejected}


async def cancel(setting):
    answer = asyncio.get_running_loop().create_future()

    async def wait(_):
        return await answer

    client = await Client.open(setting, wait)
    session = (await client.new_session())["sessionId"]
    asleep = asyncio.ensure_future(client.prompt(session, "/sleep 600"))
    await client.until(lambda event: event["kind"] == "update")
    await client.agent.set_session_mode(session_id=session, mode_id="ask")  # the prompt has gone before it
    await client.agent.cancel(session_id=session)
    slept = await asleep
    waiting = asyncio.ensure_future(client.prompt(session, "/permission"))
    await client.until(lambda event: event["kind"] == "permission")
    await client.agent.cancel(session_id=session)
    answer.set_result({"outcome": {"outcome": "cancelled"}})
    waited = await waiting
    return {"slept": slept["stopReason"], "waited": waited["stopReason"],
            "next": await client.prompt(session, "still there")}


async def modes(setting):
    client = await Client.open(setting)
    session = await client.new_session()
    name, start = session["sessionId"], len(client.events)
    result = await client.agent.set_session_mode(session_id=name, mode_id="code")
    changed = await client.until(
        lambda event: event["kind"] == "update" and event["update"]["sessionUpdate"] == "current_mode_update", start)
    refused = await refusal(client.agent.set_session_mode(session_id=name, mode_id="nonsense"))
    options = await client.agent.set_config_option(session_id=name, config_id="style", value="loud")
    return {"session": session, "result": plain(result), "changed": changed["update"], "refusal": refused,
            "options": plain(options), "loud": await client.prompt(name, "loud")}


async def agent_errors(setting):
    client = await Client.open(setting)
    session = (await client.new_session())["sessionId"]
    unknown = await refusal(client.agent.ext_method("demo/nothing_like_it", {"sessionId": session}))
    bad_mode = await refusal(client.agent.set_session_mode(session_id=session, mode_id=""))
    return {"unknownMethod": unknown, "badMode": bad_mode, "next": await client.prompt(session, "fine")}


async def two_sessions(setting):
    client = await Client.open(setting)
    one, two = (await client.new_session())["sessionId"], (await client.new_session())["sessionId"]
    first, second = await asyncio.gather(client.prompt(one, "/chunks 200 20"),
                                         client.prompt(two, "only for the second"))
    chunks = [update for update in first["updates"] if update["sessionUpdate"] == "agent_message_chunk"]
    return {"distinct": one != two, "first": len(chunks), "second": second["text"],
            "firstHasSecond": "only" in first["text"], "secondHasFirst": "x" in second["text"]}


async def two_clients(setting):
    first = await Client.open(setting)
    session = (await first.new_session())["sessionId"]
    second = await Client.open(setting)
    await second.agent.resume_session(session_id=session, cwd=second.cwd, mcp_servers=[])
    start = len(second.events)
    turn = await first.prompt(session, "hello both")
    await second.until(
        lambda event: event["kind"] == "notification" and event["method"].endswith("turn_complete"), start)
    seen = second.updates(session, start)
    mine = await second.prompt(session, "now me")
    echoed = await first.until(
        lambda event: event["kind"] == "update" and event["update"]["sessionUpdate"] == "user_message_chunk"
        and event["update"]["content"]["text"] == "now me")
    return {"turn": turn, "seen": seen, "mine": mine, "echoed": echoed["update"]}


async def _told(setting, text):
    client = await Client.open(setting)
    session = (await client.new_session())["sessionId"]
    await client.prompt(session, text)
    return client, session


def _conversation(updates):
    return {"user": words_of(updates, "user_message_chunk"), "agent": words_of(updates)}


async def _reopen(client, method, session):
    start = len(client.events)
    result = await method(client)(session_id=session, cwd=client.cwd, mcp_servers=[])
    await client.settled(session)
    before = _conversation(client.updates(session, start))
    again = await client.prompt(session, "back again")
    return {"result": plain(result), "before": before, "next": again,
            "after": _conversation(client.updates(session, start))}


def _load(client):
    return client.agent.load_session


def _resume(client):
    return client.agent.resume_session


async def load_live(setting):
    _, session = await _told(setting, "remember me")
    return await _reopen(await Client.open(setting), _load, session)


async def resume_live(setting):
    _, session = await _told(setting, "remember me")
    return await _reopen(await Client.open(setting), _resume, session)


async def load_closed(setting):
    client, session = await _told(setting, "remember me")
    closed = plain(await client.agent.close_session(session_id=session))
    return {"closed": closed or {}, **await _reopen(await Client.open(setting), _load, session)}


async def resume_closed(setting):
    client, session = await _told(setting, "remember me")
    closed = plain(await client.agent.close_session(session_id=session))
    return {"closed": closed or {}, **await _reopen(await Client.open(setting), _resume, session)}


async def load_unknown(setting):
    client = await Client.open(setting)
    unknown = {"session_id": "sess_0123456789abcdef0123456789abcdef", "cwd": client.cwd, "mcp_servers": []}
    refusals = {"session/load": await refusal(client.agent.load_session(**unknown)),
                "session/resume": await refusal(client.agent.resume_session(**unknown))}
    return {"refusals": refusals, "next": await client.new_session()}


async def fork(setting):
    client, session = await _told(setting, "remember me")
    start = len(client.events)
    forked = plain(await client.agent.fork_session(session_id=session, cwd=client.cwd, mcp_servers=[]))
    next = await client.prompt(forked["sessionId"], "/recall")
    return {"session": session, "forked": forked, "next": next,
            "told": words_of(client.updates(forked["sessionId"], start))}


async def sessions(setting):
    client = await Client.open(setting)
    made = [(await client.new_session())["sessionId"] for _ in range(2)]
    return {"made": made, "listed": plain(await client.agent.list_sessions())["sessions"],
            "elsewhere": plain(await client.agent.list_sessions(cwd="/nowhere/at/all"))["sessions"]}


async def unauthorized(setting):
    attempts = {}
    for name, token in (("none", None), ("wrong", "not-the-token")):
        try:
            await Client.open({**setting, "token": token})
            attempts[name] = "served"
        except Exception as error:  # of whatever library carries it
            attempts[name] = describe(error)
    client = await Client.open(setting)
    return {"attempts": attempts, "right": client.initialized["protocolVersion"]}


ALL = {name: one for name, one in globals().items()
       if asyncio.iscoroutinefunction(one) and not name.startswith("_") and name != "refusal"}
