#!/usr/bin/env bash
# From a fresh Debian 12 machine to a running relay: installs what is missing, builds a release, serves.
#   scripts/run.sh [OPTION...]      options go to "acp-relay serve"; default --config config.yaml
# Without --config, and unless config.yaml or the environment choose an agent themselves or have one that is a process,
# every session gets a container of the demo agent where a Docker Engine may be used, and a process elsewhere.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly image=acp-demo-agent:latest

# setting SECTION KEY: what is in force, from config.yaml and the environment.
setting() {
  awk -v section="$1:" -v key="  $2:" '
    /^[a-z]/ {inside = ($1 == section)}
    inside && index($0, key) == 1 {print substr($0, length(key) + 2)}' <<<"$in_force"
}

# Agents below agents that are processes; with containers enabled those that don't say so would be put into the image.
names_processes() {
  awk '/^[a-z]/ {inside = ($1 == "agents:")} inside && /^    isolation: process$/ {found = 1} END {exit !found}' \
    <<<"$in_force"
}

demo_image() { curl --silent --fail --unix-socket "$1" "http://engine/images/$image/json"; }

# prepare_image SOCKET: the demo image, made of the demo agent that is there now: docker/build.sh writes that into a
# label. 1 where there is none that has answered, and none can be made.
prepare_image() {
  local digest now there
  [[ ${ACP_RELAY_CONTAINER_IMAGE:-$image} == "$image" ]] || return 0  # another one is asked for
  digest=$(sha256sum <"${ACP_DEMO_AGENT:-$root/build/release/acp-demo-agent}")
  now="\"acp-demo-agent.sha256\":\"${digest%% *}\""
  [[ $(demo_image "$1") != *"$now"* ]] || return 0
  ! DOCKER_HOST=unix://$1 "$root/docker/build.sh" demo || return 0
  there=$(demo_image "$1") && [[ $there != *"$now"* ]] || return 1
  echo "The image $image could not be made anew (see above) and has an earlier demo agent."
}

# Says in one line what sessions are and prepares it.
choose_isolation() {
  local found workspaces=/var/lib/acp-relay/workspaces
  in_force=$("$root/build/release/acp-relay" check-config config.yaml 2>/dev/null) || return 0  # serve explains it
  [[ $(setting container enabled) == false && $(setting agent command) == '""' ]] || return 0
  ! names_processes || return 0
  if [[ -v ACP_RELAY_CONTAINER_ENABLED ]]; then
    echo "Sessions are processes: ACP_RELAY_CONTAINER_ENABLED says so."
  elif ! found=$("$root/scripts/engine.sh" probe); then
    echo "Sessions are processes of this user, not containers: $found."
  elif ! prepare_image "${found#DOCKER_HOST=unix://}"; then
    echo "Sessions are processes of this user, not containers: the image $image could not be built (see above)."
  else
    [[ $(id -u) -eq 0 ]] || workspaces=$root/workspaces
    export "${found?}" ACP_RELAY_CONTAINER_ENABLED=true
    export ACP_RELAY_CONTAINER_IMAGE=${ACP_RELAY_CONTAINER_IMAGE:-$image}
    export ACP_RELAY_CONTAINER_WORKSPACE_BASE_DIR=${ACP_RELAY_CONTAINER_WORKSPACE_BASE_DIR:-$workspaces}
    echo "Every session gets a container of $ACP_RELAY_CONTAINER_IMAGE (Engine: ${found#DOCKER_HOST=}, workspaces: $ACP_RELAY_CONTAINER_WORKSPACE_BASE_DIR)."
  fi
}

if looks_for_packages; then "$root/scripts/install.sh" build; fi
RELAY_BUILD_NEXT="the relay starts" "$root/scripts/build.sh" release

arguments=("$@")
given=no
for argument in "$@"; do
  case $argument in -c | --config | --config=*) given=yes ;; esac
done
if [[ $given == no ]]; then
  cd "$root"
  arguments=(--config config.yaml "$@")
  choose_isolation
fi
exec "$root/build/release/acp-relay" serve "${arguments[@]}"
