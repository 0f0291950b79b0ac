#!/usr/bin/env bash
# Builds an image that sessions run in, and checks that an agent in it answers; or the relay's own image.
#   docker/build.sh [claude|codex|gemini|opencode|qwen|demo|relay] [TAG] [OPTION...]
#                                     default: claude, tagged acp-agent:latest; codex: acp-agent-codex:latest
#   docker/build.sh TAG [OPTION...]   claude, with this tag
# claude (or agent), codex, ...: an ACP agent from npm (docker/agent), for agent.preset of that name; needs the
#        docker command and a registry. Options go to "docker build", for example --build-arg BUILD_TOOLS=yes;
#        see the top of its Dockerfile.
# demo:  the demo agent alone (docker/demo); needs no registry, and no docker command either.
# relay: the relay (Dockerfile.relay), compiled in the image, which takes minutes and a Debian mirror; with
#        --prebuilt of the programs in build/release, which takes neither. Says how much it adds to its base.
# demo and --prebuilt build first what has changed. ACP_DEMO_AGENT and ACP_RELAY_BIN name other programs.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
readonly answer_seconds=60
readonly initialize='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}'

usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

kind=agent
preset=claude
case ${1:-} in
  agent | demo | relay)
    kind=$1
    shift
    ;;
  claude | codex | gemini | opencode | qwen)
    preset=$1
    shift
    ;;
  -h | --help)
    usage
    exit
    ;;
