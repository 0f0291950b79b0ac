"""What version 1 of the Agent Client Protocol asks of an agent on stdio, one function a requirement.

verdicts(command) tries them all against a program: {name: "passed", "not applicable" or "failed: ..."}. They are in
our own words; the protocol is at agentclientprotocol.com. An agent is made to act by prompts of the demo agent.
"""
import json

from .http_client import RelayError, text_block, text_of
from .stdio_agent import Agent, NotApplicable, named

ALL = {}
NONE = "sess_0123456789abcdef0123456789abcdef"
STOP_REASONS = {"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"}
CANCELLED = {"outcome": {"outcome": "cancelled"}}


def requirement(check):
    ALL[check.__name__] = check
    return check


def verdicts(command, env, cwd):
    found = {}
    for name, check in ALL.items():
        agent = Agent(command, env, cwd)
        try:
            check(agent)
            found[name] = "passed"
        except NotApplicable:
            found[name] = "not applicable"
        except (AssertionError, KeyError, RelayError, TypeError) as failure:
            found[name] = f"failed: {type(failure).__name__}: {failure}"[:400]
        finally:
            agent.process.kill()
            agent.process.wait()
            agent.reader.join()
            for pipe in (agent.process.stdin, agent.process.stdout):
                pipe.close()
    return found


# Initialization
@requirement
def initialize_has_a_version(agent):
    assert isinstance(agent.initialize()["protocolVersion"], int)


@requirement
def a_version_that_is_known_is_agreed_on(agent):
    assert agent.initialize()["protocolVersion"] == 1


@requirement
def a_version_that_is_unknown_gets_the_latest_known(agent):
    assert agent.initialize(protocolVersion=999)["protocolVersion"] == 1


@requirement
def capabilities_are_flags_and_objects(agent):
    capabilities = agent.initialize()["agentCapabilities"]
    assert isinstance(capabilities.get("loadSession", False), bool)
    for group in ("promptCapabilities", "mcpCapabilities"):
        assert all(isinstance(flag, bool) for flag in capabilities.get(group, {}).values())
    assert all(value is None or isinstance(value, dict)
               for value in capabilities.get("sessionCapabilities", {}).values())


@requirement
def ways_to_log_in_have_ids_and_names(agent):
    assert named(agent.initialize()["authMethods"], "id", "name")


@requirement
def the_agent_says_who_it_is(agent):
    assert named([agent.initialize()["agentInfo"]], "name", "version")


@requirement
def initialize_without_a_version_is_refused(agent):
    agent.refused("initialize", -32602, clientCapabilities={})


@requirement
def a_version_that_is_no_number_is_refused(agent):
    agent.refused("initialize", -32602, protocolVersion="1")


@requirement
def unknown_capabilities_of_the_client_are_ignored(agent):
    agent.initialize(clientCapabilities={"_vendor": {"x": [1]}, "later": True}, _meta={"a": 1})


# Sessions
@requirement
def a_session_has_an_id(agent):
    assert named([agent.new()], "sessionId")


@requirement
def sessions_are_told_apart(agent):
    first = agent.new()["sessionId"]
    assert first != agent.result("session/new", cwd=agent.cwd, mcpServers=[])["sessionId"]


@requirement
def a_relative_directory_is_refused(agent):
    agent.initialize()
    agent.refused("session/new", -32602, cwd="relative", mcpServers=[])


@requirement
def a_session_needs_a_directory(agent):
    agent.initialize()
    agent.refused("session/new", -32602, mcpServers=[])


@requirement
def a_session_needs_a_list_of_servers(agent):
    agent.initialize()
    agent.refused("session/new", -32602, cwd=agent.cwd)


@requirement
def servers_on_stdio_are_taken(agent):
    agent.new(mcpServers=[{"name": "s", "command": "/bin/false", "args": [], "env": [{"name": "A", "value": "b"}]}])


@requirement
def the_mode_is_one_of_those_offered(agent):
    modes = agent.new().get("modes")
    if not modes:
        raise NotApplicable
    assert named(modes["availableModes"], "id", "name")
    assert modes["currentModeId"] in [mode["id"] for mode in modes["availableModes"]]


