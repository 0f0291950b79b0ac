"""scripts/run.sh: what it chooses for a configuration, with nothing installed, built or asked for."""
import hashlib
import json
import shutil
import subprocess

import pytest

from harness import path
from harness.deadline import PATIENCE
from harness.relay import BINARY, ROOT

RELAY = f"""#!/bin/sh
[ "$1" = serve ] || exec {BINARY} "$@"
echo "enabled: ${{ACP_RELAY_CONTAINER_ENABLED:-}}"
"""
AGENT = "the demo agent"


def stub(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.fixture
def tree(tmp_path):
    """The script among others that only say that they were called, with an Engine that is said to answer."""
    (tmp_path / "scripts").mkdir()
    for name in ("run.sh", "lib.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name in ("scripts/install.sh", "scripts/build.sh", "docker/build.sh"):
        stub(tmp_path / name, f"#!/bin/sh\necho {name} $*\n")
    stub(tmp_path / "scripts/engine.sh", "#!/bin/sh\necho DOCKER_HOST=unix:///nowhere/docker.sock\n")
    stub(tmp_path / "build/release/acp-relay", RELAY)
    stub(tmp_path / "build/release/acp-demo-agent", AGENT)
    return tmp_path


def said_by(tree, programs="/usr/bin:/bin", **env):
    return subprocess.run([tree / "scripts/run.sh"], capture_output=True, text=True, timeout=PATIENCE, check=True,
                          env={"PATH": programs, **env}).stdout


@pytest.mark.parametrize("config, enabled", [
    ("", "true"), ("agent: {command: cat}", ""), ("container: {enabled: false}", "true"),
    ("agents: {own: {image: 'mine:1'}}", "true"), ("agents: {own: {command: [cat]}}", ""),
    ("agents: {other: {image: 'mine:1'}, own: {command: [cat]}}", "")])
def test_containers_are_chosen_where_they_put_no_other_agent_into_the_demo_image(tree, config, enabled):
    (tree / "config.yaml").write_text(config + "\n")
    said = said_by(tree)
    assert said.splitlines()[-1] == f"enabled: {enabled}", said
    assert ("Every session gets a container" in said) == bool(enabled)


@pytest.mark.parametrize("made_of, built", [(AGENT, False), ("an earlier one", True), (None, True)])
def test_the_demo_image_is_built_where_it_is_missing_or_of_another_program(tree, made_of, built):
    (tree / "config.yaml").touch()
    image = made_of and {"Config": {"Labels": {"acp-demo-agent.sha256": hashlib.sha256(made_of.encode()).hexdigest()}}}
    (tree / "image").write_text(json.dumps(image, separators=(",", ":")) if image else "")
    stub(tree / "bin/curl", f"#!/bin/sh\ncat {tree}/image\n")
    said = said_by(tree, f"{tree}/bin:/usr/bin:/bin")
    assert ("docker/build.sh demo" in said) == built
    assert said.endswith("enabled: true\n")


@pytest.mark.parametrize("is_there, enabled", [(True, "true"), (False, "")])
def test_an_earlier_demo_image_does_where_none_can_be_made(tree, is_there, enabled):
    (tree / "config.yaml").touch()
    stub(tree / "bin/curl", "#!/bin/sh\necho '{\"Config\":{\"Labels\":null}}'\n" if is_there else "#!/bin/sh\nexit 22\n")
    stub(tree / "docker/build.sh", "#!/bin/sh\nexit 1\n")
    said = said_by(tree, f"{tree}/bin:/usr/bin:/bin")
    assert ("has an earlier demo agent" in said) == is_there
    assert ("processes of this user" in said) != is_there
    assert said.endswith(f"enabled: {enabled}\n")


def test_a_demo_image_that_did_not_answer_is_not_used(tree):
    (tree / "config.yaml").touch()
    label = f'"acp-demo-agent.sha256":"{hashlib.sha256(AGENT.encode()).hexdigest()}"'
    stub(tree / "bin/curl", f"#!/bin/sh\n[ -e {tree}/built ] && echo '{label}' || echo '{{}}'\n")
    stub(tree / "docker/build.sh", f"#!/bin/sh\ntouch {tree}/built\nexit 1\n")
    said = said_by(tree, f"{tree}/bin:/usr/bin:/bin")
    assert "processes of this user" in said and said.endswith("enabled: \n")


def test_no_demo_image_is_built_where_another_one_is_asked_for(tree):
    (tree / "config.yaml").touch()
    said = said_by(tree, ACP_RELAY_CONTAINER_IMAGE="mine:1")
    assert "Every session gets a container of mine:1" in said and "docker/build.sh" not in said


def test_packages_are_installed_where_there_is_a_dpkg(tree):
    (tree / "config.yaml").touch()
    assert "scripts/install.sh build" in said_by(tree)
    for said in (said_by(tree, path.without(tree / "bin", "dpkg-query")), said_by(tree, RELAY_ANY_RELEASE="yes")):
        assert "scripts/install.sh" not in said and "scripts/build.sh release" in said
