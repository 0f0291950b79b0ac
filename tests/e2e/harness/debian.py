"""Images of this machine's own Debian packages: what tests take for debian:bookworm-slim and for what is installed in it.

Nothing is pulled, and no image gets a public name: a build names its base by the argument BASE_IMAGE.
"""
import os
import pathlib
import stat
import subprocess

# What Dockerfile.relay and the documents call of what every Debian image has.
PROGRAMS = ["sh", "bash", "cat", "chmod", "chown", "cp", "id", "ls", "mkdir", "mv", "rm", "stat", "touch"]
LIBRARIES = ["libc6", "libgcc-s1", "libstdc++6"]
USR_LINKS = {name: (0o777, 0, f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")}


def _add(files, path):
    """A file by its real place, and the link by which it is asked for."""
    asked, real = pathlib.Path(path), pathlib.Path(os.path.realpath(path))
    files[str(real).lstrip("/")] = (stat.S_IMODE(real.stat().st_mode), 0, real.read_bytes())
    place = pathlib.Path(os.path.realpath(asked.parent)) / asked.name
    if place != real:
        files[str(place).lstrip("/")] = (0o777, 0, os.path.relpath(real, place.parent))


def libraries(program):
    """Paths of all that a program loads, as it asks for them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    found = []
    for line in listed.splitlines():
        found += [word for word in line.split() if word.startswith("/")][:1]
    return found


def programs(*paths):
    """{path: entry} of programs of this machine and of all that they load."""
    files = {}
    for path in paths:
        for needed in (path, *libraries(path)):
            _add(files, needed)
    return files


def _libraries_of_package(package):
    listed = subprocess.run(["dpkg-query", "--listfiles", package], capture_output=True, text=True, check=True).stdout
    return [path for path in listed.splitlines() if ".so" in path and os.path.isfile(path)]


def base_files():
    files = {**USR_LINKS, "tmp": (0o1777, 0, None), "etc/passwd": (0o644, 0, b"root:x:0:0:root:/root:/bin/bash\n"),
             "etc/group": (0o644, 0, b"root:x:0:\n"), "var/lib": (0o755, 0, None), "run": (0o755, 0, None),
             "var/run": (0o777, 0, "/run")}
    files.update(programs(*(f"/usr/bin/{name}" for name in PROGRAMS)))
    for package in LIBRARIES:
        for path in _libraries_of_package(package):
            _add(files, path)
    # Directories and links first, so that what lies in them finds its place.
    return dict(sorted(files.items(), key=lambda item: (item[0] not in USR_LINKS, item[0])))