@requirement
def options_have_ids_names_and_types(agent):
    options = agent.new().get("configOptions")
    if not options:
        raise NotApplicable
    assert named(options, "id", "name", "type")


@requirement
def a_mode_can_be_set(agent):
    session = agent.new()
    if "modes" not in session:
        raise NotApplicable
    for mode in session["modes"]["availableModes"]:
        agent.result("session/set_mode", sessionId=session["sessionId"], modeId=mode["id"])


@requirement
def an_unknown_mode_is_refused(agent):
    agent.refused("session/set_mode", (-32602, -32603), sessionId=agent.new()["sessionId"], modeId="no such mode")


@requirement
def a_set_option_is_answered_with_all_of_them(agent):
    session = agent.new()
    option = next((one for one in session.get("configOptions", []) if one["type"] == "select"), None)
    if option is None:
        raise NotApplicable
    value = option["options"][-1]["value"]
    answer = agent.result("session/set_config_option", sessionId=session["sessionId"], configId=option["id"], value=value)
    assert [one["id"] for one in answer["configOptions"]] == [one["id"] for one in session["configOptions"]]
    assert next(one for one in answer["configOptions"] if one["id"] == option["id"])["currentValue"] == value


@requirement
def an_unknown_option_is_refused(agent):
    session = agent.new()["sessionId"]
    agent.refused("session/set_config_option", (-32602, -32603), sessionId=session, configId="no such", value="x")


# Turns
@requirement
def a_turn_has_a_stop_reason(agent):
    assert agent.turn("hello")[1]["result"]["stopReason"] in STOP_REASONS


@requirement
def updates_come_before_the_answer_and_name_their_session(agent):
    session, _, updates = agent.turn("hello there")
    assert "".join(one["update"]["content"]["text"] for one in updates
                   if one["update"]["sessionUpdate"] == "agent_message_chunk") == "hello there"
    assert {one["sessionId"] for one in updates} == {session}


@requirement
def turns_follow_each_other(agent):
    session = agent.turn("one")[0]
    assert agent.answer(agent.ask("two", session))["result"]["stopReason"] == "end_turn"


@requirement
def links_are_taken(agent):
    blocks = [{"type": "resource_link", "uri": "file:///tmp/x", "name": "x"}]
    assert "result" in agent.answer(agent.ask("", agent.new()["sessionId"], blocks))


@requirement
def images_are_taken_where_they_are_offered(agent):
    agent.capability("promptCapabilities", "image")
    blocks = [{"type": "image", "mimeType": "image/png", "data": "AAAA"}]
    assert "result" in agent.answer(agent.ask("", agent.result(
        "session/new", cwd=agent.cwd, mcpServers=[])["sessionId"], blocks))


@requirement
def a_prompt_needs_content(agent):
    agent.refused("session/prompt", -32602, sessionId=agent.new()["sessionId"])


@requirement
def content_is_a_list(agent):
    agent.refused("session/prompt", -32602, sessionId=agent.new()["sessionId"], prompt="hello")


@requirement
def a_prompt_for_no_session_is_refused(agent):
    agent.initialize()
    agent.refused("session/prompt", (-32002, -32602), sessionId=NONE, prompt=text_block("hello"))


@requirement
def commands_have_names_and_descriptions(agent):
    for update in agent.updates("hello", "available_commands_update"):
        assert named(update["availableCommands"], "name", "description")


@requirement
def plans_have_entries_with_priority_and_status(agent):
    for update in agent.updates("/tool", "plan"):
        assert named(update["entries"], "content", "priority", "status")


@requirement
def tool_calls_have_ids_and_titles(agent):
    assert named(agent.updates("/tool", "tool_call"), "toolCallId", "title")


@requirement
def tool_call_updates_are_of_known_calls(agent):
    known = set()
    for one in agent.turn("/tool")[2]:
        if one["update"]["sessionUpdate"] == "tool_call":
            known.add(one["update"]["toolCallId"])
        elif one["update"]["sessionUpdate"] == "tool_call_update":
            assert one["update"]["toolCallId"] in known


def asked(agent):
    session = agent.new()["sessionId"]
    turn = agent.ask("/permission", session)
    return session, turn, agent.incoming("session/request_permission")


