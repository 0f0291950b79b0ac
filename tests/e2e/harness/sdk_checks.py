"""What must be true of the facts of tests/clients/run.mjs, whatever transport and isolation there are.

DEMO and EXAMPLE map a scenario to its check; a check gets the facts and what the relay isolates with.
"""
import re

from .sdk import Failed

SESSION_ID = re.compile(r"sess_[0-9a-f]{32}")


def judge(facts, check, isolation="process"):
    """What a scenario came to: its facts by their check, or why it has none."""
    if isinstance(facts, Failed):
        raise facts
    check(facts, isolation)


def error(facts, code, type=None):
    """A refusal of the relay has data that explains it; one of the agent comes as it was."""
    assert facts["code"] == code, facts
    if type:
        assert facts["data"]["error_type"] == type, facts
        assert facts["data"]["suggested_actions"], facts


def initialize(facts, isolation):
    assert facts["protocolVersion"] == 1
    capabilities = facts["agentCapabilities"]
    assert capabilities["loadSession"] is True
    assert {"list", "resume", "close", "delete"} <= capabilities["sessionCapabilities"].keys()
    assert capabilities["promptCapabilities"] == {"image": True, "audio": True, "embeddedContext": True}
    assert facts["agentInfo"]["name"] == "acp-demo-agent"
    assert [method["id"] for method in facts["authMethods"]] == ["demo"]
    assert facts["_meta"]["acp-relay"]["isolation"] == isolation
    assert facts["_meta"]["acp-relay"]["version"]


def streaming(facts, isolation):
    session = facts["session"]
    assert SESSION_ID.fullmatch(session["sessionId"])
    assert session["modes"]["currentModeId"] == "ask"
    assert [option["id"] for option in session["configOptions"]] == ["mode", "style"]
    assert session["_meta"]["acp-relay/isolation"] == isolation
    assert session["_meta"]["acp-relay/cwd"].startswith("/")
    assert facts["first"]["text"] == "one two three" and facts["first"]["stopReason"] == "end_turn"
    assert facts["stopReason"] == "end_turn"
    assert facts["count"] == 500 and facts["inOrder"]
    assert set(facts["kinds"]) == {"available_commands_update", "agent_message_chunk"}


def permission(facts, isolation):
    assert len(facts["asked"]) == 2
    for asked in facts["asked"]:
        assert asked["sessionId"] == facts["sessionId"]
        assert [option["optionId"] for option in asked["options"]] == ["allow", "reject"]
    assert facts["allowed"]["text"] == "Permission: allow"
    assert facts["rejected"]["text"] == "Permission: reject"


def cancel(facts, isolation):
    assert facts["slept"] == "cancelled" and facts["waited"] == "cancelled"
    assert facts["next"]["text"] == "still there"


def cancel_request(facts, isolation):
    error(facts["refusal"], -32800)
    assert facts["next"]["text"] == "still there"


def modes(facts, isolation):
    assert facts["result"] == {}
    assert facts["changed"] == {"sessionUpdate": "current_mode_update", "currentModeId": "code"}
    error(facts["refusal"], -32602)
    assert facts["refusal"]["message"] == 'modeId must be "ask" or "code"'  # the agent's own words
    current = {option["id"]: option["currentValue"] for option in facts["options"]["configOptions"]}
    assert current == {"mode": "code", "style": "loud"}
    assert facts["loud"]["text"] == "LOUD"


def reverse_requests(facts, isolation):
    params = {"sessionId": facts["sessionId"], "question": "é?"}
    assert facts["asked"]["method"] == "_demo/ask" and facts["asked"]["params"] == params
    assert facts["turn"]["text"].startswith("Result: ") and "[1,\"two\",null]" in facts["turn"]["text"]
    assert facts["turn"]["stopReason"] == "end_turn"
    assert facts["refusal"]["text"].startswith("Error: ") and "-32601" in facts["refusal"]["text"]


def extension(facts, isolation):
    assert facts["same"]
    error(facts["unknown"], -32601)
    assert facts["next"]["text"] == "on"


def queued_prompts(facts, isolation):
    assert facts["order"] == ["/sleep 0.2", "second"]
    assert facts["reasons"] == ["end_turn", "end_turn"]


def large(facts, isolation):
    assert facts["stopReason"] == "end_turn"
    assert "[image]seen" in facts["said"]
    assert facts["huge"] > 16_000_000


def agent_errors(facts, isolation):
    error(facts["unknownMethod"], -32601)
    error(facts["badParams"], -32602)
    error(facts["badMode"], -32602)
    assert facts["badParams"]["message"] == "prompt must be an array of content blocks"
    assert facts["next"]["text"] == "fine"


def _loaded(facts, isolation):
    assert facts["before"] == {"user": "remember me", "agent": "remember me"}
    _reopened(facts)


def _resumed(facts, isolation):
    assert facts["before"] == {"user": "", "agent": ""}
    _reopened(facts)
    assert "remember me" not in facts["after"]["agent"]


def _reopened(facts):
    assert isinstance(facts["result"], (dict, type(None)))
    assert facts["next"]["text"] == "back again" and facts["next"]["stopReason"] == "end_turn"
    assert facts["after"]["agent"] == facts["before"]["agent"] + "back again"
    assert facts.get("closed", {}) == {}


