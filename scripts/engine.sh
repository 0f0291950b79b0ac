#!/usr/bin/env bash
# A Docker Engine for tests and trials: finds one that answers, or runs a private one.
#   scripts/engine.sh start DIR         a private dockerd, everything of it below DIR; prints DOCKER_HOST=...
#   scripts/engine.sh start-podman DIR  the same with Podman's Docker-compatible service and runc
#   scripts/engine.sh stop DIR          ends it and removes what it made; nothing to do is fine
#   scripts/engine.sh ensure [DIR]      prints the DOCKER_HOST of an Engine that answers, else starts one in DIR
#   scripts/engine.sh probe             prints the DOCKER_HOST of an Engine that answers, else why there is none
# Further arguments of start go to dockerd. A private one has a network namespace of its own (containers
# reach nothing outside) unless ENGINE_NETWORK=host is set, for builds that download. It needs root; it
# shares the machine's control groups, which are mounted when nothing is, and stay.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly default_directory=/tmp/acp-relay-engine
readonly marker=.acp-relay-engine
readonly ready_seconds=180 answer_seconds=60 stop_seconds=20

say() { printf '%s\n' "$*" >&2; }

usage() {
  sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
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
    grep -qsE "$2" "/proc/$pid/comm" && echo "$pid"
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

# must_be_ours DIR: another user's could have links in it, and what root writes there would go where they lead.
must_be_ours() {
  local directory=${1%"${1##*[!/]}"} owner # with a slash behind it a link is what it leads to
  [[ ! -L $directory ]] || fail "$directory is a symbolic link" \
    "find out who made it" "give the directory's own path, or another one"
  [[ -d $directory ]] || fail "$directory is no directory, or could not be made" "choose another one"
  owner=$(stat -c %u "$directory")
  [[ $owner == $(id -u) ]] || fail "$directory belongs to $(stat -c %U "$directory"), not to $(id -un)" \
    "remove it if nobody needs it" "choose a directory that does not exist"
}

# claim DIR PROGRAM GROUP: makes DIR ours alone, with what PROGRAM needs installed. Returns 1, and prints the
# address, when an Engine of DIR answers already.
claim() {
  local directory=$1 program=$2 group=$3 socket=$1/docker.sock answered=
  [[ $directory == /* ]] || fail "\"$directory\" is not an absolute path"
  ((${#socket} < 108)) || fail "the path of the socket is too long for one: $socket" "choose a shorter DIR"
  [[ $(id -u) -eq 0 ]] || fail "a private Engine needs root" "sudo scripts/engine.sh start $directory" \
    "set DOCKER_HOST to an Engine that you may use"
  mkdir -p "$directory"
  must_be_ours "$directory"
  command -v curl >/dev/null || "$root/scripts/install.sh" build >&2 || exit 1
  command -v "$program" >/dev/null || "$root/scripts/install.sh" "$group" >&2 || exit 1
  [[ ${ENGINE_NETWORK:-own} == host ]] || command -v ip >/dev/null || "$root/scripts/install.sh" namespace >&2 || exit 1

  [[ -e $directory/$marker || -z $(ls -A "$directory") ]] ||
    fail "$directory holds files of somebody else" "choose an empty directory, or one that does not exist"
  chmod 755 "$directory"
  exec 9>"$directory/$marker"
  flock -w $((2 * ready_seconds)) 9 || fail "another start or stop of $directory does not end"
  if ! answers_or_gone "$directory" "$program"; then
    say "the Engine of $directory does not answer; it has $answer_seconds s before it is replaced"
    wait_for "$answer_seconds" answers_or_gone "$directory" "$program" || true
  fi
  if [[ $answered ]]; then
    echo "DOCKER_HOST=unix://$socket"
    return 1
  fi
  mount_control_groups
}

# own_network: a network namespace to run a command in, as an array; without a bridge and rules of its own
# an Engine leaves the machine's network alone.
# shellcheck disable=SC2016  # the inner shell expands it
readonly own_network=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh)

# started DIR LOG: waits for the Engine that runs as $daemon and prints its address.
started() {
  local directory=$1 log=$2
  wait_for "$ready_seconds" ready_or_dead "$directory/docker.sock" || true
  if ! answers "$directory/docker.sock"; then
    tail -n 15 "$log" >&2
    kill -TERM "$daemon" 2>/dev/null || true
    fail "the Engine did not come up in $directory (the end of its log is above)" \
      "read $log" "set DOCKER_HOST to an Engine that runs"
  fi
  echo "DOCKER_HOST=unix://$directory/docker.sock"
}

start() {
  local directory=$1 socket=$1/docker.sock group network
  shift
  claim "$directory" dockerd engine || return 0
  # A daemon that was killed leaves a containerd that notices a moment later.
  end_process "$directory/pid" dockerd
  wait_for 5 gone "$directory/exec/containerd/containerd.pid" containerd ||
    end_process "$directory/exec/containerd/containerd.pid" containerd
  rm -f "$directory/pid" "$directory/exec/containerd/containerd.pid" "$socket"

  group=${SUDO_GID:-$(getent group docker >/dev/null && echo docker || echo root)}
  network=("${own_network[@]}")
  if [[ ${ENGINE_NETWORK:-own} == host ]]; then
    network=()
    set -- --bridge=none "$@"
  fi
  setsid "${network[@]}" dockerd --group "$group" \
    --data-root "$directory/root" --exec-root "$directory/exec" --pidfile "$directory/pid" \
    --host "unix://$socket" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --shutdown-timeout 5 "$@" </dev/null >"$directory/dockerd.log" 2>&1 9>&- &
  daemon=$!
  started "$directory" "$directory/dockerd.log"
}

# Podman's own defaults reach for crun, systemd and resource limits that only some machines allow. Locks are
# files, or this service and another Podman of the machine would share theirs.
write_podman_settings() {
  local directory=$1
  cat >"$directory/containers.conf" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
[network]
network_config_dir = "$directory/networks"
END
  cat >"$directory/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$directory/root"
runroot = "$directory/exec"
END
}

start_podman() {
  local directory=$1 socket=$1/docker.sock
  [[ -x /usr/libexec/podman/catatonit ]] || "$root/scripts/install.sh" podman >&2
  claim "$directory" podman podman || return 0
  end_process "$directory/pid" podman
  rm -f "$directory/pid" "$socket"
  write_podman_settings "$directory"
  # conmon writes a file "oom" into the directory that it was started in.
  mkdir -p "$directory/tmp"
  cd "$directory/tmp"
  CONTAINERS_CONF=$directory/containers.conf CONTAINERS_STORAGE_CONF=$directory/storage.conf TMPDIR=$directory/tmp \
    setsid "${own_network[@]}" podman --root "$directory/root" --runroot "$directory/exec" \
    --tmpdir "$directory/tmp" system service --time 0 "unix://$socket" </dev/null >"$directory/podman.log" 2>&1 9>&- &
  daemon=$!
  echo "$daemon" >"$directory/pid"
  started "$directory" "$directory/podman.log"
}

ready_or_dead() { answers "$1" || ! kill -0 "$daemon" 2>/dev/null; }

# Says by $answered which it is. One that is busy, or still starts, may be slow to answer.
answers_or_gone() {
  if answers "$1/docker.sock"; then answered=yes; else gone "$1/pid" "$2"; fi
}

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

# engine_containers SOCKET [QUERY]: their ids.
engine_containers() {
  curl --silent --max-time 10 --unix-socket "$1" "http://engine/containers/json${2:-}" |
    grep -o '"Id":"[0-9a-f]*"' | cut -d'"' -f4
}

call() { curl --silent --max-time 10 --output /dev/null --unix-socket "$1" -X "$2" "http://engine$3" || true; }

# The daemon waits ten seconds for each container that ignores SIGTERM; nobody needs their last words.
kill_containers() {
  local id
  for id in $(engine_containers "$1"); do call "$1" POST "/containers/$id/kill"; done
}

# Podman has no daemon that would unmount them as it ends.
remove_containers() {
  local id
  for id in $(engine_containers "$1" "?all=1"); do call "$1" DELETE "/containers/$id?force=1&v=1"; done
}

# What lives on when the daemon had to be killed: the processes that hold each container.
end_shims() {
  local process
  for process in /proc/[0-9]*; do
    if grep -qsE '^(containerd-shim|conmon)' "$process/comm" &&
      tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -qF "$1/exec/"; then
      pkill -KILL -P "${process#/proc/}" || true
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
}

# The control groups of Podman's containers have one parent, which another Podman of the machine may be using.
remove_podman_groups() {
  local parent
  for parent in /sys/fs/cgroup/libpod_parent /sys/fs/cgroup/*/libpod_parent; do
    [[ ! -d $parent ]] || find "$parent" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

stop() {
  local directory=$1 target
  [[ $directory == /* ]] || fail "\"$directory\" is not an absolute path"
  [[ -e $directory/$marker ]] || return 0
  [[ $(id -u) -eq 0 ]] || fail "ending the Engine of $directory needs root" "sudo scripts/engine.sh stop $directory"
  must_be_ours "$directory"
  exec 9>"$directory/$marker"
  flock -w $((2 * ready_seconds)) 9 || fail "another start or stop of $directory does not end"
  if answers "$directory/docker.sock"; then
    kill_containers "$directory/docker.sock"
    [[ ! -e $directory/containers.conf ]] || remove_containers "$directory/docker.sock"
  fi
  end_process "$directory/pid" "dockerd|podman"
  end_process "$directory/exec/containerd/containerd.pid" containerd
  end_shims "$directory"
  [[ ! -e $directory/containers.conf ]] || remove_podman_groups
  # Deepest first; mountinfo lists a mount before those inside it.
  while read -r target; do umount -l "$target" 2>/dev/null || true; done < <(
    awk -v prefix="$directory/" 'index($5, prefix) == 1 {print $5}' /proc/self/mountinfo | tac)
  rm -rf --one-file-system "$directory/root" "$directory/exec" "$directory/docker.sock" "$directory/pid" \
    "$directory/dockerd.log" "$directory/podman.log" "$directory/tmp" "$directory/networks" \
    "$directory/containers.conf" "$directory/storage.conf" "${directory:?}/$marker"
  rmdir "$directory" 2>/dev/null || say "$directory is kept: it holds files that are not the Engine's"
}

case ${1:-} in
  start)
    [[ $# -ge 2 ]] || usage
    start "${@:2}"
    ;;
  start-podman)
    [[ $# -eq 2 ]] || usage
    start_podman "$2"
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