@requirement
def a_permission_request_has_options(agent):
    session, _, request = asked(agent)
    assert request["params"]["sessionId"] == session and request["params"]["toolCall"]["toolCallId"]
    assert named(request["params"]["options"], "optionId", "name", "kind")


@requirement
def an_answer_to_a_permission_request_goes_on_with_the_turn(agent):
    _, turn, request = asked(agent)
    agent.respond(request, {"outcome": {"outcome": "selected", "optionId": request["params"]["options"][0]["optionId"]}})
    assert agent.answer(turn)["result"]["stopReason"] == "end_turn"


@requirement
def a_permission_request_may_be_answered_with_an_error(agent):
    _, turn, request = asked(agent)
    agent.respond(request, error={"code": -32603, "message": "no window"})
    assert "id" in agent.answer(turn)


@requirement
def a_cancelled_turn_says_so(agent):
    session = agent.new()["sessionId"]
    turn = agent.ask("/sleep 600", session)
    agent.notify("session/cancel", sessionId=session)
    assert agent.answer(turn)["result"]["stopReason"] == "cancelled"


@requirement
def a_cancelled_turn_may_wait_for_a_permission(agent):
    session, turn, request = asked(agent)
    agent.notify("session/cancel", sessionId=session)
    agent.respond(request, CANCELLED)
    assert agent.answer(turn)["result"]["stopReason"] == "cancelled"


@requirement
def a_turn_may_follow_a_cancelled_one(agent):
    session = agent.new()["sessionId"]
    turn = agent.ask("/sleep 600", session)
    agent.notify("session/cancel", sessionId=session)
    agent.answer(turn)
    assert agent.answer(agent.ask("again", session))["result"]["stopReason"] == "end_turn"
    assert text_of(agent.messages).endswith("again")


