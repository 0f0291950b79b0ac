"""What the model says to what it is told, in the words of each API."""
import json
import re

ECHO = "the model heard: "
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12,
         "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def last_said(messages, key="content"):
    """What the user wrote last, without what agents add of their own."""
    for message in reversed(messages):
        text = re.sub(r"<system-reminder>.*?</system-reminder>", "", text_of(message.get(key)), flags=re.S).strip()
        if message.get("role") == "user" and text:
            return text[-200:]
    return ""


def said_in(request):
    """The same of a request by any of the APIs."""
    for messages, key in (("messages", "content"), ("input", "content"), ("contents", "parts")):
        if isinstance(request.get(messages), list):
            return last_said(request[messages], key)
    return ""


def example_of(schema):
    """The least that has the form which an agent's question of its own asks for."""
    kind = schema.get("type", "string").lower()
    if kind == "object":
        return {name: example_of(part) for name, part in schema.get("properties", {}).items()}
    if schema.get("enum"):
        return schema["enum"][0]
    return {"number": 1, "integer": 1, "boolean": False, "array": []}.get(kind, "x")


class Call:
    """Of the agent's tool that writes files."""

    def __init__(self, name, schema, path):
        self.name, self.arguments = name, {}
        for part, form in schema.get("properties", {}).items():
            if part in ("file_path", "filePath", "path", "absolute_path"):
                self.arguments[part] = path
            elif part == "content":
                self.arguments[part] = "written\n"
            elif part in schema.get("required", []):
                self.arguments[part] = example_of(form)


def decide(said, tools, results):
    """A call, or the text to say. `tools`: {name: schema of its arguments}."""
    wish = re.search(r"write the file (\S+)$", said)
    name = next((name for name in tools if name.lower() in ("write", "write_file")), None)
    return Call(name, tools[name], wish[1]) if wish and name and not results else ECHO + said


def responses_events(text, request):
    """Of OpenAI's Responses API."""
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": request.get("model"), "output": [],
             "status": "in_progress", "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [("response.created", {"response": whole})]
    if text:
        begun = {**item, "status": "in_progress", "content": []}
        events += [("response.output_item.added", {"output_index": 0, "item": begun}),
                   ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
                   ("response.output_text.delta", {**place, "delta": text}),
                   ("response.output_text.done", {**place, "text": text}),
                   ("response.content_part.done", {**place, "part": part}),
                   ("response.output_item.done", {"output_index": 0, "item": item})]
    events += [("response.completed", {"response": {**whole, "status": "completed", "usage": USAGE,
                                                    "output": [item] if text else []}})]
    return [{"type": kind, "sequence_number": number, **rest} for number, (kind, rest) in enumerate(events)]


def messages_events(answer, request):
    """Of Anthropic's Messages API."""
    if isinstance(answer, Call):
        block = {"type": "tool_use", "id": "toolu_1", "name": answer.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(answer.arguments)}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": answer}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request.get("model"), "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1}}
    return [{"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "usage": {"output_tokens": 5}, "delta": {
                "stop_reason": block["type"] if block["type"] == "tool_use" else "end_turn", "stop_sequence": None}},
            {"type": "message_stop"}]
