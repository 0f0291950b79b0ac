#!/usr/bin/env bash
# Installs what is missing, then proves a change; the fastest answers come first.
#   scripts/test.sh             before every push: lints, unit tests, end-to-end tests, on the release (minutes)
#   scripts/test.sh full        also GCC, ASan and UBSan, TSan, fuzz targets, Podman, agents of others, the Rust SDK,
#                               a short benchmark
#   scripts/test.sh steady [N]  the tests of the first N times (10) on a machine kept busy, to find unsteady ones
# Tests of containers use the Docker Engine of DOCKER_HOST or /var/run/docker.sock; where none answers, a
# private one runs for as long as this does. They are never left out: without an Engine they fail.
# A test that fails is run once more, alone: if it passes then, the last lines name it as unsteady.
# Ends with "N passed, N failed". Reports are in build/results.
# shellcheck disable=SC2317  # the functions are called through step and needed
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

scope=${1:-first}
rounds=${2:-10}
case $scope in
  first | full) [[ $# -le 1 ]] || fail "$scope takes no further argument" "scripts/test.sh $scope" ;;
  steady) [[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "\"$rounds\" is no number of rounds" "scripts/test.sh steady 10" ;;
  *) fail "unknown option \"$1\"" "scripts/test.sh" "scripts/test.sh full" "scripts/test.sh steady 10" ;;
esac
[[ $(id -u) -eq 0 ]] || fail \
  "the end-to-end tests mount, change owners and start an Engine: they need root" \
  "sudo scripts/test.sh${*:+ $*}" "make unit, which needs none"

readonly python=/usr/bin/python3
results=$root/build/results
readonly fuzz_seconds=${FUZZ_SECONDS:-20}
# Sessions that are watched while everything is cut, sessions whose relay is killed, and MiB that one turn says
# (docs/reliability.md).
[[ $scope == full ]] && watched=80 kills=50 written=2048 || watched=24 kills=15 written=256
export ACP_RELIABILITY_ROUNDS=${ACP_RELIABILITY_ROUNDS:-$watched} ACP_RELIABILITY_KILLS=${ACP_RELIABILITY_KILLS:-$kills} \
  ACP_RELIABILITY_MIB=${ACP_RELIABILITY_MIB:-$written}
jobs=$(nproc)
failed=()
shown=()  # options for the closing lines

export LC_ALL=C.UTF-8  # tests read what programs say
export RELAY_BUILD_QUIET=yes
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=second_deadlock_stack=1:history_size=4
if [[ -x /usr/bin/llvm-symbolizer-16 ]]; then
  export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-16
  TSAN_OPTIONS+=:external_symbolizer_path=/usr/bin/llvm-symbolizer-16
fi

# step TITLE COMMAND...: runs it under a heading, with its time; a failure is remembered.
step() {
  local title=$1 started=$SECONDS
  shift
  printf '\n=== %s\n' "$title"
  if "$@"; then
    printf -- '--- %s: ok, %d s (%d s in all)\n' "$title" $((SECONDS - started)) $SECONDS
  else
    printf -- '--- %s: FAILED, %d s (%d s in all)\n' "$title" $((SECONDS - started)) $SECONDS
    failed+=("$title")
    return 1
  fi
}

# needed TITLE COMMAND...: a step without which the rest says nothing.
needed() {
  step "$@" || finish
}

finish() {
  local name
  printf '\n'
  if [[ ${#failed[@]} -gt 0 ]]; then
    echo "Failed steps:"
    for name in "${failed[@]}"; do echo "  $name"; done
  fi
  "$python" tools/count_results.py "$results" --failed-steps "${#failed[@]}" "${shown[@]}" && exit 0
  exit 1
}

# lint NAME COMMAND...: one check, counted like a test.
lint() {
  local name=$1 code=0
  shift
  "$@" || code=$?
  if [[ $code -eq 0 ]]; then
    echo "ok    $name"
    echo "pass" >"$results/lint-$name.txt"
  else
    echo "FAIL  $name"
    echo "fail" >"$results/lint-$name.txt"
    return 1
  fi
}

lints() {
  local bad=0
  lint layers "$python" tools/check_layers.py || bad=1
  lint includes "$python" tools/check_includes.py || bad=1
  lint coroutines "$python" tools/lint_coroutines.py || bad=1
  lint text "$python" tools/check_text.py || bad=1
  lint format tools/format.sh --check || bad=1
  lint shell tools/check_shell.sh || bad=1
  return "$bad"
}

# failed_in REPORT [OPTION]: the names of failed tests that are worth another run, for tools/count_results.py to
# tell the unsteady ones; none when there are too many for an accident, or when the question is how steady they are.
readonly most_repeated=20
failed_in() {
  local names
  names=$("$python" tools/count_results.py --failed-in "$1") || return 1
  [[ $scope != steady && $(wc -l <<<"$names") -le $most_repeated ]] || return 1
  echo "Once more, alone:" >&2
  printf '  %s\n' "$names" >&2
  "$python" tools/count_results.py --failed-in "$@"
}

# pytest REPORT ARGUMENT...: where a test hangs is printed after a quarter of an hour. Only a run of all that was
# collected ends with 1 and has tests that are worth another one.
pytest() {
  local report=$results/$1.xml names again code=0
  local command=("$python" -m pytest -q -p no:cacheprovider -p tools.whole_run -o faulthandler_timeout=900)
  shift
  PYTHONDONTWRITEBYTECODE=1 "${command[@]}" --junitxml="$report" "$@" </dev/null || code=$?
  [[ $code -eq 1 ]] || return "$code"
  names=$(failed_in "$report") || return 1
  mapfile -t again <<<"$names"
  PYTHONDONTWRITEBYTECODE=1 "${command[@]}" --junitxml="${report%.xml}.again.xml" "${again[@]}" </dev/null
}

ctest_of() {
  local preset=$1 name=$2
  shift 2
  "$@" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --quiet "${chosen[@]}" \
    --output-log "$results/$name.log" --output-junit "$results/$name.xml" </dev/null || {
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start +[0-9]+:' "$results/$name.log" | tail -n 400
    return 1
  }
  tail -n 3 "$results/$name.log"
}

# unit_tests PRESET [COMMAND...]
unit_tests() {
  local preset=$1 name=unit-$1 failed_tests chosen=(-j "$((2 * jobs))" ${unit_without:+-E "$unit_without"})
  shift
  ctest_of "$preset" "$name" "$@" && return
  failed_tests=$(failed_in "$results/$name.xml" --as-pattern) || return 1
  chosen=(-j 1 -R "$failed_tests")
  ctest_of "$preset" "$name.again" "$@"
}

# end_to_end_tests PRESET TIMES_SLOWER [LEFT_OUT...]: many at a time, for most of their time they wait; not more than
# have ports of their own beside another run (tests/e2e/harness/ports.py).
readonly most_workers=16
end_to_end_tests() {
  local preset=$1 slower=$2 left_out=() workers=$((2 * jobs < most_workers ? 2 * jobs : most_workers))
  shift 2
  [[ $# -eq 0 ]] || left_out=("${@/#/--deselect=tests/e2e/}")
  [[ -n $(find tests/e2e -maxdepth 1 -name 'test_*.py' -print -quit) ]] || {
    echo "tests/e2e holds no test"
    return 1
  }
  export ACP_TEST_TIME_SCALE=$slower ACP_RELAY_BIN=$root/build/$preset/acp-relay \
    ACP_DEMO_AGENT=$root/build/$preset/acp-demo-agent
  pytest "e2e-$preset" -n "$workers" --dist loadgroup "${left_out[@]}" tests/e2e
}

# The path of a socket has to be short, so this is not below build/.
engine_directory=$(mktemp -d /tmp/acp-engine.XXXXXX)
podman_directory=$(mktemp -d /tmp/acp-podman.XXXXXX)
stop_engine() {
  scripts/engine.sh stop "$1" || true
  rmdir "$1" 2>/dev/null || true
}
stop_engines() {
  stop_engine "$podman_directory"
  stop_engine "$engine_directory"
}

docker_engine() {
  local address
  address=$(scripts/engine.sh ensure "$engine_directory") || return 1
  export "${address?}"
  echo "$address"
}

# The same tests as with Docker, on Debian's Podman with runc.
podman_tests() {
  local address code=0
  address=$(scripts/engine.sh start-podman "$podman_directory") || return 1
  echo "$address"
  DOCKER_HOST=${address#DOCKER_HOST=} ACP_RELAY_BIN=$root/build/release/acp-relay \
    ACP_DEMO_AGENT=$root/build/release/acp-demo-agent \
    pytest e2e-podman tests/e2e/test_container_lifecycle.py tests/e2e/test_egress.py -k "not relay_is_back" || code=$?
  stop_engine "$podman_directory"
  return "$code"
}

# Agents of others in containers without a network; what they download is large.
agent_tests() {
  scripts/install.sh agents || return 1
  ACP_RELAY_BIN=$root/build/release/acp-relay ACP_DEMO_AGENT=$root/build/release/acp-demo-agent \
    pytest agents tests/agents
}

# The official Rust SDK's client; it is built where there is a cargo.
rust_client_tests() {
  cargo build --quiet --locked --manifest-path tests/clients/rust/Cargo.toml --target-dir build/rust </dev/null || return 1
  ACP_RELAY_BIN=$root/build/release/acp-relay ACP_DEMO_AGENT=$root/build/release/acp-demo-agent \
    pytest rust-client tests/clients/rust
}

# Keeps the machine busy: two loops a core, and a writer to the disk.
busy=()
keep_busy() {
  local i
  for ((i = 0; i < 2 * jobs; i++)); do
    bash -c 'while :; do :; done' &
    busy+=($!)
  done
  (
    while :; do
      dd if=/dev/zero of="$root/build/busy" bs=1M count=256 conv=fsync 2>/dev/null
    done
  ) &
  busy+=($!)
}
stop_being_busy() {
  local process
  for process in "${busy[@]}"; do
    kill -STOP "$process" 2>/dev/null || true  # or the writer would begin its next file
    pkill -KILL -P "$process" 2>/dev/null || true
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  busy=()
  rm -f "$root/build/busy"
}
trap 'stop_being_busy; stop_engines' EXIT

steady() {
  local round
  for ((round = 1; round <= rounds; round++)); do
    results=$root/build/results/round-$round
    mkdir -p "$results"
    keep_busy
    step "round $round of $rounds, unit tests" unit_tests release || true
    step "round $round of $rounds, end-to-end tests" end_to_end_tests release 2 || true
    stop_being_busy
  done
  results=$root/build/results
  shown=(--show)
}

rm -rf "$results"
mkdir -p "$results"

needed "packages" scripts/install.sh build test
step "lints" lints || true
step "tests of the lints" pytest tools tools/tests || true
step "Docker Engine" docker_engine || true
needed "build, release" scripts/build.sh release
needed "build, unit tests" scripts/build.sh tests
if [[ $scope == steady ]]; then
  steady
  finish
fi
step "unit tests, release" unit_tests release || true
step "end-to-end tests, release" end_to_end_tests release 1 || true
[[ $scope == full ]] || finish
step "containers on Podman" podman_tests || true
step "agents of others without a network" agent_tests || true
if command -v cargo >/dev/null; then
  step "client of the Rust SDK" rust_client_tests || true
else
  echo "There is no cargo here, so the client of the Rust SDK is left out."
fi

if step "build, benchmark" scripts/build.sh bench; then
  step "benchmark, a short run" lint benchmark "$python" bench/run.py --quick || true
  step "benchmark of /acp, a short run" lint benchmark-acp "$python" bench/acp_sdk.py --quick || true
  step "benchmark of upstreams, a short run" lint benchmark-egress "$python" bench/egress.py --quick || true
fi
if step "build, second compiler (gcc)" scripts/build.sh gcc; then
  step "unit tests, gcc" unit_tests gcc || true
fi
if step "build, ASan and UBSan" scripts/build.sh asan; then
  # The sanitizers themselves need a free descriptor to look at memory, so the tests that leave none run
  # with the other builds only; and their allocator asks the clock before a preloaded one is ready.
  unit_without='DescriptorsRanOut|NamesExhaustedDescriptors' step "unit tests, ASan and UBSan" unit_tests asan || true
  step "end-to-end tests, ASan and UBSan" end_to_end_tests asan 4 \
    test_limits.py::test_descriptor_exhaustion_pauses_accepting_and_passes \
    test_reliability_storage.py::test_a_clock_that_is_set_back_changes_nothing_but_times || true
  step "fuzz targets, $fuzz_seconds s each" tools/fuzz.sh build/asan "$fuzz_seconds" || true
fi
if step "build, TSan" scripts/build.sh tsan; then
  # Without a fixed address layout some kernels map memory where TSan keeps its own.
  step "unit tests, TSan" unit_tests tsan setarch -R || true
fi
finish