@requirement
def a_cancellation_without_a_turn_is_silent(agent):
    session = agent.new()["sessionId"]
    agent.says_nothing_to(json.dumps({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}),
                          json.dumps({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": NONE}}))


@requirement
def a_request_can_be_cancelled(agent):
    session = agent.new()["sessionId"]
    turn = agent.ask("/sleep 600", session)
    agent.notify("$/cancel_request", requestId=turn)
    answer = agent.answer(turn)
    assert answer.get("error", {}).get("code") == -32800 or answer["result"]["stopReason"] == "cancelled"


# Sessions that are come back to
def come_back(agent, method, capability):
    agent.capability(*capability)
    session = agent.result("session/new", cwd=agent.cwd, mcpServers=[])["sessionId"]
    agent.answer(agent.ask("remember", session))
    before = len(agent.messages)
    answer = agent.answer(agent.start(method, {"sessionId": session, "cwd": agent.cwd, "mcpServers": []}))
    assert "result" in answer, answer
    replay = agent.messages[before:agent.messages.index(answer)]
    agent.answer(agent.ask("again", session))
    return [m["params"]["update"]["sessionUpdate"] for m in replay if m.get("method") == "session/update"]


@requirement
def a_loaded_session_is_replayed_before_the_answer(agent):
    kinds = come_back(agent, "session/load", ("loadSession",))
    assert "user_message_chunk" in kinds and "agent_message_chunk" in kinds


@requirement
def a_resumed_session_is_not_replayed(agent):
    kinds = come_back(agent, "session/resume", ("sessionCapabilities", "resume"))
    assert "user_message_chunk" not in kinds and "agent_message_chunk" not in kinds


@requirement
def what_never_was_is_not_loaded(agent):
    agent.capability("loadSession")
    agent.refused("session/load", (-32002, -32602), sessionId=NONE, cwd=agent.cwd, mcpServers=[])


@requirement
def sessions_are_listed_by_directory(agent):
    agent.capability("sessionCapabilities", "list")
    session = agent.result("session/new", cwd=agent.cwd, mcpServers=[])["sessionId"]
    assert session in [one["sessionId"] for one in agent.result("session/list", cwd=agent.cwd)["sessions"]]
    assert agent.result("session/list", cwd="/no/such/place")["sessions"] == []


@requirement
def a_cursor_that_was_not_given_is_refused(agent):
    agent.capability("sessionCapabilities", "list")
    agent.refused("session/list", -32602, cursor="not one of yours")


@requirement
def a_closed_session_takes_no_prompt(agent):
    agent.capability("sessionCapabilities", "close")
    session = agent.result("session/new", cwd=agent.cwd, mcpServers=[])["sessionId"]
    agent.result("session/close", sessionId=session)
    assert agent.error("session/prompt", sessionId=session, prompt=text_block("hello"))


@requirement
def a_deleted_session_is_gone(agent):
    agent.capability("sessionCapabilities", "delete")
    session = agent.result("session/new", cwd=agent.cwd, mcpServers=[])["sessionId"]
    agent.result("session/delete", sessionId=session)
    assert session not in [one["sessionId"] for one in agent.result("session/list")["sessions"]]


@requirement
def a_log_in_that_is_not_offered_is_refused(agent):
    agent.initialize()
    agent.refused("authenticate", -32602, methodId="no such")


# JSON-RPC
@requirement
def an_unknown_method_is_refused(agent):
    agent.refused("session/no_such_method", -32601, sessionId=agent.new()["sessionId"])


@requirement
def an_unknown_extension_is_refused(agent):
    agent.refused("_vendor/no_such", -32601, sessionId=agent.new()["sessionId"])


@requirement
def unknown_notifications_are_silent(agent):
    agent.new()
    agent.says_nothing_to('{"jsonrpc":"2.0","method":"no/such","params":{}}',
                          '{"jsonrpc":"2.0","method":"_vendor/no_such"}', '{"jsonrpc":"2.0","method":"$/no_such"}')


@requirement
def answers_to_nothing_are_silent(agent):
    agent.new()
    agent.says_nothing_to('{"jsonrpc":"2.0","id":987654,"result":{}}',
                          '{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}')


@requirement
def ids_come_back_as_they_were(agent):
    agent.initialize()
    for id in ("text", 0, -7, 9007199254740993):
        assert agent.request("session/new", id=id, cwd=agent.cwd, mcpServers=[])["id"] == id
    assert b"9007199254740993" in agent.lines[-2] + agent.lines[-1]


@requirement
def what_is_no_json_is_a_parse_error(agent):
    agent.initialize()
    agent.refuses_raw('{"jsonrpc":"2.0","id":5,"method":', -32700)


@requirement
def what_is_no_message_is_an_invalid_request(agent):
    agent.initialize()
    for text in ("{}", "42", "null"):
        agent.refuses_raw(text, -32600)


@requirement
def a_method_is_a_string(agent):
    agent.initialize()
    agent.send_raw('{"jsonrpc":"2.0","id":5,"method":7}')
    assert agent.wait_for(lambda m: "error" in m)["error"]["code"] == -32600
    agent.still_works()


@requirement
def another_version_of_json_rpc_is_refused(agent):
    agent.initialize()
    agent.send_raw('{"jsonrpc":"1.0","id":5,"method":"session/list"}')
    assert agent.wait_for(lambda m: "error" in m)["error"]["code"] == -32600
    agent.still_works()


@requirement
def batches_are_refused(agent):
    agent.initialize()
    agent.refuses_raw('[{"jsonrpc":"2.0","id":5,"method":"session/list","params":{}}]', -32600)


@requirement
def params_are_an_object(agent):
    agent.initialize()
    agent.send_raw('{"jsonrpc":"2.0","id":5,"method":"session/new","params":[1]}')
    assert agent.answer(5)["error"]["code"] in (-32602, -32600)
    agent.still_works()


@requirement
def every_line_is_one_message(agent):
    agent.turn("/tool")
    for line in agent.lines:
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        assert "method" in message or ("result" in message) != ("error" in message)


@requirement
def blank_lines_and_carriage_returns_are_no_matter(agent):
    agent.initialize()
    agent.send_raw("\n\r\n" + json.dumps({"jsonrpc": "2.0", "id": 5, "method": "session/new",
                                          "params": {"cwd": agent.cwd, "mcpServers": []}}) + "\r")
    assert agent.answer(5)["result"]["sessionId"]


@requirement
def the_end_of_input_is_the_end(agent):
    agent.turn("hello")
    assert agent.end() == 0
