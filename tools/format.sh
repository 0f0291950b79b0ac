#!/usr/bin/env bash
# Formats every C++ file of the project, or with --check names those that are not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t files < <(find src agents agent_init bench tests -type f \( -name '*.cpp' -o -name '*.hpp' \) | sort)
[[ ${#files[@]} -gt 0 ]] || exit 0
if [[ ${1:-} != --check ]]; then
  exec clang-format-16 -i "${files[@]}"
fi
# xargs fails when a file is not formatted; which one is what counts.
unformatted=$({ printf '%s\0' "${files[@]}" |
  xargs -0 clang-format-16 --dry-run -Werror 2>&1 || true; } |
  sed -n 's/^\([^:]*\):[0-9]*:.*code should be clang-formatted.*/\1/p' | sort -u)
if [[ -n $unformatted ]]; then
  echo "not formatted; run make format:"
  while IFS= read -r file; do echo "  $file"; done <<<"$unformatted"
  exit 1
fi
