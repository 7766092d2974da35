#!/usr/bin/env bash
# Sourced by tests that run in a Debian of their own: its smallest root, packed, made from the archive
# that this machine's apt uses. Uses the caller's say and fail, and its folder scratch.

: "${scratch:?}"    # set by the caller
debian=             # the archive that make_debian has made or found
system=$scratch/system
isolation=()        # flags of unshare for inside, beside those that it always has
kept=               # a folder of this machine that inside has as root's .cache, when there is one

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

# unpack_debian RELEASE: into the folder system, for inside.
unpack_debian() {
  make_debian "$1"
  mkdir -p "$system/root/.cache"
  tar -C "$system" -xf "$debian"
  cp /etc/resolv.conf "$system/etc/resolv.conf"
}

# inside COMMAND...: in the folder system, as root, without this machine's variables. All that it starts
# ends with it, and what it mounts is seen by it alone.
inside() {
  # shellcheck disable=SC2016  # the inner shells expand it
  unshare --mount --pid --fork --kill-child "${isolation[@]}" \
    sh -ec '[ -z "$1" ] || mount --bind "$1" "$2/root/.cache"; shift; exec chroot "$@"' sh \
    "$kept" "$system" \
    env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
    sh -ec 'mount -t proc proc /proc
            mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
            mount -t tmpfs tmpfs /dev/shm
            exec "$@"' sh "$@"
}
