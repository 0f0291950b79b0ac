"""A relay in a container, as docker-compose.yaml runs it, and the images for that."""
import hashlib
import json
import os
import secrets
import shutil
import subprocess

import httpx
import yaml

from . import debian
from .compose import Project, read_env_file
from .containers import import_files, made_once
from .deadline import PATIENCE, wait_until
from .http_client import HttpClient
from .ports import free_port
from .published import PublishedPort
from .relay import BINARY, ROOT

RELAY_UID = 10001
PROXY_UID = 10002
PROXY_ENV = ROOT / "deploy/socket-proxy/proxy.env"
BUILT_OF = ["Dockerfile.relay", "docker/build.sh", "docker/relay/collect.sh"]


def _release():
    """A sanitized relay is none to put into an image."""
    path = BINARY if b"libasan" not in BINARY.read_bytes() and b"__tsan" not in BINARY.read_bytes() else (
        ROOT / "build/release/acp-relay")
    assert path.is_file(), f"{path} is missing; run scripts/build.sh"
    return path


def build_relay(engine, base, tag):
    """What docker/build.sh said."""
    done = subprocess.run([ROOT / "docker/build.sh", "relay", tag, "--prebuilt", "--build-arg", f"BASE_IMAGE={base}"],
                          env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"),
                               "DOCKER_HOST": engine.address, "ACP_RELAY_BIN": str(_release())},
                          capture_output=True, text=True, timeout=5 * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def relay_image(engine, base):
    """Built once from Dockerfile.relay and the programs under test."""
    digest = hashlib.sha256(base.encode())
    for content in (_release().read_bytes(), *((ROOT / name).read_bytes() for name in BUILT_OF)):
        digest.update(content)
    tag = f"acp-relay-test/relay:{digest.hexdigest()[:12]}"
    return made_once(engine, tag, lambda: build_relay(engine, base, tag))


def import_base(engine):
    return import_files(engine, "base", debian.base_files(), "ENV PATH=/usr/sbin:/usr/bin")


def import_socket_proxy(engine):
    """What deploy/socket-proxy/Dockerfile installs, of this machine's package."""
    files = {**debian.base_files(), **debian.programs("/usr/sbin/haproxy"), "run/engine": (0o755, PROXY_UID, None),
             "etc/haproxy/haproxy.cfg": (0o644, 0, (ROOT / "deploy/socket-proxy/haproxy.cfg").read_bytes())}
    return import_files(engine, "socket-proxy", files, f"USER {PROXY_UID}:{RELAY_UID}", "ENV PATH=/usr/sbin:/usr/bin",
                        'CMD ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]')


class RelayInContainer:
    """One project of docker-compose.yaml: its relay, what is published of it, its workspaces on this machine."""

    def __init__(self, engine, directory, image, agent_image, proxy_image=None, container=None):
        """`container`: further keys of that section, by the workspaces' path."""
        self.engine = engine
        self.token, self.operator = secrets.token_hex(16), secrets.token_hex(16)
        self.workspaces = directory / "workspaces"
        self.workspaces.mkdir(mode=0o711)
        os.chown(self.workspaces, RELAY_UID, RELAY_UID)
        ports = {name: free_port() for name in ("HTTP", "WEBSOCKET", "MANAGEMENT")}
        self.variables = {
            "RELAY_IMAGE": image, "AGENT_IMAGE": agent_image, "ANTHROPIC_API_KEY": "no-key-of-anybody",
            "SOCKET_GID": str(os.stat(engine.socket).st_gid), "WORKSPACES": str(self.workspaces),
            "RELAY_TOKEN_SHA256": hashlib.sha256(self.token.encode()).hexdigest(),
            "RELAY_OPERATOR_TOKEN_SHA256": hashlib.sha256(self.operator.encode()).hexdigest(),
            "RELAY_ENGINE_MOUNT": f"{engine.socket}:/var/run/docker.sock", "RELAY_HEALTH_INTERVAL": "1s",
            "RELAY_HTTP_PORT": f"127.0.0.1:{ports['HTTP']}", "RELAY_WEBSOCKET_PORT": f"127.0.0.1:{ports['WEBSOCKET']}",
            "RELAY_MANAGEMENT_PORT": str(ports["MANAGEMENT"])}
        if container:
            config = yaml.safe_load((ROOT / "config.container.yaml").read_text("utf-8"))
            config["container"] |= container(self.workspaces)
            file = directory / "config.yaml"
            file.write_text(json.dumps(config), "utf-8")
            self.variables["RELAY_CONFIG"] = str(file)
        if proxy_image:
            self.variables |= {**read_env_file(PROXY_ENV), "SOCKET_PROXY_IMAGE": proxy_image,
                               "ENGINE_SOCKET": engine.socket}
        self.project = Project(engine, f"acp-relay-test-{secrets.token_hex(4)}", self.variables)
        self.http_port = PublishedPort(engine, ports["HTTP"])
        self.management_port = PublishedPort(engine, ports["MANAGEMENT"])

    def http(self):
        return HttpClient(f"http://127.0.0.1:{self.http_port.port}", token=self.token)

    def management(self, path, timeout=PATIENCE):
        return httpx.get(f"http://127.0.0.1:{self.management_port.port}{path}", timeout=timeout,
                         headers={"Authorization": f"Bearer {self.operator}"})

    def up(self, *services):
        self.project.up(*services)
        return self.wait_until_ready()

    def wait_until_ready(self):
        wait_until(self._ready, lambda: f"the relay is ready\n{self.log_text()[-4000:]}")
        return self

    def _ready(self):
        try:
            return self.management("/api/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def log_text(self):
        return self.engine.logs(self.project.container("relay"))

    def health(self):
        return self.project.inspect("relay")["State"]["Health"]["Status"]

    def agent(self, session):
        return self.engine.inspect(f"acp-agent-{session}")

    def down(self):
        self.http_port.__exit__()
        self.management_port.__exit__()
        self.project.down()
        for left in self.engine.mounting(self.workspaces):
            self.engine.remove(left["Id"])
        shutil.rmtree(self.workspaces, ignore_errors=True)
