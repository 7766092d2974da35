#!/usr/bin/env bash
# Sourced by tests that run in a Debian of their own: its smallest root, packed, made from the archive
# that this machine's apt uses. Uses the caller's say and fail, and its folder scratch.

: "${scratch:?}"    # set by the caller
debian=             # the archive that make_debian has made or found

# The archive of this machine's apt, if it needs no certificates: the smallest root has none.
mirror() {
  # shellcheck disable=SC2016  # apt-get expands it
  { apt-get indextargets --format '$(REPO_URI)' 'Component: main' || true; } 2>/dev/null |
    awk '/^http:/ && !/security/ && !found++'
}

# make_debian RELEASE: sets debian. The packed root is kept for the next time in the user's cache,
# where there is one. Needs root.
make_debian() {
  local made from
  debian=${XDG_CACHE_HOME:-${HOME:-$scratch}/.cache}/millrace/$1-minbase.tar
  mkdir -p "$(dirname "$debian")" 2>/dev/null || debian=$scratch/$1-minbase.tar
  [[ ! -s $debian ]] || return 0
  made=$scratch/$1-minbase
  from=$(mirror)
  say "making Debian's $1"
  debootstrap --variant=minbase "$1" "$made" ${from:+"$from"} >"$scratch/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 1 "$scratch/debootstrap.log")"
  rm -rf "$made"/var/cache/apt/archives/*.deb
  tar -C "$made" -cf "$debian.$$" .
  mv "$debian.$$" "$debian"
  rm -rf "$made"
}
