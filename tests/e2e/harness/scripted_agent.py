#!/usr/bin/python3
"""An ACP agent that misbehaves in one way: scripted_agent.py MODE [ARGUMENT...]

Beyond its mode it echoes prompts. Modes are the functions whose names begin with `mode_`.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import time


def write(text):
    data = text.encode("utf-8") if isinstance(text, str) else text
    while data:
        data = data[os.write(1, data):]


def send(message):
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def say(session, text):
    send({"method": "session/update", "params": {"sessionId": session, "update": {
        "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}}})


class Agent:
    """The well-behaved part; modes replace what they need."""

    session_id = "agent-session-0123456789"

    def initialize(self, message):
        send({"id": message["id"], "result": {"protocolVersion": 1, "agentCapabilities": {},
                                              "agentInfo": {"name": "scripted", "version": "1"}}})

    def new(self, message):
        send({"id": message["id"], "result": {"sessionId": self.session_id}})

    def prompt(self, message):
        text = "".join(block.get("text", "") for block in message["params"]["prompt"])
        say(message["params"]["sessionId"], text)
        send({"id": message["id"], "result": {"stopReason": "end_turn"}})

    def response(self, message):
        pass

    def other(self, message):
        if "id" in message:
            send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})

    def line(self, line):
        message = json.loads(line)
        if "method" not in message:
            return self.response(message)
        handlers = {"initialize": self.initialize, "session/new": self.new, "session/prompt": self.prompt}
        return handlers.get(message["method"], self.other)(message)

    def run(self):
        for line in sys.stdin.buffer:
            if line.strip():
                self.line(line)


def mode_exit_in_initialize():
    agent = Agent()

    def initialize(message):
        sys.stderr.write("cannot read /etc/agent.key\n")
        sys.stderr.flush()
        sys.exit(7)

    agent.initialize = initialize
    return agent


def mode_exit_at_once():
    sys.stderr.write("no such model\n")
    sys.exit(3)


def mode_error_in_new():
    agent = Agent()
    agent.new = lambda message: send({"id": message["id"], "error": {
        "code": -32000, "message": "Authentication required"}})
    return agent


def mode_error_in_turn():
    """Makes sessions, and wants to be logged in when there is something to do."""
    agent = Agent()
    agent.prompt = lambda message: send({"id": message["id"], "error": {
        "code": -32000, "message": "Authentication required", "data": {"login": "agent login"}}})
    return agent


def mode_never_initialize():
    agent = Agent()
    agent.initialize = lambda message: None
    return agent


def mode_never_new():
    agent = Agent()
    agent.new = lambda message: None
    return agent


def mode_deaf():
    """Answers nothing, reads nothing, ignores SIGTERM and the end of its input."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def mode_stubborn():
    """Works, but does not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    agent = Agent()
    run = agent.run

    def run_for_ever():
        run()
        mode_deaf()

    agent.run = run_for_ever
    return agent


def mode_deaf_after_new():
    """Makes a session and then does not end by anything but SIGKILL."""
    agent = Agent()

    def new(message):
        Agent.new(agent, message)
        mode_deaf()

    agent.new = new
    return agent


def mode_garbage():
    """Lines around every message that are no JSON-RPC."""
    agent = Agent()
    line = agent.line

    def noisy(text):
        write("Welcome to the agent!\n\n42\nnull\n[1]\n{\n\"text\"\n{}\n{\"jsonrpc\":\"1.0\",\"id\":1}\n")
        write(b"\xff\xfe not UTF-8\n")
        write(b"\xe2\x82{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n")
        line(text)
        write("trailing noise\r\n")

    agent.line = noisy
    return agent


def mode_unknown_ids():
    agent = Agent()
    line = agent.line

    def noisy(text):
        for odd in (987654, "never-asked", None):
            send({"id": odd, "result": {"stopReason": "end_turn"}})
            if odd is not None:  # an error without an id means the request that waits
                send({"id": odd, "error": {"code": -32603, "message": "what?"}})
        line(text)

    agent.line = noisy
    return agent


def mode_twice():
    agent = Agent()
    prompt = agent.prompt

    def answer_twice(message):
        prompt(message)
        send({"id": message["id"], "result": {"stopReason": "refusal"}})

    agent.prompt = answer_twice
    return agent


def mode_duplicate_keys():
    """Every update comes once more with an envelope that two parsers read differently."""
    agent = Agent()

    def prompt(message):
        session = message["params"]["sessionId"]
        update = json.dumps({"sessionId": session, "update": {
            "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "EVIL"}}})
        other = json.dumps({"sessionId": "other", "update": {}})
        write('{"jsonrpc":"2.0","method":"session/update","params":%s,"params":%s}\n' % (update, other))
        write('{"jsonrpc":"2.0","method":"session/update","method":"_x/y","params":%s}\n' % update)
        write('{"jsonrpc":"2.0","id":%s,"id":999,"result":{"stopReason":"refusal"}}\n' % message["id"])
        Agent.prompt(agent, message)

    agent.prompt = prompt
    return agent


def mode_record(path):
    """Appends every line that comes to a file, byte for byte."""
    agent = Agent()
    line = agent.line

    def record(text):
        with open(path, "ab") as file:
            file.write(text)
        line(text)

    agent.line = record
    return agent


def mode_grandchild(path):
    """Starts helpers that would stay behind, one of them in its own process group."""
    agent = Agent()

    def new(message):
        first = subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL)
        with open(path, "w", encoding="ascii") as file:
            file.write(str(first.pid))
        Agent.new(agent, message)

    agent.new = new
    return agent


def mode_dies_in_turn():
    agent = Agent()

    def prompt(message):
        say(message["params"]["sessionId"], "I feel faint.")
        sys.stderr.write("Segmentation fault (not really)\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    agent.prompt = prompt
    return agent


def mode_never_prompt():
    """Never answers a prompt, whatever is said; ends its turn on nothing."""
    agent = Agent()
    agent.prompt = lambda message: say(message["params"]["sessionId"], "Thinking.")
    return agent


def mode_spelled(how):
    """Answers are JSON-RPC as some libraries write it."""
    agent = Agent()
    ways = {
        "float ids": lambda m: {**m, "id": float(m["id"])},
        "text ids": lambda m: {**m, "id": str(m["id"])},
        "error null": lambda m: {**m, "error": None},
        "no version": lambda m: {key: value for key, value in m.items() if key != "jsonrpc"},
        "byte order mark": lambda m: m,
    }

    def answer(id, result):
        mark = "\ufeff" if how == "byte order mark" else ""
        write(mark + json.dumps(ways[how]({"jsonrpc": "2.0", "id": id, "result": result})) + "\n")

    def prompt(message):
        say(message["params"]["sessionId"], message["params"]["prompt"][0]["text"])
        answer(message["id"], {"stopReason": "end_turn"})

    agent.initialize = lambda m: answer(m["id"], {"protocolVersion": 1, "agentCapabilities": {}})
    agent.new = lambda m: answer(m["id"], {"sessionId": agent.session_id})
    agent.prompt = prompt
    return agent


def mode_error_without_id():
    agent = Agent()
    agent.prompt = lambda m: send({"id": None, "error": {"code": -32700, "message": "cannot read that"}})
    return agent


def mode_closes_stdin():
    """After session/new it reads nothing any more, and lives on."""
    agent = Agent()

    def new(message):
        os.close(0)  # first: a prompt must not find room in the pipe
        send({"id": message["id"], "result": {"sessionId": agent.session_id}})
        signal.pause()

    agent.new = new
    return agent


def mode_asks_and_never_reads():
    agent = Agent()

    def new(message):
        send({"id": message["id"], "result": {"sessionId": agent.session_id}})
        request = {"method": "fs/read_text_file", "params": {"path": "x" * 1000}}
        number = 0
        while True:
            number += 1
            send({"id": number, **request})

    agent.new = new
    return agent


def mode_tells_of_new():
    """A prompt is answered with the params of session/new."""
    agent = Agent()
    kept = []

    def new(message):
        kept.append(message["params"])
        send({"id": message["id"], "result": {"sessionId": agent.session_id}})

    def prompt(message):
        say(message["params"]["sessionId"], json.dumps(kept[0]))
        send({"id": message["id"], "result": {"stopReason": "end_turn"}})

    agent.new, agent.prompt = new, prompt
    return agent


def mode_says_other_things():
    agent = Agent()
    agent.initialize = lambda m: write('{"level":"info","msg":"listening on port 4711"}\n')
    return agent


def mode_leak(name):
    """Shows a variable of its environment everywhere it can."""
    agent = Agent()

    def prompt(message):
        value = os.environ.get(name, "")
        sys.stderr.write(f"my key is {value}\n")
        sys.stderr.flush()
        say(message["params"]["sessionId"], f"key {value} in " + json.dumps(message["params"]))
        send({"id": message["id"], "error": {"code": -32603, "message": f"bad key {value}"}})

    agent.prompt = prompt
    return agent


def mode_bytes(path):
    """Keeps every line it reads in a file, and writes what it is told to, both byte for byte.

    _test/write {"lines": [base64]}: writes these lines. _test/answer {"text": base64}: its result is that text.
    """
    agent = Agent()
    line = agent.line

    def exact(text):
        with open(path, "ab") as file:
            file.write(text)
        message = json.loads(text)
        params = message.get("params")
        if message.get("method") == "_test/write":
            for encoded in params["lines"]:
                write(base64.b64decode(encoded) + b"\n")
            send({"id": message["id"], "result": {}})
        elif message.get("method") == "_test/answer":
            write(b'{"jsonrpc":"2.0","id":%s,"result":%s}\n' % (
                json.dumps(message["id"]).encode(), base64.b64decode(params["text"])))
        elif message.get("method", "").startswith("_test/"):
            if "id" in message:
                send({"id": message["id"], "result": {}})
        else:
            line(text)

    agent.line = exact
    return agent


class RealAgent(Agent):
    """What real agents do around the turn: modes and models, forks, questions that only their vendor's client knows."""

    modes = {"currentModeId": "bypassPermissions", "availableModes": [
        {"id": "default", "name": "Always Ask"}, {"id": "bypassPermissions", "name": "Bypass Permissions"}]}
    model = "small"
    asked = None

    def options(self):
        return [{"id": "llm", "name": "Model", "category": "model", "type": "select", "currentValue": self.model,
                 "options": [{"value": "small", "name": "Small"}, {"value": "large", "name": "Large"}]}]

    def new(self, message):
        send({"id": message["id"], "result": {
            "sessionId": self.session_id, "modes": self.modes, "configOptions": self.options()}})

    def ask(self, prompt, method, params):
        self.asked = prompt
        send({"id": 900, "method": method, "params": {"sessionId": self.session_id, **params}})

    def prompt(self, message):
        text = "".join(block.get("text", "") for block in message["params"]["prompt"])
        if text == "run" and self.modes["currentModeId"] == "default":
            return self.ask(message, "session/request_permission", {
                "toolCall": {"toolCallId": "call-1", "title": "Run it"},
                "options": [{"optionId": "yes", "name": "Yes", "kind": "allow_once"},
                            {"optionId": "no", "name": "No", "kind": "reject_once"}]})
        if text == "vendor":
            return self.ask(message, "_vendor/question", {})
        if text == "fail":
            return send({"id": message["id"], "error": {
                "code": -32603, "message": "Internal error", "data": {"details": "quota used up"}}})
        if text == "twice":
            for number in ("1", "2"):
                send({"method": "session/update", "params": {"sessionId": self.session_id, "update": {
                    "sessionUpdate": "agent_message_chunk", "messageId": number,
                    "content": {"type": "text", "text": "message " + number}}}})
            return send({"id": message["id"], "result": {"stopReason": "end_turn"}})
        super().prompt(message)

    def response(self, message):
        if message.get("id") != 900 or self.asked is None:
            return
        prompt, self.asked = self.asked, None
        said = message.get("result", {}).get("outcome") or message.get("error")
        say(self.session_id, json.dumps(said))
        send({"id": prompt["id"], "result": {"stopReason": "end_turn"}})

    def other(self, message):
        params = message.get("params", {})
        if message["method"] == "session/set_mode":
            self.modes = {**self.modes, "currentModeId": params["modeId"]}
            return send({"id": message["id"], "result": {}})
        if message["method"] == "session/set_config_option":
            self.model = params["value"]
            return send({"id": message["id"], "result": {"configOptions": self.options()}})
        if message["method"] in ("session/fork", "session/delete"):
            return send({"id": message["id"], "result": {"sessionId": "agent-fork-0123456789"}})
        if message["method"] in ("_vendor/info", "session/status"):
            return send({"id": message["id"], "result": {"method": message["method"], "params": params}})
        super().other(message)


def mode_real():
    return RealAgent()


def mode_plain():
    return Agent()


if __name__ == "__main__":
    try:
        globals()["mode_" + sys.argv[1]](*sys.argv[2:]).run()
    except BrokenPipeError:
        os._exit(0)
