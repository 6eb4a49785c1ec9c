# tsfn-guard scan: which addons it finds in each layout of node_modules, what it reports about them,
# what it cannot read, and that neither hostile files nor loops of links stop it.
#
# Seen to fail: "from elsewhere" if links are followed anywhere; "loops" without leads_above; "names
# as strings" without the condition dlsym; "cut off" without the fallback for missing section
# headers; "pnpm" (and "loops") if links are walked in place or directories twice.

bats_require_minimum_version 1.5.0
load helper

SCAN=$TG_BUILD/tsfn-guard

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
  [[ -z ${other:-} ]] || rm -rf "$other"
}

# scan ARGS…: runs it, and keeps its output and stderr.
scan() {
  run --separate-stderr timeout -k 5 "$TG_TIMEOUT" "$SCAN" scan "$@"
}

# package DIRECTORY NAME VERSION [ADDON]: makes a package there, with an addon of this repository as
# build/ADDON.
package() {
  mkdir -p "$1/build"
  printf '{"name": "%s", "version": "%s"}\n' "$2" "$3" >"$1/package.json"
  [[ -z ${4:-} ]] || cp "$TEST_ADDONS/$4" "$1/build/"
}

# addon FILE CODE [OPTION…]: builds FILE from C code.
addon() {
  printf '%s\n' "$2" >"$BATS_TEST_TMPDIR/addon.c"
  cc -shared -fPIC -w -o "$1" "$BATS_TEST_TMPDIR/addon.c" "${@:3}"
}

# found FILTER: sets `output` to what jq's filter finds in the JSON, one a line. Expects that the
# JSON matches docs/scan.schema.json.
found() {
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/json"
  local said=$output
  run /usr/bin/python3 "$TG_SOURCE/test/helpers/check_schema.py" "$TG_SOURCE/docs/scan.schema.json" "$BATS_TEST_TMPDIR/json"
  assert_success
  run jq -r "$1" <<<"$said"
  assert_success
}

# complains STATUS NEEDED FOUND DO
complains() {
  assert_equal "$output" ''
  assert_equal "$stderr" "tsfn-guard: needed: $2
  found: $3
  do: $4"
  assert_equal "$status" "$1"
}

rows='.addons[] | "\(.package.name)@\(.package.version) \(.uses) \(.registers) \(.api) \(.architecture) \(.libc)"'
files='.directory as $d | .addons[].path | ltrimstr($d + "/")'

# --- Layouts

@test "nested, scoped, and a plain folder" {
  package app app 1.0.0
  package app/node_modules/one one 1.2.3 script.node
  package app/node_modules/one/node_modules/two two 2.0.0 own_init.node
  package app/node_modules/@scope/three @scope/three 3.0.0-rc.1 mapped_constructor.node
  mkdir app/lib
  cp "$TEST_ADDONS/stress.node" app/lib/
  scan --json app
  assert_success
  assert_equal "$stderr" ''
  found "$rows"
  assert_output "app@1.0.0 imports symbol node-api $(machine) glibc
@scope/three@3.0.0-rc.1 imports constructor node-api $(machine) glibc
one@1.2.3 imports symbol node-api $(machine) glibc
two@2.0.0 none both node-api $(machine) glibc"
}

machine() {
  case $(uname -m) in x86_64) echo x86-64 ;; *) echo arm64 ;; esac
}

@test "pnpm's layout: a package that is linked twice is listed once, under its own name" {
  local store=app/node_modules/.pnpm
  package "$store/one@1.0.0/node_modules/one" one 1.0.0 script.node
  package "$store/@scope+two@2.0.0/node_modules/@scope/two" @scope/two 2.0.0 script.node
  mkdir -p app/node_modules/@scope
  ln -s .pnpm/one@1.0.0/node_modules/one app/node_modules/one
  ln -s ../.pnpm/@scope+two@2.0.0/node_modules/@scope/two app/node_modules/@scope/two
  ln -s ../../one@1.0.0/node_modules/one "$store/@scope+two@2.0.0/node_modules/one"
  scan --json app
  assert_success
  found "$files"
  assert_output 'node_modules/.pnpm/@scope+two@2.0.0/node_modules/@scope/two/build/script.node
node_modules/.pnpm/one@1.0.0/node_modules/one/build/script.node'
}

