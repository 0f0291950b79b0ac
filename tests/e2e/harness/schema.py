"""Checks messages of the relay against JSON-RPC 2.0 and the schema of ACP."""
import functools
import json
import pathlib

import jsonschema

FILE = pathlib.Path(__file__).parent.parent / "schema" / "acp-v1.json"
SCHEMA = json.loads(FILE.read_text("utf-8"))

# What a check raises, and json for what is none.
BROKEN = (AssertionError, KeyError, ValueError, jsonschema.ValidationError)

ERROR_DATA = {
    "type": "object",
    "required": ["error_type", "explanation", "possible_causes", "suggested_actions", "relevant_state",
                 "recoverable"],
    "properties": {
        "error_type": {"enum": [
            "parse_error", "invalid_request", "invalid_params", "method_not_found", "internal_error",
            "session_not_found", "session_closed", "session_limit_reached", "turn_in_progress",
            "docker_not_available", "image_not_found", "container_start_failed",
            "container_resource_exceeded", "workspace_unavailable", "agent_connection_timeout",
            "agent_start_failed", "agent_exited", "agent_protocol_error", "relay_restarted", "unauthorized",
            "forbidden", "message_too_large", "slow_client", "shutting_down"]},
        "explanation": {"type": "string", "minLength": 5},
        "possible_causes": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        "suggested_actions": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        "relevant_state": {"type": "object"},
        "recoverable": {"type": "boolean"},
        "details": {},
    },
    "additionalProperties": False,
}

# Methods whose results are the agent's own; the relay answers the others in its dialect.
AGENT_METHODS = ("session/new", "session/prompt", "session/set_mode", "session/set_config_option")


@functools.lru_cache(maxsize=None)
def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


@functools.lru_cache(maxsize=None)
def definition(method, suffixes, side):
    """The definition for a method that `side` handles: its params or its result."""
    for name, schema in SCHEMA["$defs"].items():
        if schema.get("x-method") == method and schema.get("x-side") == side and name.endswith(suffixes):
            return name
    return None


# Members of which one string is as good as another, wherever they stand.
FREE_TEXT = ("text", "sessionId", "toolCallId", "messageId")
_seen_shapes = set()  # of floods of updates that differ in nothing the schema looks at


def _shape(value, key=None):
    if isinstance(value, dict):
        return tuple((name, _shape(member, name)) for name, member in value.items())
    if isinstance(value, list):
        return ("list", *(_shape(member) for member in value))
    return str if isinstance(value, str) and key in FREE_TEXT else (type(value), value)


def _require(name, value, message):
    shape = (name, _shape(value))
    if shape in _seen_shapes:
        return
    problems = list(validator(name).iter_errors(value))
    assert not problems, f"not an ACP {name}: {problems[0].message}\n{json.dumps(message)[:2000]}"
    if len(_seen_shapes) < 10_000:
        _seen_shapes.add(shape)


@functools.lru_cache(maxsize=None)
def _update_kinds():
    variants = SCHEMA["$defs"]["SessionUpdate"]["oneOf"]
    return {variant["properties"]["sessionUpdate"]["const"] for variant in variants}


def _of_unknown_kind(params):
    """Updates of kinds that came after the schema are carried, too."""
    update = params.get("update") if isinstance(params, dict) else None
    return isinstance(update, dict) and isinstance(update.get("sessionUpdate"), str) and (
        update["sessionUpdate"] not in _update_kinds())


def check_error(error):
    """An error object; when it is the relay's own, its data is complete. Returns data or {}."""
    assert isinstance(error, dict), error
    assert isinstance(error["code"], int), error
    assert isinstance(error["message"], str) and error["message"], error
    data = error.get("data")
    if isinstance(data, dict) and "error_type" in data:
        jsonschema.validate(data, ERROR_DATA)
        return data
    return {}


def check(message, answered_method=None):
    """Fails when what the relay sent is no JSON-RPC message or breaks ACP's schema. Returns it."""
    assert isinstance(message, dict), f"not an object: {message!r}"
    assert message.get("jsonrpc") == "2.0", message
    if "method" in message:
        assert isinstance(message["method"], str), message
        assert "result" not in message and "error" not in message, message
        params = message.get("params")
        name = definition(message["method"], ("Request", "Notification"), "client") or definition(
            message["method"], ("Notification",), "protocol")
        if name and not _of_unknown_kind(params):
            _require(name, params, message)
        elif not message["method"].startswith(("_", "$/")):
            # Methods that only the agent handles, or that nobody knows, come from tests on purpose.
            assert params is None or isinstance(params, (dict, list)), message
        return message
    assert "id" in message, message
    assert ("result" in message) != ("error" in message), message
    if "error" in message:
        check_error(message["error"])
    elif answered_method in AGENT_METHODS:
        _require(definition(answered_method, ("Response",), "agent"), message["result"], message)
    return message


def check_acp(message, answered_method=None):
    """The same for /acp: every result is ACP's, and -32000, which asks for a log-in, is the agent's alone."""
    check(message)
    if "error" in message and check_error(message["error"]):
        assert message["error"]["code"] != -32000, message
    name = definition(answered_method, ("Response",), "agent") if answered_method else None
    if name and message.get("result") is not None:
        _require(name, message["result"], message)
    return message
