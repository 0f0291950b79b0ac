"""Limits and restrictions as the agent itself finds them inside its container."""
import concurrent.futures
import json
import os

import pytest

from harness.containers import shell
from harness.deadline import wait_until
from harness.http_client import RelayError
from harness.relay import run_cli

MIB = 1 << 20


@pytest.fixture
def inside(make_shell_relay):
    """inside(container keys)(script): runs it in a session and returns what it prints."""
    def start(container=None):
        client = make_shell_relay(container).websocket()
        client.new("/workspace")
        return lambda script: shell(client, script)
    return start


def cgroup(version_1, version_2):
    """Shows the first file of a limit that is there, under either version of control groups."""
    files = " ".join("/sys/fs/cgroup/" + name for name in [*version_1, version_2])
    return f"cat $(ls -d {files} 2>/dev/null | head -n 1)"


def test_memory(inside):
    run = inside({"memory_limit": "96Mi"})
    assert run(cgroup(["memory/memory.limit_in_bytes"], "memory.max")) == (0, f"{96 * MIB}\n")
    swap = run(cgroup(["memory/memory.memsw.limit_in_bytes"], "memory.swap.max"))[1].strip()
    assert swap in (str(96 * MIB), "0", ""), "no swap beside it"


def test_cpu(inside):
    run = inside({"cpu_limit": 0.5})
    names = ["cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us"]
    quota = run(cgroup(names, "cpu.max"))[1].split()[0]
    assert quota == "50000"


def test_processes(inside):
    run = inside({"pids_limit": 33})
    assert run(cgroup(["pids/pids.max"], "pids.max")) == (0, "33\n")


