#!/usr/bin/env bash
# Collects what an image of the relay has beside its base: the programs, stripped, and the libraries that they load
# and the base has not. As scanners of images want it, each library's package is told in /var/lib/dpkg/status.d.
#   docker/relay/collect.sh BUILD_DIRECTORY DIRECTORY     DIRECTORY becomes what lies at / of the image
# Runs where the programs were built, on Debian 12.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# Every Debian image has these, since apt needs them.
readonly in_base=' libc6 libgcc-s1 libstdc++6 '

[[ $# -eq 2 && -d $1 ]] || fail "usage: docker/relay/collect.sh BUILD_DIRECTORY DIRECTORY"
build=$1 out=$2
[[ ! -e $out ]] || fail "$out is there already" "rm -r $out"
documents=$out/usr/share/doc
mkdir -p "$out/usr/bin" "$out/var/lib/dpkg/status.d" "$documents/acp-relay"
cp "$root/LICENSE" "$documents/acp-relay/copyright"

add_library() {
  local loaded=$1 file package
  file=$(realpath "$loaded")
  # Packages name their files as they were before /lib became a link to /usr/lib.
  package=$({ dpkg-query --search "$file" "${file#/usr}" 2>/dev/null || true; } | head -n 1 | cut -d: -f1)
  [[ -n $package ]] || fail "$loaded belongs to no Debian package" "build with the libraries of Debian 12"
  [[ $in_base != *" $package "* ]] || return 0
  mkdir -p "$out$(dirname "$file")"
  cp "$file" "$out$file"
  [[ $(basename "$loaded") == "$(basename "$file")" ]] ||
    ln -sf "$(basename "$file")" "$out$(dirname "$file")/$(basename "$loaded")"
  dpkg-query --status "$package" >"$out/var/lib/dpkg/status.d/$package"
  mkdir -p "$documents/$package"
  cp "/usr/share/doc/$package/copyright" "$documents/$package/"
}

for program in acp-relay acp-workspace-helper acp-agent-init; do
  strip -o "$out/usr/bin/$program" "$build/$program"
  chmod 755 "$out/usr/bin/$program"
  libraries=$(ldd "$build/$program" 2>&1) || [[ $libraries == *"not a dynamic executable"* ]]
  ! grep 'not found' <<<"$libraries" >&2 || fail "a library of $program is missing here"
  while read -r library; do add_library "$library"; done < <(awk '$2 == "=>" && $3 ~ /^\// {print $3}' <<<"$libraries")
done
