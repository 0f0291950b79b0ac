"""What a hostile agent tries from inside its container, and how far it gets."""
import base64
import os
import secrets
import socket

import pytest

from harness.containers import shell
from harness.deadline import wait_until
from harness.http_client import RelayError


def hostile(relay):
    client = relay.websocket()
    client.new("/workspace")
    return client


def attempt(client, script):
    """The exit code of an attack; None when the agent did not outlive it."""
    try:
        return shell(client, script)[0]
    except RelayError as failure:
        assert failure.type in ("agent_exited", "container_resource_exceeded", "session_closed"), failure.error
        return None


def wait_told_of_resources(client):
    """That the container's memory did not suffice, for a child of the agent or for itself."""
    def tells(message):
        error = message.get("params", {}).get("error", {})
        return error.get("data", {}).get("error_type") == "container_resource_exceeded"
    client.wait_for(tells, "container_resource_exceeded")


def cpu_seconds(relay, client):
    """What the container of a session has taken, as the Engine says."""
    path = f"/containers/acp-agent-{client.session}/stats"
    stats = relay.engine.json("GET", path, **{"stream": "false", "one-shot": "true"})
    return stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9


def neighbour_is_well(relay, client):
    assert shell(client, "echo all is well") == (0, "all is well\n")
    relay.assert_container_starts()


@pytest.fixture
def relay(make_shell_relay):
    relay = make_shell_relay({"memory_limit": "64M", "pids_limit": 64, "cpu_limit": 0.5, "shutdown_timeout": "1s"})

    relay.keeps_directories = True  # where the attack ended its own agent

    def assert_container_starts():
        client = relay.websocket()
        client.new("/workspace")
        assert shell(client, "echo new") == (0, "new\n")
        client.result("session/close", sessionId=client.session)
    relay.assert_container_starts = assert_container_starts
    return relay


def test_a_fork_bomb(relay):
    neighbour, bomber = hostile(relay), hostile(relay)
    bomb = "bomb() { bomb | bomb & }; bomb 2>/workspace/said"
    bomber.start_prompt(base64.b64encode(bomb.encode()).decode())
    said = relay.host_workspace(bomber.session) / "said"
    wait_until(lambda: said.exists() and b"can't fork" in said.read_bytes(), "the bomb is at its limit")
    neighbour_is_well(relay, neighbour)
    facts = relay.container(bomber.session)
    if facts is not None and facts["State"]["Running"]:
        bomber.result("session/close", sessionId=bomber.session)
    wait_until(lambda: relay.container(bomber.session) is None, "the bomb is gone with its container")
    neighbour_is_well(relay, neighbour)


def test_filling_the_memory(relay):
    neighbour, glutton = hostile(relay), hostile(relay)
    attempt(glutton, "for i in 1 2 3 4 5 6; do dd if=/dev/zero of=/dev/null bs=300M count=1 & done; wait")
    wait_told_of_resources(glutton)
    another = hostile(relay)
    assert attempt(another, "dd if=/dev/zero of=/dev/shm/fill bs=1M count=500") != 0
    neighbour_is_well(relay, neighbour)


def test_burning_the_cpu(relay):
    neighbour, burner = hostile(relay), hostile(relay)
    shell(burner, "for i in 1 2 3 4; do (while :; do :; done) >/dev/null 2>&1 & done")
    wait_until(lambda: cpu_seconds(relay, burner) > 1, "it burns")
    neighbour_is_well(relay, neighbour)
    burner.result("session/close", sessionId=burner.session)
    wait_until(lambda: relay.container(burner.session) is None, "the burner is gone with its container")


@pytest.mark.parametrize("flood, told", [
    ("head -c 30000000 /dev/zero | tr '\\0' x", "xxxx"),
    ("yes | head -n 1000000", "agent stderr: lines left out")], ids=["one line", "many lines"])
def test_flooding_the_log_and_the_line_buffer(relay, flood, told):
    neighbour, noisy = hostile(relay), hostile(relay)
    # The stderr of the agent, not that of the script, which is its output.
    assert shell(noisy, f"read _ _ _ agent _ < /proc/$PPID/stat; {flood} > /proc/$agent/fd/2; "
                        "echo the end > /proc/$agent/fd/2") == (0, "")
    neighbour_is_well(relay, neighbour)
    relay.stop()  # with the end of the agent's stderr it is told what was left out
    assert told in relay.log_text() and len(relay.log_text()) < 5_000_000


@pytest.mark.parametrize("user", ["", "0"], ids=["as agent", "as root"])
def test_writing_where_it_may_not(make_shell_relay, user):
    agent = hostile(make_shell_relay({"readonly_rootfs": True, "user": user}))
    for path in ("/bin/x", "/etc/passwd", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/mm/x",
                 "/sys/kernel/uevent_helper", "/dev/sda", "/etc/hosts"):
        # A device node that is missing would be made in the container's own /dev, which is memory.
        code, output = shell(agent, f"[ {path} != /dev/sda ] || mknod /dev/sda b 8 0 || exit 1; echo x > {path}")
        assert code != 0, f"{path}: {output}"
    raise_limit = ("for file in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do "
                   "[ -e $file ] && echo 9999999999 > $file && exit 0; done; exit 7")
    assert shell(agent, raise_limit)[0] == 7
    assert "not permitted" in shell(agent, "date -s 200001010000")[1]
    for command in ("mount -t tmpfs none /tmp", "mount -o remount,rw /", "unshare -m true",
                    "insmod /bin/busybox"):
        code, output = shell(agent, command)
        assert code != 0, command
        assert "not permitted" in output or "permission denied" in output, (command, output)


