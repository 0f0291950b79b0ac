#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing when none is.
#   scripts/install.sh [build] [test] [engine] [podman]   groups of scripts/packages.txt; default: build test
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

groups=("$@")
[[ ${#groups[@]} -gt 0 ]] || groups=(build test)
for group in "${groups[@]}"; do
  [[ -n $(packages "$group") ]] || fail "no package group \"$group\"" "scripts/install.sh build test engine podman"
done

command -v dpkg-query >/dev/null ||
  fail "this machine has no dpkg; the packages of scripts/packages.txt are for Debian 12" \
    "install their equivalents by hand, then run scripts/build.sh"

mapfile -t missing < <(missing_packages "${groups[@]}")
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null ||
    fail "these packages are missing and neither root nor sudo is at hand: ${missing[*]}" \
      "as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# apt ARGUMENT...: quiet unless it fails; one retry, because mirrors have bad moments.
apt() {
  local attempt
  for attempt in 1 2 3; do
    if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 \
      -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 </dev/null; then
      return 0
    fi
    echo "apt-get $1 failed (attempt $attempt of 3)"
  done
  cat "$log" >&2
  return 1
}

printf 'Installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
apt update || echo "The package lists could not be refreshed; going on with those at hand."
apt install -y --no-install-recommends "${missing[@]}" ||
  fail "apt-get could not install the packages above" "read apt's message above" \
    "apt-get install ${missing[*]}"
mapfile -t missing < <(missing_packages "${groups[@]}")
[[ ${#missing[@]} -eq 0 ]] || fail "still missing after the installation: ${missing[*]}"
echo "Packages installed in ${SECONDS} s."
