#!/usr/bin/env bash
# Sourced by run: an engine to test in, and the image that it runs. Uses the caller's say, fail,
# skip, have and within; what is made here, its clean_up removes.

: "${root:?}" "${scratch:?}" "${project:?}" "${image:?}" "${programs?}"    # set by the caller
# shellcheck source=tests/support/debian.sh
. "$root/tests/support/debian.sh"

base=debian:bookworm-slim
engine=                       # the process of our own engine, when there is one
bridge=                       # its network, when the firewall had to be told about it
build_options=(--build-arg http_proxy --build-arg https_proxy --build-arg no_proxy)
imported=                     # whether this run made the base image

# --- the engine --------------------------------------------------------------------------------

# An engine of another machine would publish its ports there.
engine_answers() {
  [[ ${DOCKER_HOST:-unix:} == unix:* ]] && docker version >/dev/null 2>&1
}

engine_answers_or_ended() { engine_answers || ! kill -0 "$engine" 2>/dev/null; }

install_engine() {
  have dockerd && have docker && have docker-compose && have debootstrap && have iptables && return
  "$root/deploy/install" stack >"$scratch/install.log" 2>&1 ||
    skip "docker.io is not installed: $(grep '^error:' "$scratch/install.log" | tail -n 1)"
}

# An engine with folders, a socket and control groups of its own, that touches nothing else of the
# machine: no default bridge, no rules in its firewall, and in the place of the machine's settings,
# plugins and containerd it sees empty folders. docker-proxy carries the published ports. What it
# mounts is seen by it alone. It ends with this script, and its containers with it, even where that
# is killed: they are a process namespace.
start_engine() {
  [[ $(id -u) == 0 ]] || skip "no Docker engine of this machine answers, and only root can start one"
  install_engine
  engine_answers && return
  export DOCKER_HOST=unix://$scratch/docker.sock
  # shellcheck disable=SC2016  # the inner shell expands it
  setpriv --pdeathsig KILL unshare --mount --pid --mount-proc --kill-child=TERM sh -ec '
      for hidden in /etc/docker /run/docker /run/containerd; do
        mkdir -p "$hidden"
        mount -t tmpfs tmpfs "$hidden"
      done
      exec "$@"' sh \
    dockerd --host "$DOCKER_HOST" --data-root "$scratch/data" --exec-root "$scratch/exec" \
    --pidfile "$scratch/pid" --bridge none --iptables=false --ip-forward=false --ip-masq=false \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$project" \
    >"$scratch/engine.log" 2>&1 &
  engine=$!
  build_options+=(--network host)
  within 60 engine_answers_or_ended || true
  engine_answers || skip "dockerd does not run here: $(tail -n 1 "$scratch/engine.log")"
}

stop_engine() {
  close_firewall
  pkill -TERM --parent "$engine"
  wait "$engine"
  find /sys/fs/cgroup -type d -path "*/$project*" -delete 2>/dev/null
  rmdir /run/docker /run/containerd 2>/dev/null    # the machine's own are not empty
}

# Most kernels show what passes a bridge to the firewall, and ours wrote no rule that lets it pass.
# To be called again for a new network.
open_firewall() {
  local rules
  close_firewall
  [[ -n $engine ]] && rules=$(iptables --list-rules FORWARD 2>/dev/null) || return 0
  [[ $rules != "-P FORWARD ACCEPT" ]] || return 0
  bridge=br-$(docker network inspect --format '{{.Id}}' "${project}_default" | cut -c1-12)
  iptables --insert FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
}

close_firewall() {
  [[ -z $bridge ]] || iptables --delete FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
  bridge=
}

# Out of an engine that was here before; one of our own goes with all that it holds.
remove_images() {
  [[ -z $up ]] || docker image rm --force "$image" "$image-build" "$image-runtime"
  [[ -z $imported ]] || docker image rm "$base"
} >/dev/null 2>&1

# --- the image ---------------------------------------------------------------------------------

# Debian's own archive makes the base image.
make_base() {
  docker image inspect "$base" >/dev/null 2>&1 && return
  if [[ $(id -u) != 0 ]] || ! have debootstrap; then
    docker pull --quiet "$base" || fail "$base is missing; only root can make it with debootstrap"
    return
  fi
  make_debian bookworm
  docker import "$debian" "$base" >/dev/null
  imported=yes
}

# docker_build TAG ARGUMENT...
docker_build() {
  docker build --tag "$@" >"$scratch/build.log" 2>&1 || fail "$(tail -n 20 "$scratch/build.log")"
}

# One stage of deploy/Dockerfile.
build_stage() {
  docker_build "$2" --target "$1" "${build_options[@]}" --file "$root/deploy/Dockerfile" "$root"
}

# The runtime stage of deploy/Dockerfile with the programs of this tree. The last stage's one line
# is said again here, because the stage before it would compile everything once more.
build_image() {
  say "building the image"
  mkdir "$scratch/bin"
  local program
  for program in millrace millrace-data millrace-training millrace-worker millrace-serving; do
    strip -o "$scratch/bin/$program" "$programs/$program"
  done
  build_stage runtime "$image-runtime"
  printf 'FROM %s\nCOPY . /usr/local/bin/\n' "$image-runtime" |
    docker_build "$image" --file - "$scratch/bin"
}

# The stage that compiles has a name, so that it can be removed.
build_full_image() {
  say "compiling the image"
  build_stage build "$image-build"
  build_stage millrace "$image"
}
