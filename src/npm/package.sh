#!/usr/bin/env bash
# Makes the npm package build/npm/tsfn-guard-VERSION.tgz, and checks its contents.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: src/npm/package.sh [--only x64|arm64]

Builds the library and the command for Linux x64 and arm64, or for one of them, and packs them; the path of the package
is the last line. On an x64 machine arm64 is cross-built, which needs Debian's gcc-aarch64-linux-gnu.

TSFN_GUARD_REPOSITORY, an https address, is where the sources are published: homepage, repository and bugs in the
package are derived from it. Without it they are left out, and the package must not be published.
END
}

HERE=$BUILD/npm
FLOOR=GLIBC_2.28
BINARIES=(libtsfnguard.so register.node tsfn-guard doctor_probe.node)
machines=(x64 arm64)

case ${1:-} in
  '') ;;
  --only)
    [[ ${2:-} == x64 || ${2:-} == arm64 ]] || die "x64 or arm64 after --only" "${2:-nothing}" "correct it" 2
    machines=("$2")
    ;;
  -h | --help) usage && exit ;;
  *) die "what src/npm/package.sh --help lists" "$1" "correct it" 2 ;;
esac

home=${TSFN_GUARD_REPOSITORY:-}
home=${home%.git}
[[ -z $home || $home == https://?*/?* ]] || die "an https address in TSFN_GUARD_REPOSITORY" "$home" "correct it" 2

[[ $(uname -m) == x86_64 ]] && own=x64 || own=arm64

# tool MACHINE NAME: the name of a binutils program for the machine.
tool() {
  if [[ $1 == "$own" ]]; then echo "$2"; else echo "aarch64-linux-gnu-$2"; fi
}

# build MACHINE: builds into build/npm/MACHINE.
build() {
  local preset=release
  if [[ $1 != "$own" ]]; then
    [[ $1 == arm64 ]] || die "an x64 machine, to build for x64" "$(uname -m)" "run it there, or with --only $own"
    have aarch64-linux-gnu-gcc || die "the cross compiler aarch64-linux-gnu-gcc, for arm64" "none" \
      "install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross, or build with --only $own"
    preset=arm64
  fi
  say "building for $1"
  quietly "a configured $HERE/$1" cmake --preset "$preset" -B "$HERE/$1" -DBUILD_TESTING=OFF \
    -DTSFN_GUARD_STATIC_COMMAND=ON "-DNODE_API_HEADERS=$headers"
  quietly "a built $HERE/$1" cmake --build "$HERE/$1"
}

# check_binaries MACHINE: checks that the binaries run on every system that the package supports.
check_binaries() {
  local file version needed interpreter
  for file in libtsfnguard.so register.node; do
    needed=$(readelf -VW "$prebuilds/$file" | sed -n 's/.*Name: \(GLIBC_[0-9.]*\).*/\1/p')
    for version in $needed; do
      printf '%s\n%s\n' "$version" "$FLOOR" | sort -VC ||
        die "$file for $1 to need nothing newer than $FLOOR" "$version" "see src/base/glibc_floor.h"
    done
  done
  interpreter=$(readelf -lW "$prebuilds/tsfn-guard" | grep INTERP || true)
  [[ -z $interpreter ]] || die "a static command for $1" "one with an interpreter" "see TSFN_GUARD_STATIC_COMMAND"
}

# gather MACHINE: copies and strips what goes into the package.
gather() {
  local prebuilds=$package/prebuilds/linux-$1 file
  mkdir -p "$prebuilds"
  for file in "${BINARIES[@]}"; do
    cp "$HERE/$1/$file" "$prebuilds/"
    "$(tool "$1" strip)" --strip-unneeded "$prebuilds/$file"
  done
  check_binaries "$1"
}

# name_home: sets homepage, repository and bugs in package.json.
name_home() {
  [[ -n $home ]] || { say "no homepage, repository and bugs in the package: set TSFN_GUARD_REPOSITORY to publish it"; return; }
  (cd "$package" && npm pkg set "homepage=$home#readme" repository.type=git "repository.url=git+$home.git" \
    repository.directory=src/npm "bugs.url=$home/issues")
}

# pack: packs the package and prints its path. The contents are listed on stderr.
pack() {
  local name scripts
  scripts=$(node -p "Object.keys(require('$package/package.json').scripts || {}).join()")
  [[ -z $scripts ]] || die "no scripts in src/npm/package.json, because nothing may run when it is installed" "$scripts" "remove them"
  name=$(cd "$package" && npm pack --json --loglevel=error --pack-destination "$HERE" </dev/null |
    node -e 'const [p] = [JSON.parse(require("fs").readFileSync(0))].flat();
      for (const f of p.files) console.error(`${f.mode.toString(8)} ${String(f.size).padStart(8)} ${f.path}`);
      console.log(p.filename)')
  echo "$HERE/$name"
}

apt_need cmake:cmake ninja:ninja-build readelf:binutils npm:npm /usr/include/jsmn.h:libjsmn-dev
cd "$ROOT"
headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
version=$(sed -n 's/^project(tsfn-guard VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
package=$HERE/package
rm -rf "$package" "$HERE"/*.tgz
mkdir -p "$package"
cp -r src/npm/{package.json,register.js,register.d.ts,README.md,bin} LICENSE CHANGELOG.md docs "$package/"
(cd "$package" && npm pkg set "version=$version")
name_home
for machine in "${machines[@]}"; do build "$machine" && gather "$machine"; done
pack
