# Tests tsfn-guard/register: the guard without LD_PRELOAD, from the files of the npm package, with
# the library of the build.
#
# Seen to fail: "loaded before" without tg_earlier_addons_have (with `then`: SIGSEGV in the
# runtime's release), and without passes_through (unref returns napi_invalid_arg); "a file is
# missing" if the guard's message contained all lines of Node's message; "its own init function"
# with a preloaded library that exports napi_register_module_v1 (the exports are empty; aws-crt is
# such an addon).

bats_require_minimum_version 1.5.0
load ../helper

setup_file() {
  local package=$BATS_FILE_TMPDIR/node_modules/tsfn-guard machine=x64
  [[ $(uname -m) != aarch64 ]] || machine=arm64
  mkdir -p "$package/prebuilds"
  cp "$TG_SOURCE"/src/npm/{package.json,register.js} "$package"
  ln -s "$TG_BUILD" "$package/prebuilds/linux-$machine"
}

setup() {
  cd "$BATS_FILE_TMPDIR" || exit
}

# node ARGS…: runs node. registered ARGS…: runs it with tsfn-guard/register.
node() {
  timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" "$@"
}

registered() {
  node -r tsfn-guard/register "$@"
}

# The guard's output, without process ids.
said() {
  sed 's/^tsfn-guard\[[0-9]*\]: //' <<<"$stderr"
}

version=$(sed -n 's/^#define TSFN_GUARD_VERSION "\(.*\)"/\1/p' "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")

@test "node -r: the case of nodejs/node#55706 ends well, 32 times napi_closing, one finalizer" {
  for _ in $(seq "$(repetitions 10)"); do
    run registered "$PROGRAMS/issue55706.js"
    assert_success
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  done
}

@test "node --import, as an ES module" {
  run node --import tsfn-guard/register "$PROGRAMS/issue55706.js"
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  cat >module.mjs <<'END'
import { stats, events } from 'tsfn-guard/register';
console.log(stats().armed, events().length);
END
  run node module.mjs
  assert_output 'true 0'
}

@test "NODE_OPTIONS: main thread, workers and children are guarded, each process armed once" {
  export NODE_OPTIONS=--require=tsfn-guard/register TSFN_GUARD_OPTIONS=verbosity=1 way
  run --separate-stderr node "$PROGRAMS/bindings.js"
  assert_success
  assert_equal "${#lines[@]}" 6
  for way in load default program; do
    assert_line "main $way: 7 in libtsfnguard.so"
    assert_line "worker $way: 7 in libtsfnguard.so"
  done
  assert_equal "${#stderr_lines[@]}" 1
  assert_regex "$stderr" "tsfn-guard $version armed: node [0-9.]+, redirected the seven functions of /"
  run --separate-stderr node "$PROGRAMS/bindings.js" fork
  assert_line 'fork load: 7 in libtsfnguard.so'
  assert_equal "${#stderr_lines[@]}" 2
}

@test "NODE_OPTIONS: workers that are terminated under their threads, which dies without the guard" {
  NODE_OPTIONS=--require=tsfn-guard/register run node "$PROGRAMS/lifetime-worker.js" "$(repetitions 20)" 4 500
  assert_success
  assert_line --regexp "^functions=$(repetitions 20) finalized_once=$(repetitions 20) foreign=0 disordered=0 late=0 lost=0$"
  assert_line --regexp ' wrong=0$'
}

@test "only workers load it, one after another, then the main thread" {
  run node "$PROGRAMS/register-worker.js"
  assert_success
  assert_output "$(printf '%s: armed true, 7 in libtsfnguard.so\n' worker worker worker main)"
}

