#!/usr/bin/env bash
# Holds a relay under load and under attack for some minutes, and measures what is left of it afterwards.
#   scripts/soak.sh [--quick] [NAME...]      every trial (some 20 minutes), or those named
#   scripts/soak.sh --help                   the trials, their sizes and the other options
# The trial engines needs a Docker Engine: that of DOCKER_HOST or /var/run/docker.sock, and where none answers a
# private one for as long as this runs (as root). Exit code 0: every trial passed; one line for each says what was held.
# ACP_RELAY_BIN and ACP_DEMO_AGENT name other programs than those of build/release.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# The trials themselves print the help, so that it names every one of them.
asks_for_help=no
for argument in "$@"; do
  case $argument in -h | --help) asks_for_help=yes ;; esac
done

if [[ $asks_for_help == no && ! -v ACP_RELAY_BIN ]]; then
  RELAY_BUILD_QUIET=yes scripts/build.sh release
  export ACP_RELAY_BIN=$root/build/release/acp-relay ACP_DEMO_AGENT=$root/build/release/acp-demo-agent
fi

limit=$(ulimit -Hn)
ulimit -Sn "$limit"  # trials hold thousands of sockets

# For the Engine that a trial starts where none answers. The path of a socket has to be short.
ACP_SOAK_ENGINE=$(mktemp -d /tmp/acp-engine.XXXXXX)
export ACP_SOAK_ENGINE
stop_engine() {
  scripts/engine.sh stop "$ACP_SOAK_ENGINE" || true
  rmdir "$ACP_SOAK_ENGINE" 2>/dev/null || true
}
trap stop_engine EXIT
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/soak/run.py "$@"
