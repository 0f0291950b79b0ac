#!/usr/bin/env bash
# From a fresh Debian 12 machine to a running relay: installs what is missing, builds a release, serves.
#   scripts/run.sh [OPTION...]      options go to "acp-relay serve"; default --config config.yaml
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$root/scripts/install.sh" build
"$root/scripts/build.sh" release

arguments=("$@")
given=no
for argument in "$@"; do
  case $argument in -c | --config | --config=*) given=yes ;; esac
done
if [[ $given == no ]]; then
  cd "$root"
  arguments=(--config config.yaml "$@")
fi
exec "$root/build/release/acp-relay" serve "${arguments[@]}"
