"""Runs the services of docker-compose.yaml by the Engine API, so that the file itself is what is tested.

Only what the file uses is understood; a key that is not fails the test, so that nothing of the file is passed over.
"""
import re

import yaml

from .relay import ROOT

FILE = ROOT / "docker-compose.yaml"
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>(?:[^{}$]|\$\$)*))?\}")
UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def interpolated(value, variables):
    if isinstance(value, dict):
        return {key: interpolated(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, variables) for one in value]
    if not isinstance(value, str):
        return value

    def replace(match):
        if match[0] == "$$":
            return "$"
        found = variables.get(match["name"], "")
        if found or match["kind"] is None:
            return found
        assert match["kind"] == ":-", f"{match['name']} is needed: {match['rest']}"
        return match["rest"]
    return VARIABLE.sub(replace, value)


def read_env_file(path):
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def nanoseconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * UNITS[unit]


def _mount(volume, project, base):
    """A volume of a service as an entry of HostConfig.Mounts."""
    if isinstance(volume, str):
        source, target, *options = volume.split(":")
        volume = {"type": "bind" if source.startswith(("/", ".")) else "volume", "source": source, "target": target,
                  "read_only": options == ["ro"]}
    source = volume["source"]
    if volume["type"] == "volume":
        source = f"{project}_{source}"
    elif source.startswith("."):
        source = str((base / source).resolve())
    assert set(volume) <= {"type", "source", "target", "read_only", "bind"}
    return {"Type": volume["type"], "Source": source, "Target": volume["target"],
            "ReadOnly": volume.get("read_only", False)}  # the Engine makes no source of such a mount


def _port(text):
    *outside, inside = text.split(":")
    address, number = outside if len(outside) == 2 else ("", *outside)
    return f"{inside}/tcp", [{"HostIp": address, "HostPort": number}]


def create_body(service, project="test", base=ROOT):
    """The body of POST /containers/create; `service` is interpolated."""
    service = dict(service)
    for key in ("build", "profiles"):
        service.pop(key, None)
    body = {"Image": service.pop("image"), "HostConfig": {}, "Labels": {"com.docker.compose.project": project}}
    host = body["HostConfig"]
    ports = dict(map(_port, service.pop("ports", [])))
    host["PortBindings"], body["ExposedPorts"] = ports, {port: {} for port in ports}
    host["Mounts"] = [_mount(volume, project, base) for volume in service.pop("volumes", [])]
    body["Env"] = [f"{name}={value}" for name, value in service.pop("environment", {}).items()]
    health = service.pop("healthcheck", {})
    if health:
        assert set(health) == {"interval", "timeout", "start_period", "retries"}, "the image says what is asked"
        body["Healthcheck"] = {"Interval": nanoseconds(health["interval"]), "Timeout": nanoseconds(health["timeout"]),
                               "StartPeriod": nanoseconds(health["start_period"]), "Retries": health["retries"]}
    if "stop_grace_period" in service:
        body["StopTimeout"] = nanoseconds(service.pop("stop_grace_period")) // 10**9
    host["RestartPolicy"] = {"Name": service.pop("restart")}
    for key, name in (("init", "Init"), ("group_add", "GroupAdd"), ("read_only", "ReadonlyRootfs"),
                      ("cap_drop", "CapDrop"), ("security_opt", "SecurityOpt"), ("network_mode", "NetworkMode")):
        if key in service:
            host[name] = service.pop(key)
    assert not service, f"keys that the tests do not understand: {sorted(service)}"
    return body


class Project:
    """The file with these variables. up() makes the services of the profiles that COMPOSE_PROFILES names."""

    def __init__(self, engine, name, variables):
        self.engine, self.name, self.variables = engine, name, variables
        self.file = interpolated(yaml.safe_load(FILE.read_text("utf-8")), variables)
        chosen = set(variables.get("COMPOSE_PROFILES", "").split(","))
        self.services = {service: values for service, values in self.file["services"].items()
                         if not values.get("profiles") or chosen & set(values["profiles"])}

    def container(self, service):
        return f"{self.name}-{service}-1"

    def body(self, service):
        return create_body(self.services[service], self.name)

    def up(self, *services):
        for service in services or self.services:
            self.engine.json("POST", "/containers/create", self.body(service), name=self.container(service))
            self.engine.request("POST", f"/containers/{self.container(service)}/start")

    def inspect(self, service):
        return self.engine.inspect(self.container(service))

    def volume_directory(self, volume):
        """Where a named volume lies on the Engine's machine."""
        return self.engine.json("GET", f"/volumes/{self.name}_{volume}")["Mountpoint"]

    def down(self):
        for service in self.services:
            self.engine.remove(self.container(service))
        for volume in self.file["volumes"]:
            self.engine.remove_volume(f"{self.name}_{volume}")
