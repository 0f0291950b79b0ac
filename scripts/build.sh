#!/usr/bin/env bash
# Builds one configuration; compiles what has changed and says nothing when nothing has.
#   scripts/build.sh [release|bench|debug|asan|tsan|gcc|fuzz|coverage] [TARGET...]
# The programs are acp-relay, acp-demo-agent and acp-workspace-helper in build/<configuration>.
# release (the default) needs the packages of the group "build" only, and so does bench, which adds the
# benchmark's programs to the release; the others hold the tests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

preset=${1:-release}
shift || true
case $preset in
  release) groups=(build) ;;
  bench)
    groups=(build)
    preset=release
    set -- acp-relay acp-demo-agent acp-workspace-helper echo_agent pipe_forwarder load_client engine_floor "$@"
    ;;
  debug | asan | tsan | gcc | fuzz | coverage) groups=(build test) ;;
  -h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *) fail "unknown configuration \"$preset\"" "scripts/build.sh release|bench|debug|asan|tsan|gcc|fuzz|coverage" ;;
esac

if command -v dpkg-query >/dev/null; then
  mapfile -t missing < <(missing_packages "${groups[@]}")
  [[ ${#missing[@]} -eq 0 ]] || fail "missing packages: ${missing[*]}" "scripts/install.sh ${groups[*]}"
fi

directory=build/$preset
if [[ ! -f $directory/build.ninja || CMakePresets.json -nt $directory/build.ninja ]]; then
  echo "Configuring $directory"
  mkdir -p "$directory"
  if ! cmake --preset "$preset" >"$directory/configure.log" 2>&1; then
    cat "$directory/configure.log" >&2
    fail "CMake could not configure $directory (its output is above)" "rm -r $directory, then again"
  fi
fi

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  case $preset in
    release) targets=(acp-relay acp-demo-agent acp-workspace-helper) ;;
    fuzz) targets=(fuzz_targets) ;;
  esac
fi

# On a terminal ninja rewrites one line; elsewhere its "nothing to do" is noise. scripts/test.sh wants
# to hear of failures only.
if [[ ${RELAY_BUILD_QUIET:-} == yes ]]; then
  ninja --quiet -C "$directory" "${targets[@]}"
elif [[ -t 1 ]]; then
  ninja -C "$directory" "${targets[@]}"
else
  ninja -C "$directory" "${targets[@]}" 2>&1 |
    { grep --line-buffered -Ev '^ninja: (no work to do|Entering directory)|Re-checking globbed directories' || true; }
fi
