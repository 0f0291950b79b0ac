#!/usr/bin/env bash
# Collects what an image of the relay has beside its base: the programs, stripped, the libraries that they load and the
# base has not, and the certificates of authorities, by which upstreams over TLS are known. As scanners of images want
# it, the package of each of these is told in /var/lib/dpkg/status.d.
#   docker/relay/collect.sh BUILD_DIRECTORY DIRECTORY     DIRECTORY becomes what lies at / of the image
# Runs where the programs were built, on Debian 12.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# Every Debian image has these, since apt needs them.
readonly in_base=' libc6 libgcc-s1 libstdc++6 '
# What update-ca-certificates writes, and where OpenSSL looks (openssl version -d). Debian's link is in the package
# openssl, which the image has not.
readonly authorities=/etc/ssl/certs/ca-certificates.crt authorities_of_openssl=/usr/lib/ssl/cert.pem

[[ $# -eq 2 && -d $1 ]] || fail "usage: docker/relay/collect.sh BUILD_DIRECTORY DIRECTORY"
build=$1 out=$2
[[ ! -e $out ]] || fail "$out is there already" "rm -r $out"
documents=$out/usr/share/doc
mkdir -p "$out/usr/bin" "$out/var/lib/dpkg/status.d" "$documents/acp-relay"
cp "$root/LICENSE" "$documents/acp-relay/copyright"

tell_package() {
  dpkg-query --status "$1" >"$out/var/lib/dpkg/status.d/$1"
  mkdir -p "$documents/$1"
  cp "/usr/share/doc/$1/copyright" "$documents/$1/"
}

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
  tell_package "$package"
}

add_authorities() {
  [[ -s $authorities ]] || fail "$authorities is missing or empty: without it the relay trusts no upstream over TLS" \
    "apt-get install ca-certificates" "update-ca-certificates"
  mkdir -p "$out$(dirname "$authorities")" "$out$(dirname "$authorities_of_openssl")"
  cp "$authorities" "$out$authorities"
  ln -s "$authorities" "$out$authorities_of_openssl"
  tell_package ca-certificates
}

for program in acp-relay acp-workspace-helper acp-agent-init; do
  strip -o "$out/usr/bin/$program" "$build/$program"
  chmod 755 "$out/usr/bin/$program"
  libraries=$(ldd "$build/$program" 2>&1) || [[ $libraries == *"not a dynamic executable"* ]]
  ! grep 'not found' <<<"$libraries" >&2 || fail "a library of $program is missing here"
  while read -r library; do add_library "$library"; done < <(awk '$2 == "=>" && $3 ~ /^\// {print $3}' <<<"$libraries")
done
add_authorities