@test "a package that is linked from elsewhere belongs to the application" {
  package elsewhere/tool tool 4.0.0 script.node
  package elsewhere/scoped @scope/scoped 5.0.0 script.node
  mkdir -p app/node_modules/@scope app/other
  ln -s ../../elsewhere/tool app/node_modules/tool
  ln -s ../../../elsewhere/scoped app/node_modules/@scope/scoped
  package elsewhere/more more 6.0.0 script.node
  ln -s ../../elsewhere/more app/other/not-followed
  scan --json app
  found "$files"
  assert_output 'node_modules/@scope/scoped/build/script.node
node_modules/tool/build/script.node'
  cd app/node_modules/@scope
  scan --json
  found "$files"
  assert_output 'scoped/build/script.node'
}

@test "loops of links, a link to a directory above, links to nothing" {
  package app/node_modules/one one 1.0.0 script.node
  package outside outside 1.0.0 script.node
  mkdir app/node_modules/one/node_modules
  ln -s . app/node_modules/self
  ln -s ../.. app/node_modules/one/node_modules/back
  ln -s "$PWD" app/node_modules/above
  ln -s / app/node_modules/root
  ln -s nowhere app/node_modules/nothing
  ln -s loop.node app/node_modules/loop.node
  ln -s one/build/script.node app/node_modules/again.node
  scan --json app
  assert_success
  found '.addons[].path, .not_read[].why'
  assert_output "$PWD/app/node_modules/one/build/script.node
Too many levels of symbolic links"
}

@test "a file instead of a directory, and the current directory" {
  package one one 1.0.0 script.node
  scan one/build/script.node
  assert_success
  assert_line 'one@1.0.0                                imports  symbol      '"$(machine)"' glibc'
  assert_line '  one/build/script.node'
  cd one
  scan
  assert_line '  build/script.node'
  scan "$PWD/"
  assert_line "  $PWD/build/script.node"
}

# --- What it reports about them

@test "names as strings count if the addon uses dlsym, as rolldown does; names of symbols do not" {
  mkdir a
  addon a/looks-up.node '
    #include <dlfcn.h>
    void *napi_register_module_v1(void) { return dlsym(RTLD_DEFAULT, "napi_create_threadsafe_function"); }'
  addon a/no-dlsym.node 'const char *napi_register_module_v1(void) { return "napi_call_threadsafe_function"; }'
  addon a/similar.node '
    #include <dlfcn.h>
    void *napi_register_module_v1(void) { return dlsym(RTLD_DEFAULT, "my_napi_create_threadsafe_functio"); }'
  scan --json a
  found '.addons[] | "\(.uses) \(.functions)"'
  assert_output 'dlsym ["create"]
none []
none []'
}

@test "how they register, and what is not a Node-API addon" {
  mkdir a
  addon a/both.node 'void napi_module_register(void *); __attribute__((constructor)) void c(void) { napi_module_register(0); }
    void napi_register_module_v1(void) {}'
  addon a/nan.node 'void node_module_register(void *); void _ZN2v87Isolate10GetCurrentEv(void);
    __attribute__((constructor)) void c(void) { node_module_register(0); _ZN2v87Isolate10GetCurrentEv(); }'
  addon a/nan-115.node 'void _ZNK2v85Value8IsStringEv(void); void node_register_module_v115(void) { _ZNK2v85Value8IsStringEv(); }'
  addon a/nothing.node 'int x;'
  scan --json a
  found '.addons[] | "\(.registers) \(.api)"'
  assert_output 'both node-api
v8 v8
v8 v8
unknown unknown'
  scan a
  assert_line '  a/nan.node: not a Node-API addon (V8, as with NAN)'
  assert_line '  a/nothing.node: not a known kind of addon'
}

