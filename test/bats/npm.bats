# The npm package: src/npm/package.sh makes it. It is installed into a project without a network,
# and used there.

bats_require_minimum_version 1.5.0
load helper

# why_not: prints why these tests cannot run here, or nothing if they can.
why_not() {
  command -v npm >/dev/null && command -v npx >/dev/null || echo "no npm and npx here"
}

setup_file() {
  WHY_NOT=$(why_not)
  export WHY_NOT PROJECT=$BATS_FILE_TMPDIR/project MACHINES='x64 arm64' MACHINE=x64
  [[ -z $WHY_NOT ]] || return 0
  [[ $(uname -m) != aarch64 ]] || MACHINE=arm64 MACHINES=arm64
  command -v aarch64-linux-gnu-gcc >/dev/null || MACHINES=$MACHINE
  local only=()
  [[ $MACHINES == 'x64 arm64' ]] || only=(--only "$MACHINE")
  TSFN_GUARD_REPOSITORY=https://example.org/someone/tsfn-guard.git run --separate-stderr \
    "$TG_SOURCE/src/npm/package.sh" "${only[@]}"
  assert_success
  export PACKAGE=${lines[-1]}
  mkdir "$PROJECT"
  cd "$PROJECT" || return
  echo '{ "private": true }' >package.json
  npm install --offline --no-audit --no-fund --foreground-scripts --loglevel=error "$PACKAGE"
}

setup() {
  [[ -z $WHY_NOT ]] || skip "$WHY_NOT"
  cd "$PROJECT" || return
}

@test "contains what it needs and nothing else, and has the version of the source" {
  local machine expected version
  expected=$(cd "$TG_SOURCE" && find docs -type f -printf 'package/%p\n'
    printf 'package/%s\n' CHANGELOG.md LICENSE README.md bin/tsfn-guard package.json register.d.ts register.js
    for machine in $MACHINES; do
      printf "package/prebuilds/linux-$machine/%s\n" doctor_probe.node libtsfnguard.so register.node \
        tsfn-guard
    done)
  run bash -c 'tar -tzf "$0" | LC_ALL=C sort' "$PACKAGE"
  assert_output "$(LC_ALL=C sort <<<"$expected")"
  version=$(sed -n 's/^#define TSFN_GUARD_VERSION "\(.*\)"/\1/p' "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")
  run node -p 'require("tsfn-guard/package.json").version'
  assert_output "$version"
}

@test "runs nothing when it is installed, needs no other package, and is refused on no system" {
  run node -p 'const { scripts, dependencies, os, cpu, libc } = require("tsfn-guard/package.json");
    JSON.stringify([scripts, dependencies, os, cpu, libc])'
  assert_output "[null,null,null,null,null]"
  run find node_modules -name '*.gyp' -o -name '*.c'
  assert_output ''
}

@test "says where it comes from and where its docs are" {
  run node -p 'const { homepage, repository, bugs, man, directories } = require("tsfn-guard/package.json");
    [homepage, repository.url, repository.directory, bugs.url, man, directories.doc].join("\n")'
  assert_output "https://example.org/someone/tsfn-guard#readme
git+https://example.org/someone/tsfn-guard.git
src/npm
https://example.org/someone/tsfn-guard/issues
./docs/tsfn-guard.1
docs"
  assert [ -e node_modules/tsfn-guard/docs/tsfn-guard.1 ]
  TSFN_GUARD_REPOSITORY=someone/tsfn-guard run "$TG_SOURCE/src/npm/package.sh" --only "$MACHINE"
  assert_failure
  assert_line 'package.sh: needed: an https address in TSFN_GUARD_REPOSITORY'
}

# Seen to fail: with os, cpu or libc in package.json (EBADPLATFORM).
@test "npm installs it on macOS, on Windows and on other processors" {
  local os cpu
  while read -r os cpu; do
    mkdir "$BATS_TEST_TMPDIR/$os-$cpu"
    cd "$BATS_TEST_TMPDIR/$os-$cpu"
    echo '{ "private": true }' >package.json
    run npm install --offline --no-audit --no-fund --loglevel=error "--os=$os" "--cpu=$cpu" "$PACKAGE"
    assert_success
    assert [ -e node_modules/tsfn-guard/register.js ]
  done <<<$'darwin arm64\nwin32 x64\nlinux riscv64'
}

