"""scripts/run.sh: what it chooses for a configuration, with nothing installed, built or asked for."""
import shutil
import subprocess

import pytest

from harness.deadline import PATIENCE
from harness.relay import BINARY, ROOT

RELAY = f"""#!/bin/sh
[ "$1" = serve ] || exec {BINARY} "$@"
echo "enabled: ${{ACP_RELAY_CONTAINER_ENABLED:-}}"
"""


def stub(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.fixture
def tree(tmp_path):
    """The script among others that do nothing, with an Engine that is said to answer."""
    (tmp_path / "scripts").mkdir()
    for name in ("run.sh", "lib.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name in ("scripts/install.sh", "scripts/build.sh", "docker/build.sh"):
        stub(tmp_path / name, "#!/bin/sh\n")
    stub(tmp_path / "scripts/engine.sh", "#!/bin/sh\necho DOCKER_HOST=unix:///nowhere/docker.sock\n")
    stub(tmp_path / "build/release/acp-relay", RELAY)
    return tmp_path


@pytest.mark.parametrize("config, enabled", [
    ("", "true"), ("agent: {command: cat}", ""), ("container: {enabled: false}", "true"),
    ("agents: {own: {image: 'mine:1'}}", "true"), ("agents: {own: {command: [cat]}}", ""),
    ("agents: {other: {image: 'mine:1'}, own: {command: [cat]}}", "")])
def test_containers_are_chosen_where_they_put_no_other_agent_into_the_demo_image(tree, config, enabled):
    (tree / "config.yaml").write_text(config + "\n")
    done = subprocess.run([tree / "scripts/run.sh"], capture_output=True, text=True, timeout=PATIENCE, check=True,
                          env={"PATH": "/usr/bin:/bin"})
    assert done.stdout.splitlines()[-1] == f"enabled: {enabled}", done.stdout + done.stderr
    assert ("Every session gets a container" in done.stdout) == bool(enabled)
