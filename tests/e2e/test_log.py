"""The log on stderr: who does not read it, and who makes too much of it."""
import fcntl
import json
import os
import time

import pytest

from harness.deadline import wait_until
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
    relay.launch()
    relay.log_file = log_file
    wait_until(relay._ready, "the relay is ready")
    yield relay, reader
    os.close(reader)


def test_a_log_that_nobody_reads_holds_nothing_up(unread):
    relay, reader = unread
    client = relay.http()
    for _ in range(30):
        client.result("session/close", sessionId=client.new(relay.workspace))
    assert relay.management("/api/health").status_code == 200
    assert os.read(reader, 100)
    started = time.monotonic()
    relay.stop()
    assert time.monotonic() - started < 10


def test_what_an_agent_writes_is_json_in_a_json_log(make_relay):
    relay = make_relay({"log": {"format": "json"}, "agent": {
        "command": "/bin/sh", "args": ["-c", f"printf 'bad \\377\\376 bytes\\n' >&2; exec {DEMO_AGENT}"]}})
    relay.http().new(relay.workspace)
    wait_until(lambda: "bytes" in relay.log_text(), relay.log_text)
    raw = [line for line in relay.log_file.read_bytes().splitlines() if line.startswith(b"{")]
    lines = [json.loads(line.decode("utf-8")) for line in raw]
    assert "bad \ufffd\ufffd bytes" in [line.get("line") for line in lines]


def test_a_client_does_not_write_the_log_at_its_own_pace(make_relay):
    relay = make_relay({
        "server": {"max_message_bytes": "64K"},
        "agent": {**scripted("deaf_after_new"), "max_inbox_bytes": "64K", "stop_grace": "200ms"}})
    client = relay.websocket()
    id = client.new(relay.workspace)
    for _ in range(4):
        client.send({"jsonrpc": "2.0", "method": "x/y", "params": {"sessionId": id, "a": "a" * 60_000}})
    for _ in range(3000):
        client.send({"jsonrpc": "2.0", "method": "x/y", "params": {"sessionId": id}})
    client.result("session/list")
    wait_until(lambda: "log lines left out" in relay.log_text(), relay.log_text)
    assert relay.log_text().count("a message for it was dropped") < 1000
    assert relay.metric("acp_relay_log_lines_repeated_total") > 0