@pytest.mark.parametrize("user", ["", "0"], ids=["as agent", "as root"])
def test_reaching_a_network(make_shell_relay, user):
    relay = make_shell_relay({"user": user})
    agent = hostile(relay)
    # Also where the Engine itself reaches nothing. Some hosts give every network a tunnel that is down.
    assert shell(agent, "tail -n +2 /proc/net/route") == (0, ""), "there is no way out"
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "172.17.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8", "1.1.1.1"):
            assert shell(agent, f"nc -w 2 {host} {port} </dev/null")[0] != 0, host
        for name in ("http_port", "management_port", "websocket_port"):
            assert shell(agent, f"nc -w 2 127.0.0.1 {relay.config['server'][name]} </dev/null")[0] != 0
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    for command in ("ip link add dummy0 type dummy", "ip addr add 10.9.9.9/24 dev lo"):
        code, output = shell(agent, command)
        assert code != 0 and "not permitted" in output, (command, output)
    assert shell(agent, "ping -c 1 -W 1 8.8.8.8")[0] != 0


@pytest.mark.parametrize("user", ["", "0"], ids=["as agent", "as root"])
def test_seeing_other_sessions_and_secrets_of_the_host(make_shell_relay, tmp_path, user):
    word = secrets.token_hex(16)
    (tmp_path / "secret").write_text(word)
    os.chmod(tmp_path / "secret", 0o644)
    relay = make_shell_relay({"user": user}, env={"SECRET_OF_THE_RELAY": word})
    victim, spy = hostile(relay), hostile(relay)
    shell(victim, f"echo {word} > /workspace/private; echo {word} > /home/agent/private")
    shell(spy, f"echo {word} > /workspace/own")
    found = shell(spy, "find / -path /proc -prune -o -path /sys -prune -o -type f -print "
                       f"2>/dev/null | xargs grep -l {word} 2>/dev/null")[1]
    assert found == "/workspace/own\n", "the search finds what is there, and that is its own"
    variables = shell(spy, "cat /proc/[0-9]*/environ | tr '\\0' '\\n'")[1]
    assert "PATH=" in variables and "SECRET_OF_THE_RELAY" not in variables and word not in variables
    listing = shell(spy, "ls /workspace/.. /home; cat /proc/mounts; hostname; ls /proc | grep -c '^[0-9]'")[1]
    assert victim.session not in listing
    assert "docker.sock" not in shell(spy, "find / -name '*.sock' 2>/dev/null; true")[1]
    for path in (relay.base, tmp_path, "/var/lib/docker"):
        assert shell(spy, f"ls {path}")[0] != 0, path


def test_processes_of_the_host_and_of_others_are_out_of_reach(relay):
    spy = hostile(relay)
    output = shell(spy, "cat /proc/[0-9]*/comm")[1].split()
    assert len(output) < 12, f"only its own processes: {output}"
    assert shell(spy, f"kill -9 {relay.pid}")[0] != 0
    assert relay.running()


def test_links_do_not_lead_the_clearing_up_astray(make_shell_relay, tmp_path):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("x")
    relay = make_shell_relay()
    agent = hostile(relay)
    shell(agent, f"ln -s {canary} /workspace/link; ln -s / /workspace/root; ln -s {canary}/file /home/agent/file; "
                 "mkdir -p /workspace/locked/in; echo x > /workspace/locked/in/x; chmod 0 /workspace/locked /workspace")
    agent.result("session/close", sessionId=agent.session)
    relay.wait_until_empty()
    assert (canary / "file").read_text() == "x"
    assert os.path.exists("/etc/passwd")


def test_a_deep_and_odd_tree_is_removed(make_shell_relay):
    relay = make_shell_relay()
    agent = hostile(relay)
    shell(agent, "cd /workspace; for i in $(seq 300); do mkdir -p 0123456789 && cd 0123456789 || break; done; "
                 "cd /workspace; touch -- -rf '; reboot' \"$(printf 'new\\nline')\" \"$(printf '\\377\\376')\"; "
                 "mkfifo pipe; for i in $(seq 500); do echo > many$i; done")
    agent.result("session/close", sessionId=agent.session)
    relay.wait_until_empty()


def test_a_workspace_replaced_from_inside_harms_nobody(make_shell_relay, tmp_path):
    """The mount points themselves belong to the host; their content may be anything."""
    relay = make_shell_relay({"user": "0"})
    agent = hostile(relay)
    shell(agent, "rm -rf /workspace; rmdir /workspace; mv /workspace /w")
    assert relay.host_workspace(agent.session).is_dir()
    agent.result("session/close", sessionId=agent.session)
    relay.wait_until_empty()