def drop_in_mid_turn(facts, isolation):
    assert facts["before"]["user"] == "first/sleep 0.3"
    assert facts["after"]["agent"] == "firstSlept.back again"
    assert facts["next"]["text"].endswith("back again")


def load_unknown(facts, isolation):
    for refusal in facts["refusals"].values():
        error(refusal, -32002, "session_not_found")
    assert SESSION_ID.fullmatch(facts["next"]["sessionId"])


def list(facts, isolation):
    here = {session["sessionId"]: session for session in facts["all"]["sessions"]}
    for id in (facts["first"], facts["second"]):
        assert here[id]["cwd"].startswith("/")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", here[id]["updatedAt"])
    assert facts["elsewhere"]["sessions"] == []
    assert {facts["first"], facts["second"]} <= {session["sessionId"] for session in facts["here"]["sessions"]}
    error(facts["refusal"], -32602, "invalid_params")


def close_and_delete(facts, isolation):
    assert facts["closed"] == {} and facts["deleted"] == {} and facts["again"] == {}
    assert facts["listed"] and not facts["left"]
    assert facts["afterClose"]["code"] in (-32002, -32603)
    assert facts["afterClose"]["data"]["error_type"] in ("session_closed", "session_not_found")
    error(facts["afterDelete"], -32002, "session_not_found")


def two_sessions(facts, isolation):
    assert facts == {"distinct": True, "first": 200, "second": "only for the second", "firstHasSecond": False,
                     "secondHasFirst": False}


def two_clients(facts, isolation):
    assert facts["turn"]["text"] == "hello both"
    kinds = [(update["sessionUpdate"], update["content"]["text"]) for update in facts["seen"] if "content" in update]
    assert kinds == [("user_message_chunk", "hello both"), ("agent_message_chunk", "hello "),
                     ("agent_message_chunk", "both")]
    assert facts["mine"]["text"] == "now me" and facts["mine"]["stopReason"] == "end_turn"
    assert facts["echoed"]["content"] == {"type": "text", "text": "now me"}


def first_answer_wins(facts, isolation):
    assert facts["text"] == "Permission: reject"
    assert facts["asking"].count("permission") == 1 and facts["asking"].count("withdrawn") == 1
    assert facts["other"].count("permission") == 1 and "withdrawn" not in facts["other"]


def late_joiner_is_asked(facts, isolation):
    assert facts["text"] == "Permission: allow"


def crowd(facts, isolation):
    assert all(facts["all"]), facts


def example_turns(facts, isolation):
    assert facts["initialized"]["protocolVersion"] == 1
    assert facts["session"]["_meta"]["acp-relay/isolation"] == isolation
    assert len(facts["asked"]) == 2
    begin = ["agent_message_chunk", "tool_call", "tool_call_update", "agent_message_chunk", "tool_call"]
    ends = {"Perfect! I've successfully updated the configuration": ["tool_call_update", "agent_message_chunk"],
            "I understand you prefer not to make that change": ["agent_message_chunk"]}
    # The two turns run at the same time, so which of them got which answer is not said.
    for turn in (facts["allowed"], facts["rejected"]):
        assert turn["stopReason"] == "end_turn"
        end = ends.pop(turn["text"].rpartition(". ")[0].rpartition(". ")[2])
        assert [update["sessionUpdate"] for update in turn["updates"]] == begin + end
    assert ends == {}


def example_cancel(facts, isolation):
    assert facts["stopReason"] == "cancelled"
    assert facts["text"].startswith("I'll help you with that.")
    assert facts["mode"] == {}
    error(facts["refusal"], -32601)


def example_load(facts, isolation):
    assert facts["loadSession"] is True  # the relay's own doing
    assert facts["replayed"] == facts["said"]
    assert facts["asked"] == "go on"
    assert facts["tools"] == 2
    assert facts["next"] == "end_turn" and facts["listed"]


# On one connection, without anything that the server of a single agent could not do as well.
ONE_CONNECTION = {
    "streaming": streaming, "permission": permission, "cancel": cancel, "cancel_request": cancel_request,
    "modes": modes, "reverse_requests": reverse_requests, "extension": extension, "large": large,
    "agent_errors": agent_errors, "two_sessions": two_sessions, "load_here_after_close": _loaded,
}
DEMO = {
    "initialize": initialize, **ONE_CONNECTION, "queued_prompts": queued_prompts,
    "load_live": _loaded, "load_closed": _loaded, "resume_live": _resumed, "resume_closed": _resumed,
    "drop_in_mid_turn": drop_in_mid_turn, "load_unknown": load_unknown, "list": list,
    "close_and_delete": close_and_delete, "two_clients": two_clients, "first_answer_wins": first_answer_wins,
    "late_joiner_is_asked": late_joiner_is_asked, "crowd": crowd,
}
EXAMPLE = {"example_turns": example_turns, "example_cancel": example_cancel, "example_load": example_load}
COME_BACK = {"session/load": _loaded, "session/resume": _resumed}
