#!/usr/bin/env bash
# A Docker Engine for tests and trials: finds one that answers, or runs a private one.
#   scripts/engine.sh start DIR     a private dockerd, everything of it below DIR; prints DOCKER_HOST=...
#   scripts/engine.sh stop DIR      ends it and removes what it made; nothing to do is fine
#   scripts/engine.sh ensure [DIR]  prints the DOCKER_HOST of an Engine that answers, else starts one in DIR
#   scripts/engine.sh probe         prints the DOCKER_HOST of an Engine that answers, else why there is none
# Further arguments of start go to dockerd. The private one has a network namespace of its own (containers
# reach nothing outside) unless ENGINE_NETWORK=host is set, for builds that download. It needs root; it
# shares the machine's control groups, which are mounted when nothing is, and stay.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly default_directory=/tmp/acp-relay-engine
readonly marker=.acp-relay-engine
readonly ready_seconds=60 stop_seconds=20

say() { printf '%s\n' "$*" >&2; }

usage() {
  sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# answers SOCKET: does an Engine answer there?
answers() {
  [[ $(curl --silent --max-time 5 --unix-socket "$1" http://engine/_ping 2>/dev/null) == OK ]]
}

# usable ADDRESS: the same for an address; otherwise says why not on stdout.
usable() {
  local socket=${1#unix://}
  if [[ $1 != unix:///* ]]; then
    echo "$1 is no unix:// address (workspaces are directories of the Engine's own machine)"
  elif [[ ! -S $socket ]]; then
    echo "there is no socket $socket"
  elif [[ ! -w $socket ]]; then
    echo "this user ($(id -un)) may not use $socket; its group is $(stat -c %G "$socket")"
  elif ! command -v curl >/dev/null; then
    echo "curl is missing, so $socket could not be asked"
  elif ! answers "$socket"; then
    echo "nothing answers at $socket"
  else
    return 0
  fi
  return 1
}

# probe: the address of an Engine that answers, or the reason why there is none, and 1.
probe() {
  local address=${DOCKER_HOST:-unix:///var/run/docker.sock} why
  if why=$(usable "$address"); then
    echo "DOCKER_HOST=$address"
  else
    echo "$why"
    return 1
  fi
}

process_of() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] && kill -0 "$pid" 2>/dev/null &&
    grep -qs "$2" "/proc/$pid/comm" && echo "$pid"
}

# wait_for SECONDS COMMAND...: until it succeeds; 1 when the time is over.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# The controllers of version 1, where a bare machine (no systemd) has mounted none of either version.
mount_control_groups() {
  local base=/sys/fs/cgroup controller
  [[ ! -e $base/cgroup.controllers && ! -d $base/memory ]] || return 0
  [[ -d $base ]] || fail "there is no $base: this kernel or container shows no control groups"
  mount -t tmpfs -o mode=755 cgroup "$base" || fail "control groups can't be mounted on $base" \
    "run this on a machine or in a container with CAP_SYS_ADMIN" "set DOCKER_HOST to an Engine that runs"
  for controller in $(awk '!/^#/ && $4 == 1 {print $1}' /proc/cgroups) systemd; do
    mkdir -p "$base/$controller"
    mount -t cgroup -o "$([[ $controller == systemd ]] && echo none,name=systemd || echo "$controller")" \
      cgroup "$base/$controller" 2>/dev/null || rmdir "$base/$controller"
  done
  [[ -d $base/memory ]] || fail "the memory controller of the control groups can't be mounted"
}

start() {
  local directory=$1 socket=$1/docker.sock group network
  shift
  [[ $directory == /* ]] || fail "\"$directory\" is not an absolute path"
  ((${#socket} < 108)) || fail "the path of the socket is too long for one: $socket" "choose a shorter DIR"
  [[ $(id -u) -eq 0 ]] || fail "a private Docker Engine needs root" "sudo scripts/engine.sh start $directory" \
    "set DOCKER_HOST to an Engine that you may use"
  command -v curl >/dev/null || "$root/scripts/install.sh" build >&2
  if ! command -v dockerd >/dev/null || ! command -v ip >/dev/null; then "$root/scripts/install.sh" engine >&2; fi

  mkdir -p "$directory"
  [[ -e $directory/$marker || -z $(ls -A "$directory") ]] ||
    fail "$directory holds files of somebody else" "choose an empty directory, or one that does not exist"
  chmod 755 "$directory"
  exec 9>"$directory/$marker"
  flock -w $((2 * ready_seconds)) 9 || fail "another start or stop of $directory does not end"
  if answers "$socket"; then
    echo "DOCKER_HOST=unix://$socket"
    return
  fi
  mount_control_groups
  # A daemon that was killed leaves a containerd that notices a moment later.
  end_process "$directory/pid" dockerd
  wait_for 5 gone "$directory/exec/containerd/containerd.pid" containerd ||
    end_process "$directory/exec/containerd/containerd.pid" containerd
  rm -f "$directory/pid" "$directory/exec/containerd/containerd.pid" "$socket"

  group=${SUDO_GID:-$(getent group docker >/dev/null && echo docker || echo root)}
  # Without a bridge and rules of its own the daemon leaves the machine's network alone.
  # shellcheck disable=SC2016  # the inner shell expands it
  network=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh)
  if [[ ${ENGINE_NETWORK:-own} == host ]]; then
    network=()
    set -- --bridge=none "$@"
  fi
  setsid "${network[@]}" dockerd --group "$group" \
    --data-root "$directory/root" --exec-root "$directory/exec" --pidfile "$directory/pid" \
    --host "unix://$socket" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --shutdown-timeout 5 "$@" </dev/null >"$directory/dockerd.log" 2>&1 9>&- &
  daemon=$!
  wait_for "$ready_seconds" ready_or_dead "$socket" || true
  if ! answers "$socket"; then
    tail -n 15 "$directory/dockerd.log" >&2
    kill -TERM "$daemon" 2>/dev/null || true
    fail "dockerd did not come up in $directory (the end of its log is above)" \
      "read $directory/dockerd.log" "set DOCKER_HOST to an Engine that runs"
  fi
  echo "DOCKER_HOST=unix://$socket"
}

ready_or_dead() { answers "$1" || ! kill -0 "$daemon" 2>/dev/null; }

gone() { [[ -z $(process_of "$1" "$2") ]]; }

# end_process PIDFILE NAME: SIGTERM, a deadline, SIGKILL.
end_process() {
  local pid
  pid=$(process_of "$1" "$2") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  wait_for "$stop_seconds" gone "$1" "$2" && return 0
  say "$2 ($pid) did not end in $stop_seconds s and is killed"
  kill -KILL "$pid" 2>/dev/null || true
  wait_for 5 gone "$1" "$2" || true
}

# The daemon waits ten seconds for each container that ignores SIGTERM; nobody needs their last words.
kill_containers() {
  local id
  for id in $(curl --silent --max-time 10 --unix-socket "$1" http://engine/containers/json |
    grep -o '"Id":"[0-9a-f]*"' | cut -d'"' -f4); do
    curl --silent --max-time 10 --output /dev/null --unix-socket "$1" -X POST "http://engine/containers/$id/kill" || true
  done
}

# What lives on when the daemon had to be killed: the processes that hold each container.
end_shims() {
  local process
  for process in /proc/[0-9]*; do
    if grep -qs '^containerd-shim' "$process/comm" &&
      tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -qF "$1/exec/"; then
      pkill -KILL -P "${process#/proc/}" || true
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
}

stop() {
  local directory=$1 target
  [[ $directory == /* ]] || fail "\"$directory\" is not an absolute path"
  [[ -e $directory/$marker ]] || return 0
  [[ $(id -u) -eq 0 ]] || fail "ending the Engine of $directory needs root" "sudo scripts/engine.sh stop $directory"
  exec 9>"$directory/$marker"
  flock -w $((2 * ready_seconds)) 9 || fail "another start or stop of $directory does not end"
  if answers "$directory/docker.sock"; then kill_containers "$directory/docker.sock"; fi
  end_process "$directory/pid" dockerd
  end_process "$directory/exec/containerd/containerd.pid" containerd
  end_shims "$directory"
  # Deepest first; mountinfo lists a mount before those inside it.
  while read -r target; do umount -l "$target" 2>/dev/null || true; done < <(
    awk -v prefix="$directory/" 'index($5, prefix) == 1 {print $5}' /proc/self/mountinfo | tac)
  rm -rf --one-file-system "$directory/root" "$directory/exec" "$directory/docker.sock" "$directory/pid" \
    "$directory/dockerd.log" "${directory:?}/$marker"
  rmdir "$directory" 2>/dev/null || say "$directory is kept: it holds files that are not the Engine's"
}

case ${1:-} in
  start)
    [[ $# -ge 2 ]] || usage
    start "${@:2}"
    ;;
  stop)
    [[ $# -eq 2 ]] || usage
    stop "$2"
    ;;
  ensure)
    [[ $# -le 2 ]] || usage
    if found=$(probe); then
      echo "$found"
    else
      [[ -z ${DOCKER_HOST:-} ]] || say "DOCKER_HOST is not used: $found"
      start "${2:-$default_directory}"
    fi
    ;;
  probe) probe ;;
  *) usage ;;
esac
