#!/usr/bin/env bash
# Formats every C++ file of the project, or with --check names those that are not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t files < <(find src agents agent_init bench tests workspace_helper \
  -type f \( -name '*.cpp' -o -name '*.hpp' \) | sort)
[[ ${#files[@]} -gt 0 ]] || exit 0
if [[ ${1:-} != --check ]]; then
  exec clang-format-16 -i "${files[@]}"
fi
said=$(printf '%s\0' "${files[@]}" | xargs -0 clang-format-16 --dry-run -Werror 2>&1) && exit 0
# Which files are not formatted is what counts; without any, something else is wrong.
unformatted=$(sed -n 's/^\([^:]*\):[0-9]*:.*code should be clang-formatted.*/  \1/p' <<<"$said" | sort -u)
if [[ -n $unformatted ]]; then
  printf 'not formatted; run make format:\n%s\n' "$unformatted"
else
  printf 'clang-format-16 failed:\n%s\n' "$said"
fi
exit 1
