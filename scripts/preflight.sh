#!/usr/bin/env bash
# Whether this machine can serve, before it does: finds acp-relay, or builds it, and runs "acp-relay preflight".
#   scripts/preflight.sh [OPTION...]      options go to it; default --config config.yaml of this directory
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay=$root/build/release/acp-relay
if [[ ! -x $relay ]] && ! relay=$(command -v acp-relay); then
  if looks_for_packages; then "$root/scripts/install.sh" build; fi
  RELAY_BUILD_NEXT="the machine is looked at" "$root/scripts/build.sh" release
  relay=$root/build/release/acp-relay
fi
exec "$relay" preflight "$@"
