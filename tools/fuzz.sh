#!/usr/bin/env bash
# Runs every fuzz target of a build for some seconds: tools/fuzz.sh BUILD_DIRECTORY SECONDS
# New inputs go to BUILD_DIRECTORY/corpus, findings to BUILD_DIRECTORY/findings; the seeds in
# tests/fuzz/corpus are only read. Fails when a target has a finding or there is no target.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$1
seconds=$2

mapfile -t targets < <(find "$build" -maxdepth 1 -type f -name '*_fuzz' -perm -u+x | sort)
[[ ${#targets[@]} -gt 0 ]] || {
  echo "no fuzz target in $build; try: scripts/build.sh fuzz" >&2
  exit 1
}

mkdir -p "$build/findings"
bad=0
for target in "${targets[@]}"; do
  name=$(basename "$target" _fuzz)
  mkdir -p "$build/corpus/$name"
  seeds=()
  [[ ! -d $root/tests/fuzz/corpus/$name ]] || seeds=("$root/tests/fuzz/corpus/$name")
  dictionary=()
  [[ ! -f $root/tests/fuzz/$name.dict ]] || dictionary=("-dict=$root/tests/fuzz/$name.dict")
  log=$build/findings/$name.log
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "${dictionary[@]}" "$build/corpus/$name" "${seeds[@]}" \
    >"$log" 2>&1 </dev/null; then
    printf 'ok    %s: %s executions\n' "$name" "$(awk '/number_of_executed_units/ {print $2}' "$log")"
  else
    bad=1
    printf 'FAIL  %s\n' "$name"
    tail -n 60 "$log"
  fi
done
exit "$bad"
