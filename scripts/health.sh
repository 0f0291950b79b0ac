#!/usr/bin/env bash
# How a running relay is, on one screen: "acp-relay health" of the build beside this script, else of PATH.
#   scripts/health.sh [OPTION...]   --watch, --json, --management-url URL, --token-file FILE; see --help
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay=$root/build/release/acp-relay
[[ -x $relay ]] || relay=$(command -v acp-relay) ||
  fail "there is no acp-relay in build/release and none in PATH" "scripts/build.sh"
exec "$relay" health "$@"
