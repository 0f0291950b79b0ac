"""The log on stderr: who does not read it, and who makes too much of it."""
import fcntl
import json
import os
import select
from shlex import quote

import pytest

from harness import raw
from harness.deadline import PATIENCE, wait_until
from harness.relay import DEMO_AGENT, scripted


@pytest.fixture
def unread(make_relay):
    """A relay whose stderr is a pipe of one page that nobody reads, and the pipe."""
    relay = make_relay({"log": {"level": "debug"}}, start=False)
    pipe = relay.directory / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    log_file, relay.log_file = relay.log_file, pipe
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):  # their words are to be read all the same
        relay.env[name] = f"{relay.env.get(name, '')}:log_path={relay.directory}/sanitizer"
    relay.launch()
    relay.log_file = log_file
    wait_until(relay._ready, "the relay is ready")
    yield relay, reader
    os.close(reader)
    assert list(relay.directory.glob("sanitizer.*")) == []


def test_a_log_that_nobody_reads_holds_nothing_up(unread):
    relay, reader = unread
    client = relay.http()
    for _ in range(30):
        client.result("session/close", sessionId=client.new(relay.workspace))
    assert relay.management("/api/health").status_code == 200
    assert select.select([reader], [], [], PATIENCE)[0] and os.read(reader, 100)
    relay.stop()  # in order: a relay that is held up ends by server.shutdown_timeout, with another exit code


def test_what_an_agent_writes_is_json_in_a_json_log(make_relay):
    relay = make_relay({"log": {"format": "json"}, "agent": {
        "command": "/bin/sh", "args": ["-c", f"printf 'bad \\377\\376 bytes\\n' >&2; exec {quote(str(DEMO_AGENT))}"]}})
    relay.http().new(relay.workspace)

    def lines():
        whole = relay.log_file.read_bytes().split(b"\n")[:-1]
        return [json.loads(line.decode("utf-8")) for line in whole if line.startswith(b"{")]
    wait_until(lambda: "bad \ufffd\ufffd bytes" in [line.get("line") for line in lines()], relay.log_text)


def test_a_client_does_not_write_the_log_at_its_own_pace(make_relay):
    relay = make_relay({
        "server": {"max_message_bytes": "64K"},
        "agent": {**scripted("deaf_after_new"), "max_inbox_bytes": "64K", "stop_grace": "200ms"}})
    id = relay.websocket().new(relay.workspace)

    def frame(method, **rest):
        return raw.frame(json.dumps({"jsonrpc": "2.0", "method": method, **rest}).encode())
    connection, _ = raw.upgrade(relay.config["server"]["websocket_port"])
    with connection:
        connection.sendall(frame("session/resume", id="resumed", params={"sessionId": id}))
        raw.read_until(connection, b'"id":"resumed",')
        # At once: lines are counted by the second.
        connection.sendall(4 * frame("x/y", params={"sessionId": id, "a": "a" * 60_000})
                           + 3000 * frame("x/y", params={"sessionId": id}) + frame("session/list", id="all read"))
        raw.read_until(connection, b'"id":"all read",')
    wait_until(lambda: "log lines left out" in relay.log_text(), relay.log_text)
    assert relay.log_text().count("a message for it was dropped") < 1000
    assert relay.metric("acp_relay_log_lines_repeated_total") > 0
