"""A working directory on a file system that never answers: one session fails, the relay goes on."""
import shutil
import subprocess
import threading

from harness.deadline import wait_until
from harness.http_client import RelayError

# What the kernel does for a dead NFS or FUSE mount.
DEAD = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int stat(const char* path, struct stat* info) {
  while (strstr(path, "/dead-mount")) pause();
  int (*real)(const char*, struct stat*) = dlsym(RTLD_NEXT, "stat");
  return real(path, info);
}
"""


def test_a_dead_working_directory_stops_one_session_only(make_relay, tmp_path):
    source, library = tmp_path / "dead.c", tmp_path / "dead.so"
    source.write_text(DEAD)
    compiler = shutil.which("clang-16") or "cc"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    relay = make_relay(env={"LD_PRELOAD": str(library)})
    dead = relay.workspace / "dead-mount"
    dead.mkdir()
    answers = []
    client = relay.http()
    asking = threading.Thread(
        target=lambda: answers.append(client.call("session/new", workingDirectory=str(dead))[0]))
    asking.start()
    other = relay.http()
    session = other.new(relay.workspace)
    assert other.prompt_text(session, "hello") == "hello"
    assert relay.management("/api/health").status_code == 200
    wait_until(lambda: answers, "the one who asked has an answer")
    asking.join()
    error = RelayError(answers[0]["error"])
    assert error.type == "workspace_unavailable" and f"{dead} does not answer" in str(answers[0])