# patch FILE OFFSET BYTES
patch() {
  # shellcheck disable=SC2059
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "other systems and architectures are listed and marked" {
  mkdir a
  addon libc.so 'int stub;' -nostdlib -Wl,-soname=libc.musl-x86_64.so.1
  addon a/musl.node 'void napi_create_threadsafe_function(void); extern int stub;
    int napi_register_module_v1(void) { napi_create_threadsafe_function(); return stub; }' -nostdlib ./libc.so
  local name
  for name in riscv half big freebsd; do cp "$TEST_ADDONS/script.node" "a/$name.node"; done
  patch a/riscv.node 18 '\xf3\x00'
  patch a/half.node 4 '\x01'
  patch a/big.node 5 '\x02'
  patch a/freebsd.node 7 '\x09'
  printf '\xcf\xfa\xed\xfe0000' >a/mac.node
  printf 'MZ000000' >a/windows.node
  printf 'text' >a/text.node
  : >a/empty.node
  scan --json a
  found '.addons[] | "\(.path | split("/")[-1]) \(.system) \(.architecture) \(.libc) \(.guardable) \(.problem)"'
  assert_output "big.node linux null null false for a machine of 32 bits or big-endian, where there is no guard
empty.node null null null false not an addon of any known system
freebsd.node freebsd $(machine) glibc false null
half.node linux null null false for a machine of 32 bits or big-endian, where there is no guard
mac.node macos null null false for macOS, where there is no guard
musl.node linux $(machine) musl false null
riscv.node linux RISC-V glibc false null
text.node null null null false not an addon of any known system
windows.node windows null null false for Windows, where there is no guard"
  scan a
  assert_success
  assert_line --partial '3 use thread-safe functions, 0 of them can be guarded'
  refute_line --partial recommended
}

@test "the advice for known packages, and the options for all together" {
  package a/node_modules/aws-crt aws-crt 1.33.2 script.node
  package a/node_modules/impit-linux-x64-gnu impit-linux-x64-gnu 0.14.5 script.node
  package a/node_modules/@parcel/watcher @parcel/watcher 2.6.0 script.node
  package a/node_modules/other other 1.0.0 script.node
  scan a
  assert_success
  assert_line --regexp '^    quirks=known exit=fast: it treats every answer but napi_ok as fatal'
  assert_line '    not tried with the guard; no option is known to be needed'
  assert_line 'recommended: TSFN_GUARD_OPTIONS=quirks=known:exit=fast'
  scan --json a
  found '.recommended, (.addons[] | select(.advice != null) | .advice.options) | join(" ")'
  assert_output 'quirks=known exit=fast

quirks=known exit=fast
exit=fast'
  # docs/real-addons.md: edr ends well with exit=fast, and with nothing else.
  package b/node_modules/@nomicfoundation/edr @nomicfoundation/edr 0.13.0 script.node
  scan b
  assert_line 'recommended: TSFN_GUARD_OPTIONS=exit=fast'
  # A package that cannot be guarded needs no option.
  patch a/node_modules/aws-crt/build/script.node 18 '\xf3\x00'
  rm -r a/node_modules/impit-linux-x64-gnu
  scan a
  assert_line 'recommended: no option'
}

@test "the prebuilt addons of npm" {
  local real=$TG_SOURCE/build/deps/npm/real
  [[ -d $real/node_modules/koffi ]] || skip "no real addons were fetched"
  scan --json "$real"
  assert_success
  found '.addons[] | select(.guardable and .architecture == "x86-64") | "\(.package.name) \(.uses) \(.registers)"'
  assert_line '@ast-grep/napi-linux-x64-gnu dlsym symbol'
  assert_line '@koromix/koffi-linux-x64 imports symbol'
  assert_line '@libsql/linux-x64-gnu dlsym symbol'
  assert_line '@parcel/watcher-linux-x64-glibc imports constructor'
  assert_line '@rolldown/binding-linux-x64-gnu dlsym symbol'
  assert_line 'aws-crt imports both'
  refute_line --partial msgpackr
  # Every addon of docs/real-addons.md has advice.
  scan --json "$real"
  found '.addons[] | select(.uses != "none" and .uses != null and .advice == null) | .path'
  assert_output ''
}

# Seen to fail: the advice for edr has a line of exactly 80 columns. The next words followed on
# the same line.
@test "the table fits 80 columns, and never cuts a path" {
  local long
  package edr @nomicfoundation/edr 0.14.1 script.node
  scan edr
  assert [ "$(wc -L <<<"$output")" -le 80 ]
  assert_line '    of the process'
  long=a/$(printf 'directory-%.0s' {1..9})/$(printf 'x%.0s' {1..200})
  package "$long" lightningcss 1.33.0 script.node
  scan a
  assert_line "  $long/build/script.node"
  assert [ "$(grep -v "^  $long" <<<"$output" | wc -L)" -le 80 ]
  # A name cannot control the terminal.
  package $'a/\e[31mred' $'\\u001b[31mred' 1.0.0 script.node
  scan a
  assert_line '  a/?[31mred/build/script.node'
  refute_output --partial $'\e'
}

# --- What cannot be read

@test "unreadable directories and files are listed, and everything else is found" {
  ((EUID == 0)) || skip "needs root, to become another user"
  other=$(mktemp -d)
  cp "$SCAN" "$other/"
  cd "$other" || return 1
  package a/node_modules/one one 1.0.0 script.node
  package a/node_modules/two two 1.0.0 script.node
  package a/node_modules/three three 1.0.0 script.node
  chmod 000 a/node_modules/two a/node_modules/three/build/script.node
  chmod 755 "$other"
  run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups ./tsfn-guard scan --json a
  assert_success
  found '.addons[].package.name, (.not_read[] | "\(.path | split("/")[-1]) \(.why)")'
  assert_output 'one
two Permission denied
script.node Permission denied'
}

@test "pipes, devices and directories with such a name do not block it" {
  mkdir -p a/directory.node
  mkfifo a/pipe.node
  ln -s /dev/zero a/zero.node
  ln -s "$PWD/a/pipe.node" a/link.node
  cp "$TEST_ADDONS/script.node" a/directory.node/
  scan --json a
  assert_success
  found "$files"
  assert_output 'directory.node/script.node'
}

@test "files that are cut off or damaged" {
  local size at whole
  mkdir a
  whole=$(stat -L -c %s "$TEST_ADDONS/script.node")
  for size in 1 4 16 63 64 100 1000 5000 $((whole / 2)) $((whole - 1)); do
    head -c "$size" "$TEST_ADDONS/script.node" >"a/$size.node"
  done
  # e_phoff, e_shoff, e_phentsize, e_phnum, e_shentsize, e_shnum
  for at in 32 40 54 56 58 60; do
    cp "$TEST_ADDONS/script.node" "a/at-$at.node"
    patch "a/at-$at.node" $at '\xff\xff'
  done
  scan --json a
  assert_success
  found '.addons | length'
  assert_output 16
  # Section headers are not needed.
  scan --json a/at-40.node
  found '.addons[] | "\(.uses) \(.problem)"'
  assert_output 'imports null'
  scan --json a/at-56.node
  found '.addons[].problem'
  assert_output 'a damaged ELF file'
}

@test "a huge sparse file, and 100,000 files" {
  mkdir a
  cp "$TEST_ADDONS/script.node" a/huge.node
  truncate -s 1T a/huge.node 2>/dev/null || truncate -s 1G a/huge.node
  (cd a && seq -f 'file-%.0f' 100000 | xargs touch)
  scan --json a
  assert_success
  found '"\(.entries) \(.addons[].uses) \(.cut)"'
  assert_output '100001 imports false'
}

@test "status 0 if nothing is found, 2 if the command line is wrong" {
  mkdir a
  scan a
  assert_success
  assert_output '0 addons in a: 0 use thread-safe functions, 0 of them can be guarded'
  scan none
  complains 2 'a directory or an addon that can be read' 'none: No such file or directory' 'name the directory of an application, or a file that this user may read'
  mkfifo pipe
  scan pipe
  complains 2 'a directory or an addon that can be read' 'pipe: Not a directory' 'name the directory of an application, or a file that this user may read'
  scan --jason
  complains 2 'an option of tsfn-guard scan' --jason 'see tsfn-guard scan --help'
  scan a b
  complains 2 'one directory' b 'see tsfn-guard scan --help'
  scan --help
  assert_success
  assert_line 'usage: tsfn-guard scan [--json] [DIR | FILE]'
}

@test "no addon is loaded" {
  addon trap.node '#include <stdlib.h>
    void napi_create_threadsafe_function(void);
    __attribute__((constructor)) void c(void) { napi_create_threadsafe_function(); _Exit(99); }'
  scan .
  assert_success
  assert_output --partial '1 uses thread-safe functions'
}
