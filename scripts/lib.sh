# Shared by the scripts of this folder; sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this file
readonly root

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for remedy in "$@"; do printf '  try: %s\n' "$remedy" >&2; done
  exit 1
}

# packages GROUP...: the packages of these groups.
packages() {
  local group
  for group in "$@"; do
    awk -v group="$group" '$1 == group {print $2}' "$root/scripts/packages.txt"
  done
}

# Elsewhere the equivalents of the packages are for the administrator to install.
looks_for_packages() { command -v dpkg-query >/dev/null && [[ ${RELAY_ANY_RELEASE:-} != yes ]]; }

# missing_packages GROUP...: those of them that dpkg does not report as installed.
missing_packages() {
  local wanted
  wanted=$(packages "$@" | sort -u)
  # shellcheck disable=SC2086  # one argument a package is what is meant
  { dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true; } |
    awk '$1 == "installed" {print $2}' | sort -u | comm -13 - <(printf '%s\n' "$wanted")
}
