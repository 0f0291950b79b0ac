#!/usr/bin/env bash
# Kills a relay (kill -9) at random points of its agents' turns, starts it again, and counts what was lost.
#   scripts/chaos.sh [ROUNDS] [--seed N] [--dialect NAME] [--bystanders N]      50 rounds of a random seed
# Every agent runs in a container; the Docker Engine is that of DOCKER_HOST or /var/run/docker.sock, and
# where none answers a private one for as long as this runs (as root). Exit code 0: all counts are zero.
# ACP_RELAY_BIN and ACP_DEMO_AGENT name other programs than those of build/release.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

if [[ ! -v ACP_RELAY_BIN ]]; then
  RELAY_BUILD_QUIET=yes scripts/build.sh release
  export ACP_RELAY_BIN=$root/build/release/acp-relay ACP_DEMO_AGENT=$root/build/release/acp-demo-agent
fi

# The path of a socket has to be short, so this is not below build/.
engine_directory=$(mktemp -d /tmp/acp-engine.XXXXXX)
stop_engine() {
  scripts/engine.sh stop "$engine_directory" || true
  rmdir "$engine_directory" 2>/dev/null || true
}
trap stop_engine EXIT
address=$(scripts/engine.sh ensure "$engine_directory")
export "${address?}"
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/chaos/kill_relay.py "$@"