esac
declare -A tags=([agent]=acp-agent:latest [demo]=acp-demo-agent:latest [relay]=acp-relay:latest)
tag=${tags[$kind]}
[[ $preset == claude ]] || tag=acp-agent-$preset:latest
if [[ $# -gt 0 && $1 != -* ]]; then
  tag=${1:-$tag}
  shift
fi
prebuilt=no
if [[ $kind == relay && ${1:-} == --prebuilt ]]; then
  prebuilt=yes
  shift
fi
options=("$@")
if [[ $kind == agent && $preset != claude ]]; then
  read -r _ package version command < <(grep "^$preset " "$root/docker/agent/packages")
  options=(--build-arg AGENT_PACKAGE="$package" --build-arg AGENT_VERSION="$version" \
    --build-arg AGENT_COMMAND="$command" "${options[@]}")
fi

with_command() { command -v docker >/dev/null; }

# api METHOD PATH [CURL OPTION...]: the Engine itself; the body of its answer, 1 when it refused.
api() {
  local method=$1 path=$2 answer
  shift 2
  answer=$(curl --silent --show-error --unix-socket "$socket" -X "$method" --write-out '\n%{http_code}' "$@" \
    "http://engine/v1.41$path") || return 1
  printf '%s\n' "${answer%$'\n'*}"
  [[ ${answer##*$'\n'} == [123]* ]]
}

# The Engine's own words about what it refused.
message() { grep -oE '"(message|error)":"([^"\\]|\\.)*"' <<<"$1" | tail -n 1 | cut -d: -f2- || true; }

# Such a build gains nothing from earlier steps, and to look for them costs the classic builder the
# whole build where another image goes away at that moment: "FROM scratch" looks at every image of the Engine.
takes_a_second() { [[ $kind == demo || $prebuilt == yes ]]; }

build_with_command() {
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  if takes_a_second; then options=(--no-cache "${options[@]}"); fi
  docker build --tag "$tag" --build-arg REVISION="$revision" "${options[@]}" "$work/context" >"$work/log" 2>&1 && return
  tail -n 30 "$work/log" >&2
  fail "docker build failed (the end of its output is above)" \
    "when a download failed: --network host, or a proxy's --build-arg HTTPS_PROXY=..."
}

# Arguments as the Engine wants them in an address: {"NAME":"VALUE",...}
build_arguments() {
  local text="%22REVISION%22%3A%22$revision%22"
  while [[ $# -gt 0 ]]; do
    [[ $1 == --build-arg && ${2:-} =~ ^[A-Za-z_]+=[A-Za-z0-9._:/-]*$ ]] ||
      fail "options of \"docker build\" need the docker command" "apt-get install docker.io"
    text+="%2C%22${2%%=*}%22%3A%22${2#*=}%22"
    shift 2
  done
  echo "%7B$text%7D"
}

build_with_api() {
  local answer arguments nocache=
  arguments=$(build_arguments "${options[@]}")
  if takes_a_second; then nocache='&nocache=1'; fi
  if ! answer=$(tar -C "$work/context" -c . |
    api POST "/build?t=$tag&rm=1&forcerm=1$nocache&buildargs=$arguments" \
      -H 'Content-Type: application/x-tar' --data-binary @-) || [[ $answer == *'"errorDetail"'* ]]; then
    fail "the Engine could not build the image: $(message "$answer")"
  fi
}

# image_size TAG: its bytes, with those of its base.
image_size() {
  if with_command; then
    docker image inspect --format '{{.Size}}' "$1"
  else
    api GET "/images/$1/json" | grep -oE '"Size":[0-9]+' | head -n 1 | cut -d: -f2
  fi
}

# run_with_*: one container that is told "initialize"; what it says goes to $work/out. Its input stays open,
# because some agents end at once when it ends.
run_with_command() {
  container=acp-build-check-$$
  mkfifo "$work/in"
  docker run -i --rm --network none --name "$container" "$tag" <"$work/in" >"$work/out" 2>"$work/err" &
  runner=$!
  exec 3>"$work/in"
  echo "$initialize" >&3
}

run_with_api() {
  local answer
  answer=$(api POST /containers/create -H 'Content-Type: application/json' --data-binary \
    "{\"Image\":\"$tag\",\"OpenStdin\":true,\"AttachStdin\":true,\"HostConfig\":{\"NetworkMode\":\"none\"}}") ||
    fail "the Engine could not create a container: $(message "$answer")"
  container=$(grep -oE '"Id":"[0-9a-f]+"' <<<"$answer" | cut -d'"' -f4)
  answer=$(api POST "/containers/$container/start") ||
    fail "the Engine could not start a container: $(message "$answer")"
  # The connection becomes the container's input and output, so the upload has neither chunks nor a length.
  # The Engine drops what comes in one piece with the head; the rest has to wait for its answer.
  mkfifo "$work/in"
  curl --silent --no-buffer --unix-socket "$socket" -X POST -T . -H 'Transfer-Encoding:' -H 'Expect:' \
    --dump-header "$work/head" "http://engine/v1.41/containers/$container/attach?stream=1&stdin=1&stdout=1&stderr=1" \
    <"$work/in" >"$work/out" 2>"$work/err" &
  runner=$!
  exec 3>"$work/in"
  until grep -qs '^HTTP/1.1 [12]' "$work/head"; do
    if ((SECONDS >= end)) || ! kill -0 "$runner" 2>/dev/null; then fail "the Engine did not attach to the container"; fi
    sleep 0.05
  done
  echo "$initialize" >&3
}

answered() { grep -qaE '"result" *:' "$work/out" 2>/dev/null; }

check_answer() {
  local end=$((SECONDS + answer_seconds))
  if with_command; then run_with_command; else run_with_api; fi
  until answered; do
    if ((SECONDS >= end)) || ! kill -0 "$runner" 2>/dev/null; then
      answered && break
      tail -c 2000 "$work/err" "$work/out" >&2
      fail "the agent in $tag did not answer \"initialize\" in $answer_seconds s (what it said is above)" \
        "docker run -i --rm $tag"
    fi
    sleep 0.05
  done
}

megabytes() { awk -v bytes="$1" 'BEGIN {printf "%.1f MB", bytes / 1e6}'; }

say_what_it_adds() {
  local base=debian:bookworm-slim option size base_size
  for option in "${options[@]}"; do
    [[ $option != *BASE_IMAGE=* ]] || base=${option#*BASE_IMAGE=}
  done
  size=$(image_size "$tag")
  if base_size=$(image_size "$base" 2>/dev/null); then
    printf '%s: %s, %s more than %s.\n' "$tag" "$(megabytes "$size")" \
      "$(megabytes $((size - base_size)))" "$base"
  else  # BuildKit builds on an image that it does not list
    printf '%s: %s.\n' "$tag" "$(megabytes "$size")"
  fi
}

# is_brought PROGRAM: is it there without having been built here?
is_brought() { [[ -x $1 && ! -e $root/build/release/build.ninja ]]; }

# What Dockerfile.relay copies: the tree without what was made in it, or the programs alone.
relay_context() {
  mkdir "$work/context"
  if [[ $prebuilt == no ]]; then
    tar -C "$root" --exclude-from="$root/.dockerignore" -c . | tar -C "$work/context" -x
    return
  fi
  local programs=${ACP_RELAY_BIN:-$root/build/release/acp-relay}
  [[ -n ${ACP_RELAY_BIN:-} ]] || is_brought "$programs" || "$root/scripts/build.sh" release
  cp "$root/Dockerfile.relay" "$work/context"
  mkdir "$work/context/scripts"
  cp "$root"/scripts/{install.sh,lib.sh,packages.txt} "$work/context/scripts"
  "$root/docker/relay/collect.sh" "$(dirname "$programs")" "$work/context/programs"
  options+=(--build-arg PROGRAMS=programs)
}

work=$(mktemp -d)
container='' runner=''
finish() {
  if [[ -n $container ]]; then
    if with_command; then
      docker rm -f "$container" >/dev/null 2>&1 || true
    else
      api DELETE "/containers/$container?force=1" >/dev/null || true
    fi
  fi
  if [[ -n $runner ]]; then
    kill "$runner" 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

socket=''
if ! with_command; then
  [[ $kind != agent ]] || fail "the agent image is built with the docker command, which is missing" \
    "apt-get install docker.io" "docker/build.sh demo, which needs none"
  address=$("$root/scripts/engine.sh" probe) || fail "no Docker Engine: $address" "scripts/engine.sh ensure"
  socket=${address#DOCKER_HOST=unix://}
fi

revision=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
if [[ $kind == relay ]]; then
  relay_context
  mv "$work/context/Dockerfile.relay" "$work/context/Dockerfile"
else
  cp -r "$root/docker/$kind" "$work/context"
fi
if [[ $kind == demo ]]; then
  demo_agent=${ACP_DEMO_AGENT:-$root/build/release/acp-demo-agent}
  [[ -n ${ACP_DEMO_AGENT:-} ]] || is_brought "$demo_agent" || "$root/scripts/build.sh" release acp-demo-agent
  cp "$demo_agent" "$work/context/acp-demo-agent"
  digest=$(sha256sum <"$work/context/acp-demo-agent")
  options=(--build-arg PROGRAM="${digest%% *}" "${options[@]}")
  mkdir "$work/context/empty"
fi

if with_command; then build_with_command; else build_with_api; fi
if [[ $kind == relay ]]; then
  say_what_it_adds
else
  check_answer
  printf '%s: %s, its agent answers.\n' "$tag" "$(megabytes "$(image_size "$tag")")"
fi
