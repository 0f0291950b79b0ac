"""What processes there are, from /proc."""
import os
import pathlib
import re


def _stat(pid):
    """(parent, start time, state) of a process, or None."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[1]), fields[19], fields[0]


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(pid):
    """{(pid, start time)} of everything that descends from a process."""
    children = {}
    starts = {}
    for other in all_pids():
        stat = _stat(other)
        if stat:
            children.setdefault(stat[0], []).append(other)
            starts[other] = stat[1]
    found, pending = set(), [pid]
    while pending:
        for child in children.get(pending.pop(), []):
            found.add((child, starts[child]))
            pending.append(child)
    return found


def alive(identity):
    """Is this very process there? A zombie counts: somebody has to reap it."""
    stat = _stat(identity[0])
    return stat is not None and stat[1] == identity[1]


def _is_within(path, directory):
    return path == directory or path.startswith(directory + "/")


def _names(command, directory):
    """Whether a command line names the directory or what lies in it, not one of a longer name."""
    return re.search(re.escape(directory) + rb"(?![\w.-])", command) is not None


def touching(directory):
    """Processes, other than this one, that work in a directory or name it on their command line."""
    found = []
    for pid in all_pids():
        if pid == os.getpid():
            continue
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if _is_within(cwd, str(directory)) or _names(command, os.fsencode(str(directory))):
            found.append((pid, command.replace(b"\0", b" ").decode("utf-8", "replace")))
    return found


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def command_line(pid):
    """Empty when the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def name(pid):
    """Empty when the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