def test_capabilities_are_gone_for_a_user_that_is_not_root(inside):
    status = dict(line.split(":\t", 1) for line in inside()("cat /proc/self/status")[1].splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_dropped_capabilities_are_gone_for_root_too(inside):
    status = inside({"user": "0"})("grep Cap /proc/self/status")[1]
    for name in ("CapEff", "CapPrm", "CapBnd"):
        caps = int(next(line.split()[1] for line in status.splitlines() if line.startswith(name)), 16)
        assert not caps & (1 << 13), f"NET_RAW in {name}"
        assert not caps & (1 << 21), f"SYS_ADMIN in {name}"


def test_every_capability_can_be_dropped(inside):
    status = inside({"user": "0", "drop_capabilities": ["ALL"]})("cat /proc/self/status")[1]
    assert "CapBnd:\t0000000000000000" in status


def test_a_read_only_root(inside):
    run = inside({"readonly_rootfs": True})
    for path in ("/x", "/bin/x", "/etc/x", "/home/x"):
        code, words = run(f"echo x > {path}")
        assert code != 0 and "Read-only file system" in words, path
    for path in ("/tmp/x", "/run/x", "/var/tmp/x", "/workspace/x", "/home/agent/x"):
        assert run(f"echo x > {path}") == (0, ""), path


def test_tmpfs(inside):
    run = inside({"tmpfs": ["/scratch:size=1m,mode=1777"]})
    assert run("echo x > /scratch/x; grep -c ' /scratch tmpfs ' /proc/mounts") == (0, "1\n")
    assert run("dd if=/dev/zero of=/scratch/big bs=1M count=3")[0] != 0


def test_no_network_but_the_loopback(inside):
    run = inside()
    assert run("cut -d: -f1 -s /proc/net/dev | tr -d ' '") == (0, "lo\n")
    # The client's input stays open: a server that sees its end first says nothing.
    code, words = run("mkfifo open; (echo pong | nc -l -p 8080 >/dev/null &) ; for i in $(seq 100); do "
                      "nc localhost 8080 <>open 2>/dev/null && break; usleep 100000; done")
    assert (code, words) == (0, "pong\n"), "localhost resolves and answers"
    assert run("grep -c localhost /etc/hosts")[1] != "0\n"
    assert run("grep -c $(hostname) /etc/hosts")[1] != "0\n"
    assert run("echo x >> /etc/hosts")[0] != 0


def test_a_silent_agent_without_a_network_is_explained(make_container_relay):
    relay = make_container_relay()
    relay.wait_logged("no model can be reached")
    client = relay.websocket()
    made = client.result("session/new", workingDirectory="/workspace")
    assert made["network"] == "none"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        prompt = pool.submit(run_cli, "prompt", "/sleep 30", relay=relay)

        def other():
            open_ones = client.result("session/list", activeOnly=True)["sessions"]
            return next((one["id"] for one in open_ones if one["id"] != made["sessionId"]), None)
        # The agent tells of this, and says no word.
        client.result("session/set_config_option", sessionId=wait_until(other, "the session of the prompt"),
                      configId="style", value="loud")
        code, out, err = prompt.result()
    assert code == 0 and "container.network_mode: bridge" in err
    assert "network" not in run_cli("prompt", "--session", made["sessionId"], "at once", relay=relay)[2]


def test_ulimits(inside):
    assert inside({"ulimits": {"nofile": "123:456"}})("ulimit -n; ulimit -Hn") == (0, "123\n456\n")


def refused(relay):
    with pytest.raises(RelayError) as caught:
        relay.http().new("/workspace")
    relay.wait_until_empty()
    return caught.value


def test_a_ulimit_that_the_engine_can_not_set_is_named(make_shell_relay):
    error = refused(make_shell_relay({"ulimits": {"nofile": "2000000000:2000000000"}}))
    assert error.type == "container_start_failed"
    assert "container.ulimits" in json.dumps(error.data)


def test_a_user_that_the_image_does_not_know_is_named(make_shell_relay):
    relay = make_shell_relay({"user": "nobody-knows"}, start=False).launch()
    assert relay.wait() == 1
    assert "container.user" in relay.log_text() and "nobody-knows" in relay.log_text()


def test_a_seccomp_profile_from_a_file(inside, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
    run = inside({"security_opt": ["no-new-privileges", f"seccomp={profile}"]})
    code, words = run("mkdir /workspace/x")
    assert code != 0 and "not permitted" in words
    assert run("echo x > /workspace/y") == (0, "")


def test_extra_volumes_are_read_only_unless_said(inside, tmp_path):
    for name in ("plain", "ro", "rw"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        os.chmod(tmp_path / name, 0o777)
    run = inside({"extra_volumes": [f"{tmp_path}/plain:/plain", f"{tmp_path}/ro:/ro:ro", f"{tmp_path}/rw:/mnt/rw:rw"]})
    assert run("cat /plain/file /ro/file /mnt/rw/file") == (0, "plainrorw")
    assert run("echo x > /plain/x")[0] != 0
    assert run("echo x > /ro/x")[0] != 0
    assert run("echo x > /mnt/rw/x")[0] == 0
    assert (tmp_path / "rw" / "x").is_file()


def test_more_cpus_than_the_host_has(make_shell_relay):
    relay = make_shell_relay({"cpu_limit": 4096})
    client = relay.websocket()
    session = client.new("/workspace")
    relay.wait_logged("container.cpu_limit 4096 is more than the ")
    cpus = relay.container(session)["HostConfig"]["NanoCpus"] / 1e9
    relay.wait_logged(f" {cpus:.0f} is used")


def test_a_list_of_other_options_keeps_no_new_privileges(inside):
    run = inside({"security_opt": ["seccomp=default"]})
    assert run("grep NoNewPrivs /proc/self/status") == (0, "NoNewPrivs:\t1\n")


def test_root_that_may_write_to_the_host_is_warned_of(make_container_relay, tmp_path):
    (tmp_path / "projects").mkdir()
    for user, warned in (("0:0", True), ("1000:1000", False)):
        relay = make_container_relay({"user": user, "mount_roots": [str(tmp_path / "projects")]})
        relay.stop()  # all of its log is written
        assert ("AGENTS ARE ROOT (uid 0)" in relay.log_text()) is warned


@pytest.mark.parametrize("keys, key", [({"extra_volumes": ["/usr/share:/home/agent"]}, "container.extra_volumes"),
                                       ({"tmpfs": ["/home/agent:size=1m"]}, "container.tmpfs")],
                         ids=["volume", "tmpfs"])
def test_a_mount_at_the_home_names_the_cure(make_container_relay, make_shell_relay, keys, key):
    relay = make_container_relay(keys, start=False).launch()
    assert relay.wait() == 1
    relay.wait_logged(f"{key} has an entry for /home/agent")
    relay.wait_logged("set container.home: image")
    client = make_shell_relay({**keys, "home": "image"}).websocket()
    client.new("/workspace")
    assert shell(client, "grep -c ' /home/agent ' /proc/mounts") == (0, "1\n")


def test_labels_for_selinux_reach_the_engine(make_shell_relay, tmp_path):
    """The test host has no SELinux: the Engine takes the labels and does nothing."""
    data = tmp_path / "data"
    data.mkdir()
    relay = make_shell_relay({"selinux_label": "private", "extra_volumes": [f"{data}:/data:z"]})
    client = relay.websocket()
    session = client.new("/workspace")
    assert shell(client, "echo x > /workspace/x; echo y > ~/y; cat /workspace/x ~/y") == (0, "x\ny\n")
    assert shell(client, "echo x > /data/x")[0] != 0
    binds = relay.container(session)["HostConfig"]["Binds"]
    assert f"{relay.host_workspace(session)}:/workspace:rw,rprivate,Z" in binds
    assert f"{data}:/data:ro,rprivate,z" in binds


@pytest.mark.parametrize("volume", ["/only/a/source", "./relative:/x", "/a:/b:rx", "/a:b", ":/b", "/a:/b:ro:z", ""])
def test_malformed_volumes_stop_the_relay_with_the_key(make_container_relay, volume):
    relay = make_container_relay({"extra_volumes": [volume]}, start=False).launch()
    assert relay.wait() != 0
    relay.wait_logged("container.extra_volumes[0]")


@pytest.mark.parametrize("keys, name", [
    ({"network_mode": "host"}, "network_mode"),
    ({"extra_volumes": ["/:/host"]}, "extra_volumes"),
    ({"extra_volumes": ["/var/run/docker.sock:/docker.sock"]}, "extra_volumes"),
    ({"security_opt": ["seccomp=unconfined"]}, "security_opt"),
    ({"mount_roots": ["/"]}, "mount_roots"),
    ({"mount_roots": ["/etc/cron.d"]}, "mount_roots"),
    ({"security_opt": ["no-new-privileges=false"]}, "security_opt"),
], ids=["host network", "the root", "the socket", "seccomp", "mount root", "what root runs", "new privileges"])
def test_dangerous_values_need_allow_unsafe(make_container_relay, keys, name):
    relay = make_container_relay(keys, start=False).launch()
    assert relay.wait() != 0
    assert f"container.{name}" in relay.log_text() and "allow_unsafe" in relay.log_text()


@pytest.mark.parametrize("key", ["mount_roots", "extra_volumes"])
@pytest.mark.parametrize("place", ["", "relay.db", "sessions"])
def test_the_relays_own_places_need_allow_unsafe_behind_links_too(make_container_relay, tmp_path, key, place):
    for through_link in (False, True):
        directory = tmp_path / f"own-{through_link}"
        (directory / "sessions").mkdir(parents=True)
        path = directory / place
        if through_link:
            path = tmp_path / "link"
            path.symlink_to(directory / place)
        value = [str(path)] if key == "mount_roots" else [f"{path}:/x"]
        relay = make_container_relay({key: value}, start=False, directory=directory).launch()
        assert relay.wait() != 0
        assert f"container.{key}" in relay.log_text() and "allow_unsafe" in relay.log_text()


def test_a_source_that_does_not_exist_is_no_new_directory_of_the_host(make_container_relay, tmp_path):
    relay = make_container_relay({"extra_volumes": [f"{tmp_path}/nowhere:/data"]}, start=False).launch()
    if relay.wait_ready_or_end():
        assert f"{tmp_path}/nowhere" in json.dumps(refused(relay).error)
    else:
        relay.wait_logged(f"{tmp_path}/nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_what_else_is_configured_reaches_the_engine(make_container_relay):
    relay = make_container_relay({"log_driver": "json-file", "log_opts": {"max-size": "3m", "max-file": "2"},
                                  "labels": {"team": "blue"}, "init": False})
    facts = relay.container(relay.http().new("/workspace"))
    assert facts["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "3m", "max-file": "2"}}
    assert facts["Config"]["Labels"]["team"] == "blue"
    assert not facts["HostConfig"]["Init"]


def test_a_runtime_that_is_not_there_is_named(make_container_relay):
    relay = make_container_relay({"runtime": "runsc-of-nobody"}, start=False).launch()
    assert relay.wait() == 1, "with required: true the relay does not start"
    assert "container.runtime" in relay.log_text() and "runsc-of-nobody" in relay.log_text()
