#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing when none is. The group test also brings the
# clients of tests/clients, which come through npm and pip; agents brings the agents of tests/agents (1.5 GB), and
# nothing else. On another release than Debian 12 it installs no packages of build and test, whose names are those of
# that one, unless RELAY_ANY_RELEASE=yes is set.
#   scripts/install.sh [build] [package] [test] [engine] [podman] [namespace] [agents]
#                                     groups of scripts/packages.txt; default: build test
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

groups=("$@")
[[ ${#groups[@]} -gt 0 ]] || groups=(build test)
for group in "${groups[@]}"; do
  [[ $group == agents || -n $(packages "$group") ]] ||
    fail "no package group \"$group\"" "scripts/install.sh build package test engine podman namespace agents"
done

readonly image='docker/build.sh relay, which compiles in a container (docs/deployment.md, "In a container")'
command -v dpkg-query >/dev/null ||
  fail "this machine has no dpkg; the packages of scripts/packages.txt are for Debian 12" \
    "install their equivalents by hand, then run scripts/build.sh" "$image"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# apt ARGUMENT...: quiet unless it fails; three attempts, because mirrors have bad moments.
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

# is_brought PACKAGE: has another package its program? Debian's would replace that one: docker-ce, containerd.io.
is_brought() {
  case $1 in
    docker.io) command -v dockerd ;;
    runc) command -v runc ;;
    *) return 1 ;;
  esac >/dev/null
}

# Debian's npm is a package of its own, with which a Node.js that brings one would be in conflict.
missing_of_groups() {
  local package wanted=()
  [[ -z $(packages "${groups[@]}") ]] || mapfile -t wanted < <(missing_packages "${groups[@]}")
  for package in "${wanted[@]}"; do is_brought "$package" || echo "$package"; done
  [[ ! " ${groups[*]} " =~ \ (test|agents)\  ]] || command -v npm >/dev/null || echo npm
}

# os_release NAME: what the file says of this machine.
os_release() {
  # shellcheck source=/dev/null
  (source /etc/os-release 2>/dev/null && echo "${!1:-unknown}")
}

names_are_of_this_release() {
  [[ ! " ${groups[*]} " =~ \ (build|test)\  || ${RELAY_ANY_RELEASE:-} == yes ||
    $(os_release VERSION_CODENAME) == bookworm ]]
}

install_packages() {
  mapfile -t missing < <(missing_of_groups)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  names_are_of_this_release ||
    fail "the packages of scripts/packages.txt are for Debian 12 (bookworm), and this is $(os_release PRETTY_NAME)" \
      "$image" "RELAY_ANY_RELEASE=yes scripts/install.sh ${groups[*]}, where packages have the same names"
  as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      fail "these packages are missing and neither root nor sudo is at hand: ${missing[*]}" \
        "as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  printf 'Installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
  apt update || echo "The package lists could not be refreshed; going on with those at hand."
  apt install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install the packages above" "read apt's message above" \
      "apt-get install ${missing[*]}"
  mapfile -t missing < <(missing_of_groups)
  [[ ${#missing[@]} -eq 0 ]] || fail "still missing after the installation: ${missing[*]}"
  echo "Packages installed in ${SECONDS} s."
}

# The Python SDK in a virtual environment of its own, likewise.
install_python_client() {
  local directory=$root/tests/clients/python stamp started=$SECONDS attempt
  stamp=$(sha256sum "$directory/requirements.txt" | cut -d' ' -f1)
  [[ $(cat "$directory/.venv/.installed" 2>/dev/null) != "$stamp" ]] || return 0
  for attempt in 1 2 3; do
    rm -rf "$directory/.venv"
    if { /usr/bin/python3 -m venv "$directory/.venv" &&
      "$directory/.venv/bin/pip" --disable-pip-version-check install --quiet --no-compile --no-deps \
        --requirement "$directory/requirements.txt"; } >"$log" 2>&1 </dev/null; then
      echo "$stamp" >"$directory/.venv/.installed"
      echo "Python client for the tests installed in $((SECONDS - started)) s."
      return 0
    fi
    echo "pip install failed in tests/clients/python (attempt $attempt of 3)"
  done
  cat "$log" >&2
  fail "pip could not install tests/clients/python/requirements.txt" "read its message above" \
    "python3 -m venv tests/clients/python/.venv"
}

# install_modules FOLDER WHAT NPM...: those of tests/FOLDER at the versions of its lock file by "npm NPM...", again
# only when that has changed.
install_modules() {
  local folder=tests/$1 what=$2 stamp started=$SECONDS attempt
  local directory=$root/$folder
  shift 2
  stamp=$(sha256sum "$directory/package-lock.json" | cut -d' ' -f1)
  [[ $(cat "$directory/node_modules/.installed" 2>/dev/null) != "$stamp" ]] || return 0
  for attempt in 1 2 3; do
    if (cd "$directory" && npm "$@" --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log" 2>&1 </dev/null; then
      echo "$stamp" >"$directory/node_modules/.installed"
      echo "$what installed in $((SECONDS - started)) s."
      return 0
    fi
    echo "npm $1 failed in $folder (attempt $attempt of 3)"
  done
  cat "$log" >&2
  fail "npm could not install $folder/package-lock.json" "read npm's message above" "cd $folder && npm $*"
}

install_packages
if [[ " ${groups[*]} " == *" test "* ]]; then
  install_modules clients "Clients for the tests" ci
  install_python_client
fi
# Not "ci": a lock file made where packages for other machines can't be had lacks those, and it insists on them.
if [[ " ${groups[*]} " == *" agents "* ]]; then install_modules agents "Agents for the tests" install --no-save; fi
