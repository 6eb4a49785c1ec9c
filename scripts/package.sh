#!/usr/bin/env bash
# Builds the packages, a .deb and a .tar.gz, and the packages with their symbols:
# package.sh [--check], see usage below.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/package.sh [--check]

Builds build/package/packages/*.tar.gz, and *.deb if there is dpkg-deb, and prints their paths. What is
in them is stripped. The symbols, for debuggers, are in packages of their own: …-debug.tar.gz, to be unpacked
over the other one, and tsfn-guard-dbgsym_*.deb.
The command in them is linked statically, and the library needs glibc 2.28. With the same
SOURCE_DATE_EPOCH (if unset, that of the last commit) the same machine makes the same bytes.
TSFN_GUARD_MAINTAINER, "Name <address>", is the maintainer in the .deb.

--check also runs lintian on the .deb, installs it into a clean Debian (debootstrap, as root; this
machine's system is not touched), runs Debian's nodejs there without and with it, and removes it
again.
END
}

TREE=$BUILD/package
RUNS=5 # without the guard some of them hang until their timeout

# The files in the packages belong to root, no matter who builds.
pack() { if ((EUID == 0)) || ! have fakeroot; then cpack "$@"; else fakeroot cpack "$@"; fi; }

BINARIES=(tsfn-guard libtsfnguard.so register.node doctor_probe.node)

# debian_field NAME: prints this field of the package tsfn-guard.
debian_field() { dpkg-deb -f "$deb" "$1"; }

build_id() { readelf -n "$1" | sed -n 's/.*Build ID: //p'; }

separate_symbols() {
  local binary
  rm -rf "$TREE/symbols"
  mkdir -p "$TREE/symbols"
  for binary in "${BINARIES[@]}"; do
    [[ -n $(build_id "$TREE/$binary") ]] || die "a build-id in $binary" "none" "use a linker that knows --build-id"
    objcopy --only-keep-debug --compress-debug-sections "$TREE/$binary" "$TREE/symbols/$binary.debug"
  done
}

# put BINARY PATH: copies the binary's symbols to PATH.
put() {
  mkdir -p "$(dirname "$2")"
  install -m 644 "$TREE/symbols/$1.debug" "$2"
}

# The archive has the same top directory as the one with the binaries. The symbols are in .debug
# beside each binary, where debuggers look.
pack_symbols_archive() {
  local archive=$1 top stage=$TREE/symbols-archive binary
  top=$(basename "$archive" .tar.gz)
  rm -rf "$stage"
  for binary in "${BINARIES[@]}"; do
    if [[ $binary == tsfn-guard ]]; then put "$binary" "$stage/$top/bin/.debug/$binary.debug"
    else put "$binary" "$stage/$top/lib/tsfn-guard/.debug/$binary.debug"; fi
  done
  tar -C "$stage" --sort=name "--mtime=@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    -cf - "$top" | gzip -9n >"${archive%.tar.gz}-debug.tar.gz"
}

# The package is like Debian's own -dbgsym packages: the files are named by build-id, and it depends
# on the very same version of tsfn-guard.
pack_symbols_deb() {
  local deb=$1 stage=$TREE/symbols-deb version binary id ids=()
  version=$(debian_field Version)
  rm -rf "$stage"
  for binary in "${BINARIES[@]}"; do
    id=$(build_id "$TREE/$binary")
    ids+=("$id")
    put "$binary" "$stage/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
  done
  mkdir -p "$stage/DEBIAN" "$stage/usr/share/doc"
  ln -s tsfn-guard "$stage/usr/share/doc/tsfn-guard-dbgsym"
  (cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  cat >"$stage/DEBIAN/control" <<END
Package: tsfn-guard-dbgsym
Source: tsfn-guard
Version: $version
Auto-Built-Package: debug-symbols
Architecture: $(debian_field Architecture)
Maintainer: $(debian_field Maintainer)
Installed-Size: $(du -k --apparent-size -s "$stage/usr" | cut -f 1)
Depends: tsfn-guard (= $version)
Section: debug
Priority: optional
Description: debug symbols for tsfn-guard
Build-Ids: ${ids[*]}
END
  chmod -R u+rwX,go+rX,go-w "$stage"
  quietly "a .deb with the symbols" dpkg-deb --root-owner-group --build "$stage" \
    "${deb/tsfn-guard_/tsfn-guard-dbgsym_}"
}

build() {
  local archive deb headers generators=TGZ
  "$ROOT/scripts/deps.sh" build-tools
  headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
  ! have dpkg-deb || generators+=';DEB'
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || date -r "$ROOT/CHANGELOG.md" +%s)}
  export SOURCE_DATE_EPOCH
  rm -rf "$TREE/packages"
  # The library has the same path on every architecture, because users put it into LD_PRELOAD.
  quietly "a configured $TREE" cmake -S "$ROOT" -B "$TREE" -DBUILD_TESTING=OFF \
    -DTSFN_GUARD_STATIC_COMMAND=ON -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib "-DNODE_API_HEADERS=$headers" \
    "-DCMAKE_C_FLAGS=${CFLAGS:-} -g -ffile-prefix-map=$ROOT=/usr/src/tsfn-guard" \
    ${TSFN_GUARD_MAINTAINER:+"-DTSFN_GUARD_MAINTAINER=$TSFN_GUARD_MAINTAINER"}
  quietly "a built $TREE" cmake --build "$TREE" -j "$(nproc)"
  separate_symbols
  quietly "packages" pack --config "$TREE/CPackConfig.cmake" -G "$generators"
  rm -rf "$TREE/packages/_CPack_Packages"
  for archive in "$TREE"/packages/*.tar.gz; do pack_symbols_archive "$archive"; done
  for deb in "$TREE"/packages/*.deb; do [[ ! -e $deb ]] || pack_symbols_deb "$deb"; done
  [[ $generators == *DEB* ]] || say "no .deb: needed dpkg-deb, found none"
  find "$TREE/packages" -maxdepth 1 -type f | sort
}

check_lintian() {
  say "lintian:"
  lintian --allow-root --fail-on error,warning "$1" >&2 || die "a .deb without findings" "those above" \
    "mend them, or say in scripts/packaging/lintian-overrides why they stay"
}

# inside COMMAND…: runs COMMAND in the clean Debian, with a separate /proc.
inside() {
  unshare --mount --pid --fork chroot "$CLEAN" sh -c 'mount -t proc proc /proc && exec "$@"' sh \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

files_inside() { find "$CLEAN" -xdev \( -path "$CLEAN/var/cache" -o -path "$CLEAN/var/lib/apt" -o -path "$CLEAN/var/lib/dpkg" \
  -o -path "$CLEAN/var/log" -o -path "$CLEAN/proc" \) -prune -o -print | sort; }

# ended COMMAND…: runs COMMAND, the program of nodejs/node#55706, $RUNS times inside, and prints how
# many runs ended with 0.
ended() {
  local number well=0
  for ((number = 0; number < RUNS; number++)); do
    ! inside sh -c 'ulimit -c 0; exec timeout -k 5 20 env "$@"' sh TEST_ADDONS=/trial "$@" >"$CLEAN/trial/log" 2>&1 ||
      well=$((well + 1))
  done
  echo "$well"
}

check_in_clean_debian() {
  local deb=$1 mirror native guarded preload=/usr/lib/tsfn-guard/libtsfnguard.so before
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || die "apt sources with Debian's main packages" "none" "run this on a Debian"
  CLEAN=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf --one-file-system '$CLEAN'" EXIT
  say "a clean Debian from $mirror, in $CLEAN"
  quietly "a clean Debian" debootstrap --variant=minbase --keyring="$DEBIAN_KEYS" \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$CLEAN" "$mirror"
  quietly "Debian's nodejs in it" inside apt-get -q install -y --no-install-recommends nodejs
  mkdir "$CLEAN/trial"
  cp "$ROOT/test/programs/issue55706.js" "$BUILD/release/addons/issue55706.node" "$CLEAN/trial"
  : >"$CLEAN/trial/log"
  cp "$deb" "$CLEAN/trial/tsfn-guard.deb"
  before=$(files_inside)

  quietly "the .deb installed" inside apt-get -q install -y --no-install-recommends /trial/tsfn-guard.deb
  say "inside: node $(inside node --version), $(inside dpkg-query -W tsfn-guard), dpkg -V: $(inside dpkg -V tsfn-guard | wc -l) findings"
  native=$(ended node /trial/issue55706.js)
  guarded=$(ended "LD_PRELOAD=$preload" TSFN_GUARD_OPTIONS=require=1 node /trial/issue55706.js)
  say "of $RUNS runs ended well: natively $native, with LD_PRELOAD $guarded"
  ((native < RUNS && guarded == RUNS)) || die "crashes without the guard, and none with it" "$native and $guarded of $RUNS runs ended well" \
    "read the last run: $(cat "$CLEAN/trial/log")"
  guarded=$(ended tsfn-guard --require node /trial/issue55706.js)
  say "with the command $guarded"
  ((guarded == RUNS)) || die "no crash with the command" "$guarded of $RUNS runs ended well: $(cat "$CLEAN/trial/log")" \
    "try it: tsfn-guard --require node …"

  quietly "the .deb purged" inside apt-get -q purge -y tsfn-guard
  diff <(printf '%s\n' "$before") <(files_inside) >&2 || die "nothing left behind" "the files above" "see scripts/packaging/install.cmake"
  say "purged: nothing was left behind"
}

case ${1:-} in
  '') build ;;
  --check)
    apt_need lintian:lintian debootstrap:debootstrap unshare:util-linux
    ((EUID == 0)) || die "root, for debootstrap and chroot" "user $(id -un)" "run it as root, in a machine of your own"
    [[ -e $BUILD/release/addons/issue55706.node ]] || die "the test addons in build/release" "none" "run scripts/test.sh, or scripts/quickstart.sh, first"
    packages=$(build)
    printf '%s\n' "$packages"
    deb=$(grep '/tsfn-guard_.*\.deb$' <<<"$packages") || die "a .deb to check" "none" "run this on a Debian"
    check_lintian "$deb"
    check_lintian "${deb/tsfn-guard_/tsfn-guard-dbgsym_}"
    check_in_clean_debian "$deb"
    ;;
  -h | --help) usage ;;
  *) die "no argument, or --check" "$1" "see scripts/package.sh --help" 2 ;;
esac