# This runs each node from the oldest that the package supports, and lets it claim another platform.
@test "register on macOS and Windows: one line, and the program runs; on every version of Node" {
  local name node nodes
  cat >"$BATS_TEST_TMPDIR/elsewhere.js" <<'END'
const { PLATFORM: platform, ARCH: arch } = process.env;
Object.defineProperty(process, 'platform', { value: platform });
Object.defineProperty(process, 'arch', { value: arch });
END
  cat >"$BATS_TEST_TMPDIR/program.js" <<'END'
const { Worker, isMainThread } = require('worker_threads');
const { stats, events, library } = require('tsfn-guard/register');
if (isMainThread) new Worker(__filename);
console.log(isMainThread ? 'main' : 'worker', stats().armed, stats().mode, events().length, library);
END
  cp "$BATS_TEST_TMPDIR"/*.js .
  nodes=$("$TG_SOURCE/test/runtimes.sh" | cut -f 2)
  nodes+=$'\n'$TG_SOURCE/build/deps/npm/node-12/node_modules/node-12/bin/node
  [[ -x ${nodes##*$'\n'} ]] || skip "no Node 12 here; scripts/deps.sh node-12 fetches it"
  while read -r node; do
    PLATFORM=darwin ARCH=arm64 run --separate-stderr "$node" -r ./elsewhere.js -r tsfn-guard/register program.js
    assert_success
    assert_output $'main false off 0 null\nworker false off 0 null'
    assert_regex "$stderr" '^tsfn-guard\[[0-9]+\]: does nothing on darwin arm64: it supports only Linux on x64 and arm64; it runs unguarded$'
    PLATFORM=win32 ARCH=x64 NODE_OPTIONS=--require=./elsewhere.js run --separate-stderr "$node" -r tsfn-guard/register program.js
    assert_success
    assert_regex "$stderr" '^tsfn-guard\[[0-9]+\]: does nothing on win32 x64: '
    assert_equal "$(wc -l <<<"$stderr")" 1
    # mode=off is silent. With require=1 the program does not start.
    PLATFORM=win32 ARCH=x64 TSFN_GUARD_OPTIONS=mode=off run "$node" -r ./elsewhere.js -r tsfn-guard/register -p 42
    assert_output 42
    PLATFORM=darwin ARCH=x64 TSFN_GUARD_OPTIONS=require=1 run "$node" -r ./elsewhere.js -r tsfn-guard/register -p 42
    assert_equal "$status" 78
    assert_output --partial 'require=1, so it does not start'
  done <<<"$nodes"
}

# loaded LIBRARY: prints how many bytes of a library are loaded. On arm64 the file has a hole of up
# to 64 KiB between its segments, because pages may be that large.
loaded() {
  local sum=0 size
  while read -r _ _ _ _ size _; do sum=$((sum + size)); done < <(readelf -lW "$1" | grep LOAD)
  echo "$sum"
}

@test "the libraries are stripped, small, and need nothing newer than glibc 2.28; the command is static" {
  local machine file
  for machine in $MACHINES; do
    for file in libtsfnguard.so register.node doctor_probe.node; do
      file=node_modules/tsfn-guard/prebuilds/linux-$machine/$file
      run readelf -SW "$file"
      refute_output --partial .symtab
      assert [ "$(loaded "$file")" -lt 235000 ]
      run bash -c 'readelf -VW "$0" | sed -n "s/.*Name: \(GLIBC_[0-9.]*\).*/\1/p"; echo GLIBC_2.28' "$file"
      assert_equal "$(sort -V <<<"$output" | tail -n 1)" GLIBC_2.28
    done
    run readelf -lW "node_modules/tsfn-guard/prebuilds/linux-$machine/tsfn-guard"
    refute_output --partial INTERP
  done
}

@test "node -r tsfn-guard/register" {
  run node -r tsfn-guard/register "$PROGRAMS/issue55706.js"
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
}

@test "NODE_OPTIONS, with workers" {
  NODE_OPTIONS=--require=tsfn-guard/register run node "$PROGRAMS/lifetime-worker.js" 5 4 500
  assert_success
  assert_line --regexp ' wrong=0$'
}

@test "npx tsfn-guard runs the command beside the library, with its arguments, and returns its status" {
  local prebuilds=node_modules/tsfn-guard/prebuilds/linux-$MACHINE
  run npx --offline tsfn-guard --no-such-option
  assert_failure
  assert_output --partial tsfn-guard
  mv "$prebuilds/tsfn-guard" "$prebuilds/kept"
  printf '#!/bin/sh\nreadlink -f "$0"; printf "<%%s>" "$@"; exit 7\n' >"$prebuilds/tsfn-guard"
  chmod +x "$prebuilds/tsfn-guard"
  run npx --offline tsfn-guard node 'a b' ''
  mv "$prebuilds/kept" "$prebuilds/tsfn-guard"
  assert_failure 7
  assert_line "$(readlink -f "$prebuilds")/tsfn-guard"
  assert_line '<node><a b><>'
}