@test "stats and events: lives, counts and misuse of the whole process" {
  TSFN_GUARD_OPTIONS=log_path=/dev/null run --separate-stderr registered "$PROGRAMS/register-stats.js"
  assert_success
  assert_equal "$stderr" ''
  assert_output "{\"version\":\"$version\",\"armed\":true,\"mode\":\"protect\",\"runtime\":\"node $(node -p process.versions.node)\"}
at first: created 0, open 0, leaked 0, queued 0, events {}
two: created 2, open 2, leaked 0, queued 0, events {}
misused: created 2, open 1, leaked 0, queued 0, events {\"TSG007\":1,\"TSG008\":1}
{\"code\":\"TSG007\",\"kind\":\"stale-handle\",\"severity\":\"fatal-avoided\",\"func\":true,\"answered\":\"napi_invalid_arg\",\"name\":\"over\",\"quantity\":null}
true,true 1 script.node
{\"code\":\"TSG008\",\"kind\":\"never-a-handle\",\"severity\":\"fatal-avoided\",\"func\":true,\"answered\":\"napi_invalid_arg\",\"name\":null,\"quantity\":null}
true,true 2 script.node
worker: created 3, open 2, leaked 0, queued 0, events {\"TSG007\":1,\"TSG008\":1,\"TSG009\":1}
the worker's event is here too: TSG009"
}

@test "mode=off, mode=diagnose" {
  TSFN_GUARD_OPTIONS=mode=off:verbosity=1 run registered -p 'const { armed, mode } = require("tsfn-guard").stats(); [armed, mode].join()'
  assert_output false,off
  TSFN_GUARD_OPTIONS=mode=off run registered "$PROGRAMS/bindings.js"
  refute_output --partial tsfnguard
  TSFN_GUARD_OPTIONS=mode=diagnose run registered -p 'const { armed, mode } = require("tsfn-guard").stats(); [armed, mode].join()'
  assert_output true,diagnose
}

@test "also preloaded, from the same file or a copy of it elsewhere: armed once, and the API shows that one" {
  local library
  mkdir -p copy
  cp "$TG_LIB" copy/libtsfnguard.so
  for library in "$TG_LIB" "$PWD/copy/libtsfnguard.so"; do
    LD_PRELOAD=$library TSFN_GUARD_OPTIONS=verbosity=1 run --separate-stderr registered -p 'require("tsfn-guard").stats().armed'
    assert_output true
    assert_equal "${#stderr_lines[@]}" 1
    assert_regex "$stderr" ' armed: node '
  done
}

@test "another copy that is loaded later says that it does not arm" {
  cp "$TG_LIB" "$BATS_TEST_TMPDIR/copy.so"
  TSFN_GUARD_OPTIONS=require=1 run --separate-stderr registered -e '
    try { process.dlopen({ exports: {} }, process.argv[1]); } catch { console.log("no addon"); }
    console.log(require(`${process.env.TEST_ADDONS}/bindings.node`).describe("load"));
  ' "$BATS_TEST_TMPDIR/copy.so"
  assert_success
  assert_output $'no addon\n7 in libtsfnguard.so'
  assert_equal "${#stderr_lines[@]}" 1
  assert_regex "$(said)" "^not armed a second time in /.*: needed one guard, found that /.*/libtsfnguard.so guards it already;"
}

@test "an addon that was loaded before: reported, works as before; one that is loaded later is guarded" {
  run readelf -rW "$TEST_ADDONS/early.node"
  assert_line --regexp 'JUMP_SL.* napi_create_threadsafe_function'
  assert_line --regexp '_(64|ABS64|GLOB_DAT) .* napi_release_threadsafe_function'
  for when in first then; do
    run --separate-stderr node "$PROGRAMS/register-early.js" "$when"
    assert_success
    assert_line 'context=0,1 call=0 acquire=0 release=0,0'
    assert_line '7 in libtsfnguard.so'
    assert_line 'guarded functions: 0'
    assert_line 'guarded functions: 1'
    assert_regex "$stderr" 'threads=32 closing=32 invalid_arg=0 finalized=1'
    assert_equal "$(said | grep -c '^not armed')" 1
    [[ $(said) == "not armed in $TEST_ADDONS/early.node: needed the guard before the addon, found that the addon was \
loaded first; load tsfn-guard/register before all addons (node -r tsfn-guard/register); it runs unguarded"* ]] || fail "$stderr"
  done
  TSFN_GUARD_OPTIONS=require=1 run --separate-stderr node "$PROGRAMS/register-early.js" first
  assert_failure 78
  assert_equal "$output" ''
}

@test "addons that use no thread-safe functions may have been loaded before" {
  run --separate-stderr node -e 'require(`${process.env.TEST_ADDONS}/own_init.node`); require("tsfn-guard/register")'
  assert_success
  assert_equal "$stderr" ''
}

@test "an addon that may look the functions up with dlsym, and was loaded before, is named too" {
  run --separate-stderr node -e 'require(`${process.env.TEST_ADDONS}/bindings.node`); require("tsfn-guard/register")'
  assert_success
  assert_regex "$(said)" "^not armed in $TEST_ADDONS/bindings.node: needed the guard before the addon"
}

# This is the purpose of register.node.
@test "an addon that refers to its own init function gets its own, preloaded or registered" {
  LD_PRELOAD=$TG_LIB run node -p 'require(`${process.env.TEST_ADDONS}/own_init.node`).whose'
  assert_output 'its own'
  run registered -p 'require(`${process.env.TEST_ADDONS}/own_init.node`).whose'
  assert_output 'its own'
}

@test "the environment stays as it is, with propagate=0 too" {
  export TSFN_GUARD_OPTIONS=propagate=0 NODE_OPTIONS=--require=tsfn-guard/register
  run node -p '[process.env.TSFN_GUARD_OPTIONS, process.env.NODE_OPTIONS].join()'
  assert_output propagate=0,--require=tsfn-guard/register
}

# Seen to fail: when /(^|:)require=1(:|$)/ was searched in all of TSFN_GUARD_OPTIONS.
@test "options if there is no library: the same pair counts as in the library, also with quotes" {
  local text texts=(require=1 require=0 require=1:require=0 require=0:require=1 "require='1'" 'require="1"' "require='1"
    "require='1'x" "require='0':require=1" require=1:require=yes require=1:require require= requires=1 xrequire=1
    "log_path='/a:require=1:b'" "log_path='/a:b':require=1" "log_path=':require=1" log_path=fd:require=1 format=fd:require=1
    mode=fd:3:require=1 ::require=1:: '=require=1' require==1 require=1=1 require=1:mode=off mode=off:mode=protect:require=1
    mode=off:mode=bad:require=1 'require="1":require=0' "log_path='a'b:require=1" "log_path=''':require=1" '')
  cd "$BATS_TEST_TMPDIR" || return # the log files go here
  for text in "${texts[@]}"; do
    TSFN_GUARD_OPTIONS=$text LD_PRELOAD=$TG_LIB LD_LIBRARY_PATH=$TG_BUILD/helpers run --separate-stderr \
      "$TG_BUILD/helpers/lacks-napi_ref_threadsafe_function"
    local of_library=$status
    TSFN_GUARD_OPTIONS=$text run --separate-stderr node -e '
      Object.defineProperty(process, "arch", { value: "mips" });
      require(process.argv[1])' "$BATS_FILE_TMPDIR/node_modules/tsfn-guard/register.js"
    assert_equal "$text: $status" "$text: $of_library"
  done
}

@test "mode=off if there is no library: silent, and the program runs" {
  TSFN_GUARD_OPTIONS=require=1:mode=off run node -e 'Object.defineProperty(process, "arch", { value: "mips" });
    console.log(require("tsfn-guard/register").stats().mode)'
  assert_success
  assert_output off
}

# Seen to fail: with process.stderr.write the program ended because of an unhandled 'error' event.
@test "a refusal without a reader: the program runs" {
  run timeout -k 5 "$TG_TIMEOUT" /usr/bin/python3 "$TG_SOURCE/test/helpers/deaf.py" pipe 2 "$TG_NODE" -e '
    Object.defineProperty(process, "arch", { value: "mips" });
    require("tsfn-guard/register");
    setTimeout(() => require("fs").writeSync(1, "ran"), 20);'
  assert_success
  assert_output ran
}

@test "an unsupported machine, or a file is missing: one line, and unguarded; with require=1 status 78" {
  local elsewhere='Object.defineProperty(process, "arch", { value: "mips" }); const guard = require("tsfn-guard/register");
    console.log(guard.stats().armed, guard.events().length)'
  run --separate-stderr node -e "$elsewhere"
  assert_success
  assert_output 'false 0'
  assert_equal "$(said)" 'does nothing on linux mips: it supports only Linux on x64 and arm64; it runs unguarded'
  TSFN_GUARD_OPTIONS=verbosity=1:require=1 run --separate-stderr node -e "$elsewhere"
  assert_failure 78
  assert_equal "$output" ''
  assert_regex "$(said)" '; require=1, so it does not start$'
  mkdir -p other/node_modules/tsfn-guard
  cp node_modules/tsfn-guard/*.js* other/node_modules/tsfn-guard
  cd other
  run --separate-stderr node -r tsfn-guard/register -p 1
  assert_success
  assert_output 1
  assert_equal "${#stderr_lines[@]}" 1
  assert_regex "$(said)" "^not armed: needed register.node and libtsfnguard.so, found Cannot find module '[^']*'; install "
  TSFN_GUARD_OPTIONS=require=1 run --separate-stderr node -e '
    const { Worker } = require("worker_threads");
    new Worker("require(`tsfn-guard/register`); console.log(`went on`)", { eval: true }).on("exit", console.log);'
  assert_output 78
  assert_regex "$(said)" '; require=1, so this worker does not start$'
}
