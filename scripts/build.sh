#!/usr/bin/env bash
# Builds one configuration; compiles what has changed and says nothing when nothing has.
#   scripts/build.sh [release|tests|bench|debug|asan|tsan|gcc|fuzz|coverage] [TARGET...]
# The programs are acp-relay, acp-demo-agent, acp-workspace-helper and acp-agent-init in build/<configuration>.
# release (the default) needs the packages of the group "build" only, and so does bench, which adds the
# benchmark's programs to the release; tests adds the unit tests to it; the others hold the tests.
# All but debug compile a folder's files as one (cmake/JoinedSources.cmake).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

preset=${1:-release}
shift || true
settings=()
case $preset in
  release) groups=(build) ;;
  bench)
    groups=(build)
    preset=release
    set -- acp-relay acp-demo-agent acp-workspace-helper acp-agent-init echo_agent pipe_forwarder load_client engine_floor \
      model_server tls_forwarder stream_client "$@"
    ;;
  tests)
    groups=(build test)
    preset=release
    settings=(-DBUILD_TESTING=ON)
    set -- unit_tests "$@"
    ;;
  debug | asan | tsan | gcc | fuzz | coverage) groups=(build test) ;;
  -h | --help)
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *) fail "unknown configuration \"$preset\"" "scripts/build.sh release|tests|bench|debug|asan|tsan|gcc|fuzz|coverage" ;;
esac

if looks_for_packages; then
  mapfile -t missing < <(missing_packages "${groups[@]}")
  [[ ${#missing[@]} -eq 0 ]] || fail "missing packages: ${missing[*]}" "scripts/install.sh ${groups[*]}"
fi

# What another checkout of the same files has compiled is found in the cache. Not so for a debugger and gcov, which
# would look for the sources over there.
case $preset in
  debug | coverage) ;;
  *) export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_ABSSTDERR=1 ;;
esac

directory=build/$preset
configured() {
  [[ -f $directory/build.ninja && ! CMakePresets.json -nt $directory/build.ninja ]] &&
    { [[ ${#settings[@]} -eq 0 ]] || grep -q '^BUILD_TESTING:[A-Z]*=ON$' "$directory/CMakeCache.txt"; }
}
if ! configured; then
  echo "Configuring $directory"
  mkdir -p "$directory"
  if ! cmake --preset "$preset" "${settings[@]}" >"$directory/configure.log" 2>&1; then
    cat "$directory/configure.log" >&2
    fail "CMake could not configure $directory (its output is above)" "rm -r $directory, then again"
  fi
fi

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  case $preset in
    release) targets=(acp-relay acp-demo-agent acp-workspace-helper acp-agent-init) ;;
    fuzz) targets=(fuzz_targets) ;;
  esac
fi

# One line that says how far it is; whatever else the compiler or ninja says comes whole. Nothing to do is silent.
show_progress() {
  local line started=$SECONDS shown=-1 built all text
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      built=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
      # [0/1]: ninja looks whether there is anything to build.
      [[ $((SECONDS - started)) -ge $((shown + step)) && $built -gt 0 && $built -lt $all ]] || continue
      shown=$((SECONDS - started))
      printf -v text '[%3d/%d] building %s' "$built" "$all" "$directory"
      [[ $shown -lt 5 ]] || text+=", about $((shown * (all - built) / built)) s left"
      printf '%s%s%s' "$before" "$text${RELAY_BUILD_NEXT:+, then $RELAY_BUILD_NEXT}" "$after"
    elif [[ ! $line =~ ^(ninja: (no work to do|Entering directory)|.*Re-checking globbed directories) ]]; then
      printf '%s\n' "$line"
    fi
  done
  [[ $shown -lt 5 ]] || printf '%s%s built in %d s\n' "$before" "$directory" $((SECONDS - started))
}
if [[ -t 1 ]]; then
  step=1 before=$'\r\e[K' after=
else
  step=10 before='' after=$'\n'
fi

# scripts/test.sh wants to hear of failures only.
if [[ ${RELAY_BUILD_QUIET:-} == yes ]]; then
  ninja --quiet -C "$directory" "${targets[@]}"
else
  ninja -C "$directory" "${targets[@]}" 2>&1 | show_progress
fi