# This happens if npm installs packages for all machines.
@test "the command on another machine, or with a file missing: says so" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\n[ "$1" = -s ] && echo "$SYSTEM" || echo "$MACHINE"\n' >"$BATS_TEST_TMPDIR/bin/uname"
  chmod +x "$BATS_TEST_TMPDIR/bin/uname"
  export PATH=$BATS_TEST_TMPDIR/bin:$PATH
  SYSTEM=Darwin MACHINE=arm64 run node_modules/.bin/tsfn-guard
  assert_failure 126
  assert_line '  found: Darwin'
  assert_line '  do: start the program without it here; require("tsfn-guard/register") does nothing on this system'
  SYSTEM=Linux MACHINE=riscv64 run node_modules/.bin/tsfn-guard
  assert_failure 126
  assert_line '  found: riscv64'
  mkdir -p "$BATS_TEST_TMPDIR/p/bin"
  cp node_modules/tsfn-guard/bin/tsfn-guard "$BATS_TEST_TMPDIR/p/bin"
  SYSTEM=Linux MACHINE=x86_64 run "$BATS_TEST_TMPDIR/p/bin/tsfn-guard"
  assert_failure 126
  assert_line '  found: no such program'
}

@test "on arm64, under qemu" {
  local node=$TG_SOURCE/build/deps/arm64/node-20/bin/node
  [[ $MACHINES == 'x64 arm64' && -x $node ]] || skip "no cross compiler, or no node for arm64; test/arm64/arm64.sh prepare fetches them"
  run --separate-stderr timeout 120 qemu-aarch64 -L /usr/aarch64-linux-gnu "$node" \
    -r tsfn-guard/register -p 'const { armed, runtime } = require("tsfn-guard").stats(); [process.arch, armed, runtime].join()'
  assert_success
  assert_regex "$output" '^arm64,true,node 20\.'
}

# alpine: makes a root directory like Alpine's in $BATS_FILE_TMPDIR/alpine: musl, its C++ library, a
# Node for them in /usr/bin, and the package and a test addon in /app.
alpine() {
  local deps=$TG_SOURCE/build/deps root=$BATS_FILE_TMPDIR/alpine musl=$TG_SOURCE/build/deps/musl/root
  [[ ! -d $root ]] || return 0
  mkdir -p "$root"/{proc,dev,lib,usr/lib,usr/bin,app/node_modules}
  cp "$musl/lib/ld-musl-x86_64.so.1" "$root/lib/"
  ln -s ld-musl-x86_64.so.1 "$root/lib/libc.musl-x86_64.so.1"
  cp "$deps/musl-node/lib/"lib{stdc++.so.6,gcc_s.so.1} "$root/usr/lib/"
  ln "$deps/musl-node/node-on-musl" "$root/usr/bin/node" 2>/dev/null || cp "$deps/musl-node/node-on-musl" "$root/usr/bin/node"
  cp -r node_modules/tsfn-guard "$root/app/node_modules/"
  cp "$PROGRAMS/issue55706.js" "$root/app/"
  cc -O2 -fPIC -shared -nostdlib -nostdinc -isystem "$musl/usr/include/x86_64-linux-musl" \
    -isystem "$(cc -print-file-name=include)" -isystem "$NODE_API_HEADERS" -D_GNU_SOURCE \
    -DNODE_GYP_MODULE_NAME=issue55706 -o "$root/app/issue55706.node" "$TG_SOURCE/test/addons/issue55706.c" \
    -L "$musl/lib/x86_64-linux-musl" -l:libc.so
}

# in_alpine COMMAND…: runs it with that root. Its mounts end with it.
in_alpine() {
  TEST_ADDONS=/app unshare -m bash -c 'mount --bind /proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"' \
    "$BATS_FILE_TMPDIR/alpine" "$@"
}

# Seen to fail: with a dynamically linked command (it does not start); while the command refused
# programs for musl.
@test "on Alpine's libc the command starts, doctor finds nothing wrong, and programs are guarded" {
  [[ -x $TG_SOURCE/build/deps/musl-node/node ]] || skip "no Node on musl here; scripts/deps.sh musl-node fetches it"
  unshare -m true 2>/dev/null || skip "needs the right to mount"
  alpine
  local guard=/app/node_modules/tsfn-guard/prebuilds/linux-x64/tsfn-guard
  run in_alpine "$guard" doctor /usr/bin/node
  assert_success
  assert_line 'ok    linking: dynamic, by /lib/ld-musl-x86_64.so.1'
  assert_line --regexp '^ok    libc: musl 1\.2\.[0-9]+; 1\.2\.3 and 1\.2\.5 were tried$'
  assert_line --partial 'ok    redirect: the seven functions lead to the guard'
  run in_alpine "$guard" --log-path=/dev/null /usr/bin/node /app/issue55706.js
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  run in_alpine /usr/bin/node -r /app/node_modules/tsfn-guard/register.js -p 1+1
  assert_line --index 0 --regexp 'not armed: needed glibc, or a preloaded library, found .*; start it with tsfn-guard; it runs unguarded$'
  assert_line --index 1 2
}
