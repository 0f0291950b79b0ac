"""`acp-relay health` and GET /api/overview: a running relay on one screen."""
import contextlib
import json
import os
import pty
import signal
import subprocess
import time
from shlex import quote

import pytest

from harness.containers import shell
from harness.deadline import PATIENCE, wait_until
from harness.engine_proxy import EngineProxy
from harness.http_client import RelayError
from harness.relay import BINARY, DEMO_AGENT, ROOT, run_cli, scripted
from harness.terminal import read_rest

MIB = 1 << 20
TOKENS = [{"name": "ada", "role": "user", "token": "ada-token-0123456789"},
          {"name": "root", "role": "operator", "token": "root-token-0123456789"}]


def overview(relay, **options):
    answer = relay.management("/api/overview", **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def agent_of(relay, session, **options):
    [agent] = [one for one in overview(relay, **options)["agents"] if one["session"] == session]
    return agent


def measured(relay, session):
    """The agent with what it takes of the machine, which an Engine that is busy may say too late for an overview."""
    def known():
        return [one for one in overview(relay)["agents"] if one["session"] == session
                and None not in (one["memoryBytes"], one["cpuPercent"])]
    [agent] = wait_until(known, lambda: f"it is known what the agent takes: {overview(relay)['agents']}")
    return agent


def agents_by_session(out):
    """The rows of the screen's table of agents."""
    return {line.split()[0]: line for line in out.splitlines() if line.startswith("sess_")}


def row_of(relay, session):
    code, out, err = run_cli("health", relay=relay)
    assert code in (0, 1), out + err  # an Engine that is busy may not say in time that it is ready
    return agents_by_session(out)[session]


@contextlib.contextmanager
def watching(relay, *arguments, **options):
    process = subprocess.Popen([str(BINARY), "health", "--watch", *arguments], stderr=subprocess.PIPE,
                               env={"PATH": os.environ["PATH"], "ACP_RELAY_MANAGEMENT_URL": relay.management_url},
                               **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def read_until(descriptor, found):
    """What comes from it until found(text) is true."""
    text = b""
    while not found(text):
        piece = os.read(descriptor, 65536)
        assert piece, text
        text += piece
    return text.decode()


# What there is to see.

def test_an_idle_relay(relay):
    code, out, err = run_cli("health", relay=relay)
    assert (code, err) == (0, "")
    assert ": ready\n" in out and "sessions: 0 of 100 " in out and "log: writable" in out
    for nothing in ("no agent runs", "no agent has ended by itself", "no client was given an error"):
        assert nothing in out


def test_process_agents(relay):
    began = time.monotonic()
    client = relay.http()
    id = client.new(relay.workspace)
    client.prompt_text(id, "hello")
    agent = measured(relay, id)
    [(pid, _)] = relay.agents()
    assert agent["isolation"] == "process" and agent["runsAs"] == f"pid {pid}"
    assert (agent["state"], agent["runState"], agent["processes"]) == ("ready", "running", 1)
    assert 0 < agent["memoryBytes"] < 500 * MIB
    assert agent["cpuPercent"] < 50
    assert 0 <= agent["ageSeconds"] <= time.monotonic() - began + 2
    assert agent["memoryLimitBytes"] is None and agent["networkSentBytes"] is None
    assert f" process    pid {pid} " in row_of(relay, id)


def test_cpu_of_a_process_that_works(make_relay):
    relay = make_relay({"agent": {"command": "/bin/sh", "args": [
        "-c", f"(while :; do :; done) & exec {quote(str(DEMO_AGENT))}"]}})
    id = relay.http().new(relay.workspace)
    wait_until(lambda: (agent_of(relay, id)["cpuPercent"] or 0) > 1,
               lambda: f"the agent is seen to work: {agent_of(relay, id)}")


def test_what_an_agent_has_started_counts(make_relay):
    relay = make_relay({"agent": {"command": "/bin/sh", "args": [
        "-c", f"sleep 600 & exec {quote(str(DEMO_AGENT))}"]}})
    id = relay.http().new(relay.workspace)
    assert measured(relay, id)["processes"] == 2


def test_a_container(make_container_relay):
    relay = make_container_relay({"memory_limit": "64Mi", "pids_limit": 50})
    client = relay.http()
    began = time.monotonic()
    id = client.new("/workspace")
    quiet = measured(relay, id)
    assert quiet["isolation"] == "container" and quiet["runState"] == "running" and quiet["state"] == "ready"
    assert relay.container(id)["Id"].startswith(quiet["runsAs"].removeprefix("container "))
    assert 0 < quiet["memoryBytes"] <= quiet["memoryLimitBytes"] == 64 * MIB
    assert quiet["processes"] >= 1 and 0 <= quiet["ageSeconds"] <= time.monotonic() - began + 2
    wait_until(lambda: " of 64.0 MiB " in row_of(relay, id), lambda: f"its memory is shown: {row_of(relay, id)}")


def test_cpu_of_a_container_that_works(make_shell_relay):
    relay = make_shell_relay()
    client = relay.websocket()
    id = client.new("/workspace")
    quiet = measured(relay, id)
    assert quiet["cpuPercent"] < 10 and quiet["state"] == "ready"
    shell(client, "(while :; do :; done) >/dev/null 2>&1 &")
    # Others may leave it little.
    wait_until(lambda: measured(relay, id)["cpuPercent"] > quiet["cpuPercent"] + 2,
               lambda: f"the agent is seen to work: {agent_of(relay, id)}")


def test_a_container_with_a_network_counts_its_bytes(make_shell_relay):
    relay = make_shell_relay({"network_mode": "bridge"})
    id = relay.http().new("/workspace")
    agent = measured(relay, id)
    assert agent["networkReceivedBytes"] >= 0 and agent["networkSentBytes"] >= 0
    assert agent["diskReadBytes"] is None or agent["diskReadBytes"] >= 0


def test_a_paused_container_says_so(make_container_relay, engine):
    relay = make_container_relay()
    id = relay.http().new("/workspace")
    engine.pause(f"acp-agent-{id}")
    try:
        wait_until(lambda: agent_of(relay, id)["runState"] == "paused", lambda: f"it is paused: {agent_of(relay, id)}")
        wait_until(lambda: "ready (paused)" in row_of(relay, id), lambda: f"it is shown as paused: {row_of(relay, id)}")
    finally:
        engine.unpause(f"acp-agent-{id}")


def test_a_container_is_as_old_as_it_is_also_for_the_next_relay(make_container_relay):
    relay = make_container_relay()
    id = relay.http().new("/workspace")
    started = measured(relay, id)["startedAt"]
    relay.process.kill()
    relay.wait()
    relay.start()
    assert measured(relay, id)["startedAt"] == started


def test_pages_of_agents(relay):
    client = relay.http()
    ids = [client.new(relay.workspace) for _ in range(3)]
    seen = []
    for offset in range(3):
        page = relay.management(f"/api/overview?limit=1&offset={offset}").json()
        assert (page["agentsTotal"], page["agentsOffset"], page["sessions"]["ready"]) == (3, offset, 3)
        seen += [one["session"] for one in page["agents"]]
    assert sorted(seen) == sorted(ids)
    assert relay.management("/api/overview?offset=9").json()["agents"] == []
    for bad in ("limit=0", "limit=1001", "limit=x", "offset=-1", "offset="):
        assert relay.management(f"/api/overview?{bad}").status_code == 400
    code, out, _ = run_cli("health", "--limit", "2", relay=relay)
    assert code == 0 and len(agents_by_session(out)) == 2 and "1 more are not shown" in out


# What happened lately.

def test_an_agent_that_is_killed(make_container_relay, engine):
    relay = make_container_relay()
    relay.keeps_directories = True  # nobody gave the session up
    id = relay.http().new("/workspace")
    engine.kill(f"acp-agent-{id}")
    [event] = wait_until(lambda: overview(relay)["events"], "the end of the agent is seen")
    assert (event["session"], event["cause"], event["signal"], event["agentGoesOn"]) == (id, "signalled", 9, False)
    assert event["time"].endswith("Z") and "signal 9" in event["text"]
    out = run_cli("health", relay=relay)[1]
    assert "signalled  signal 9" in out


def test_an_agent_that_runs_out_of_memory(make_container_relay, engine):
    relay = make_container_relay({"memory_limit": "32Mi"})
    relay.keeps_directories = True
    client = relay.http()
    id = client.new("/workspace")
    with pytest.raises(RelayError):
        client.prompt(id, "/oom")
    [event] = wait_until(lambda: overview(relay)["events"], "the end of the agent is seen")
    # Podman does not say that it was for memory.
    assert event["cause"] == ("signalled" if engine.is_podman else "out_of_memory")
    assert event["session"] == id and event["signal"] == 9
    [error] = [one for one in overview(relay)["errors"] if one["session"] == id]
    assert error["errorType"] == ("agent_exited" if engine.is_podman else "container_resource_exceeded")


def test_an_agent_that_exits_and_one_that_is_closed(relay):
    client = relay.http()
    ends, closed = client.new(relay.workspace), client.new(relay.workspace)
    with pytest.raises(RelayError):
        client.prompt(ends, "/exit 3")
    client.result("session/close", sessionId=closed)
    [event] = wait_until(lambda: overview(relay)["events"], "the end of the agent is seen")
    assert (event["session"], event["cause"], event["exitCode"]) == (ends, "failed", 3)


def test_an_agent_that_does_not_start(make_relay):
    relay = make_relay({"agent": {"command": "/bin/sh", "args": ["-c", "exit 7"]}})
    with pytest.raises(RelayError):
        relay.http().new(relay.workspace)
    [event] = overview(relay)["events"]
    assert (event["cause"], event["exitCode"]) == ("not_started", 7)


def test_an_agent_that_wants_a_login_has_not_failed(make_relay):
    relay = make_relay({"agent": scripted("error_in_new")})
    with pytest.raises(RelayError):
        relay.http().new(relay.workspace)
    assert overview(relay)["events"] == []


def test_errors_of_clients(relay, session):
    client, id = session
    for _ in range(3):
        with pytest.raises(RelayError):
            client.result("session/history", sessionId="sess_0")
    [error] = overview(relay)["errors"]
    assert (error["session"], error["errorType"], error["times"]) == ("sess_0", "session_not_found", 3)
    out = run_cli("health", relay=relay)[1]
    assert "session_not_found  3      no session sess_0" in out


def test_errors_over_websockets(relay):
    client = relay.websocket()
    with pytest.raises(RelayError):
        client.result("session/prompt", sessionId="sess_0", prompt=[])
    assert overview(relay)["errors"][0]["errorType"] == "session_not_found"


def test_no_secret_is_shown(make_relay):
    secret = "hush-hush-0123456789"
    relay = make_relay({"agent": {"env": {"API_KEY": secret}}})
    with pytest.raises(RelayError):
        relay.http().result("session/history", sessionId=f"sess_{secret}")
    code, out, _ = run_cli("health", "--json", relay=relay)
    assert code == 0 and secret not in out
    assert json.loads(out)["errors"][0]["text"] == "no session sess_***"


# The command.

def test_json_is_what_the_relay_answers(relay, session):
    code, out, _ = run_cli("health", "--json", relay=relay)
    [line] = out.splitlines()
    shown = json.loads(line)
    assert code == 0 and shown["readiness"]["ready"] is True
    assert shown.keys() == overview(relay).keys()
    assert [one["session"] for one in shown["agents"]] == [session[1]]


def test_a_relay_that_is_not_ready_is_1(make_relay):
    relay = make_relay({"agent": {"max_concurrent_sessions": 1}})
    relay.http().new(relay.workspace)
    code, out, _ = run_cli("health", relay=relay)
    assert code == 1 and ": NOT READY\n  session_limit_reached: close a session" in out


def test_without_a_relay_it_is_3():
    code, out, err = run_cli("health", env={"ACP_RELAY_MANAGEMENT_URL": "http://127.0.0.1:9"})
    assert (code, out) == (3, "") and "no answer from http://127.0.0.1:9" in err
    code, out, err = run_cli("health", "--watch", "--json", env={"ACP_RELAY_MANAGEMENT_URL": "http://127.0.0.1:9"})
    assert (code, out) == (3, "") and "no answer" in err


def test_tokens(make_relay):
    relay = make_relay({"auth": {"mode": "token", "tokens": TOKENS}})
    assert relay.management("/api/overview").status_code == 401
    for token, expected in (("", 4), (TOKENS[0]["token"], 4), (TOKENS[1]["token"], 0)):
        code, _, err = run_cli("health", relay=relay, env={"ACP_RELAY_TOKEN": token})
        assert code == expected, err
        assert TOKENS[0]["token"] not in err
    file = relay.directory / "token"
    file.write_text(TOKENS[1]["token"])
    assert run_cli("health", "--token-file", str(file), relay=relay)[0] == 0


def test_watch_in_a_pipe(relay):
    with watching(relay, stdout=subprocess.PIPE) as process:
        out = read_until(process.stdout.fileno(), lambda text: text.count(b"\nno client") >= 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        blocks = (out + process.stdout.read().decode()).split("---\n")
        process.stdout.close()
    assert len(blocks) >= 2 and all(block.startswith("acp-relay ") for block in blocks)
    assert "\x1b" not in out


def test_watch_as_json(relay):
    with watching(relay, "--json", stdout=subprocess.PIPE) as process:
        out = read_until(process.stdout.fileno(), lambda text: text.count(b"\n") >= 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()
    first, second = [json.loads(line) for line in out.splitlines()[:2]]
    assert first["time"] < second["time"]


def test_watch_on_a_terminal_draws_over_the_screen_before(relay):
    master, slave = pty.openpty()
    try:
        with watching(relay, stdin=slave, stdout=slave) as process:
            os.close(slave)
            screens = read_until(master, lambda text: text.count(b"\x1b[J") >= 2)
            process.send_signal(signal.SIGINT)
            read_rest(master)  # a terminal that nobody reads is full soon, and holds it up
            assert process.wait(PATIENCE) == 0
    finally:
        os.close(master)
    assert screens.count("\x1b[H") >= 2 and "---" not in screens


def test_watch_goes_on_over_a_restart_of_the_relay(relay):
    with watching(relay, stdout=subprocess.PIPE) as process:
        read_until(process.stdout.fileno(), lambda text: b": ready\n" in text)
        relay.stop()
        read_until(process.stdout.fileno(), lambda text: b"no answer from" in text)
        relay.start()
        read_until(process.stdout.fileno(), lambda text: b": ready\n" in text)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def test_watch_ends_when_nobody_reads(relay):
    with watching(relay, stdout=subprocess.PIPE) as process:
        read_until(process.stdout.fileno(), lambda text: b": ready\n" in text)
        process.stdout.close()
        assert process.wait(PATIENCE) == 0


def test_the_script_is_the_command(relay):
    done = subprocess.run([ROOT / "scripts/health.sh", "--json", "--management-url", relay.management_url],
                          capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0 and json.loads(done.stdout)["readiness"]["ready"]


# What holds others up does not hold this up.

def test_an_engine_that_hangs(make_container_relay, engine, tmp_path):
    with EngineProxy(engine.socket, tmp_path / "engine.sock") as proxy:
        relay = make_container_relay({"docker_host": f"unix://{proxy.path}"})
        id = relay.http().new("/workspace")
        proxy.hang_on = b"/stats"
        agent = agent_of(relay, id)
        assert (agent["runState"], agent["memoryBytes"], agent["cpuPercent"]) == (None, None, None)
        wait_until(lambda: relay.management("/api/ready").status_code == 200, "it is ready all the same")
        assert "unknown" in row_of(relay, id)
        proxy.hang_on = None
        wait_until(lambda: agent_of(relay, id)["memoryBytes"], "the Engine is asked anew")
        relay.stop()


def test_nobody_asks_the_engine_by_itself(make_container_relay, engine, tmp_path):
    with EngineProxy(engine.socket, tmp_path / "engine.sock") as proxy:
        relay = make_container_relay({"docker_host": f"unix://{proxy.path}"})
        client = relay.http()
        id = client.new("/workspace")
        client.prompt_text(id, "hello")
        assert proxy.seen(b"/stats") == 0
        overview(relay)
        wait_until(lambda: proxy.seen(b"/stats") >= 1, "it is asked")
        assert proxy.seen(b"/stats") <= 2
        relay.stop()
