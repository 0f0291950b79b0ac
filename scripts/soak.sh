#!/usr/bin/env bash
# Holds a relay under load and under attack for some minutes, and measures what is left of it afterwards.
#   scripts/soak.sh [--quick] [NAME...]      every trial (some ten minutes), or those named
#   scripts/soak.sh --help                   the trials, their sizes and the other options
# Neither Docker nor root is needed. Exit code 0: every trial passed; one line for each says what was held.
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
  [[ -x build/release/acp-relay && -x build/release/acp-demo-agent ]] || RELAY_BUILD_QUIET=yes scripts/build.sh release
  export ACP_RELAY_BIN=$root/build/release/acp-relay ACP_DEMO_AGENT=$root/build/release/acp-demo-agent
fi

limit=$(ulimit -Hn)
ulimit -Sn "$limit"  # trials hold thousands of sockets
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/soak/run.py "$@"
