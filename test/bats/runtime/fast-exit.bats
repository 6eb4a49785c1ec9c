# exit=fast: after the JavaScript 'exit' listeners the process ends at once. Until then nothing is
# different: output, messages and status are those without the guard, for each way in which a
# process ends.
#
# Seen to fail on Node 26, each time with one thing left out of src/preload/fast_exit.c or .js:
#  - "process.exit()": the exit handler
#  - "the natural end": the look at the stack (runsMicrotasks); the check whether the loop has
#    ended; also if the end came before rejections are handled (rejection), or had status 0 (code)
#  - "workers": if only the main thread requests the interrupt; if pthread_create is not redirected
#  - "in a context of its own": the main context
#  - "a terminal": reset_stdio
#  - "C's stdio": flush; alarm
#  - "what Node writes": the script's list; NODE_V8_COVERAGE; NODE_OPTIONS
#  - "the summary": write_last
#  - "register", on Debian's Node: the search for the isolate when the library is loaded

bats_require_minimum_version 1.5.0
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || exit
}

fast() {
  TSFN_GUARD_OPTIONS=exit=fast${FAST_OPTIONS:+:$FAST_OPTIONS} guarded "$@"
}

# ending HOW ARGS…: runs fast-exit.js once. The files are HOW.out, HOW.err, HOW.words (what the
# addon has written at its end) and HOW.status.
ending() {
  local status=0
  "$1" fast-exit.js "${@:2}" >"$1.out" 2>"$1.err" 3>"$1.words" </dev/null || status=$?
  echo "$status" >"$1.status"
}

# same_end CASE…: expects the same end with exit=fast as without the guard. Only the addon's words
# are missing.
same_end() {
  local what
  ending native "$@"
  ending fast "$@"
  for what in status out err; do
    diff "native.$what" "fast.$what" || fail "$*: its $what"
  done
  [[ -s native.words ]] || fail "$*: natively the addon said nothing"
  [[ ! -s fast.words ]] || fail "$*: the addon said $(<fast.words)"
}

# same_ends CASE…: the same for each of these cases.
same_ends() {
  local case
  for case; do same_end "$case"; done
}

@test "process.exit(): as without the guard" {
  same_ends exit exitCode exitCodeWins exitInListener exitInExit exitLater microtasksInExit throwingInExit
}

@test "the natural end: as without the guard" {
  same_ends natural code text negative listenerCode listenerCodeBack lateListener noListeners throwing ticks microtasks \
    rejection rejectionHandled runsMicrotasks beforeExit
}

@test "uncaught exceptions, unhandled rejections, a signal with a handler: as without the guard" {
  same_ends uncaught uncaughtLater unhandledRejection termHandled
  run -143 fast fast-exit.js term 3>/dev/null
  run -134 fast fast-exit.js abort 3>/dev/null
}

@test "process.emit and process.reallyExit are replaced, before the addon is loaded and later; reallyExit does not exit" {
  same_ends patched patchedExit stubbed
  same_end patched before
  same_end stubbed before
}

@test "workers that end, that are busy, and that alone have loaded the addon" {
  same_ends worker busyWorker busyWorkerEnd workerAlone
}

@test "a worker loads the addon while the main thread is in a context of its own" {
  [[ $TG_RUNTIME != *-18 ]] || skip "Node 18 does not tell its main context"
  same_end vm
}

# A listener throws, and the exception is handled. After that Node runs no microtask, so the guard
# cannot notice the end of the event, and the end is the usual one.
@test "if the end of the event cannot be noticed, the usual end" {
  ending native handled
  ending fast handled
  diff native.out fast.out
  diff native.status fast.status
  diff native.words fast.words
}

@test "an unsettled top-level await: status 13" {
  cat >await.mjs <<'END'
import { createRequire } from 'module';
createRequire(import.meta.url)(`${process.env.TEST_ADDONS}/last_words.node`).speak();
await new Promise(() => {});
END
  TSFN_GUARD_OPTIONS=exit=fast LD_PRELOAD=$TG_LIB run -13 timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" await.mjs 3>words
  assert_equal "$(<words)" ''
}

# At process.exit() Node writes to a pipe only what there is space for: 64 KiB, and what was read
# meanwhile.
@test "a megabyte, into a file and into a slow pipe" {
  local case how
  same_ends written writtenThenExit writtenByListener
  assert_equal "$(stat -c %s fast.out)" 1048576
  for how in native fast; do
    assert_equal "$("$how" fast-exit.js written 3>/dev/null | (sleep 0.5 && wc -c))" 1048576
    for case in writtenThenExit writtenByListener; do
      assert [ "$("$how" fast-exit.js "$case" 3>/dev/null | (sleep 0.5 && wc -c))" -ge 65536 ]
    done
  done
}

@test "what a worker has written arrives" {
  same_end writtenByWorker
}

@test "messages of a child that exits" {
  same_end parent
}

@test "node --test" {
  cat >a.test.js <<'END'
require(`${process.env.TEST_ADDONS}/last_words.node`).speak();
const { test } = require('node:test');
test('passes', async () => { await new Promise((resolve) => setTimeout(resolve, 10)); });
test('fails', () => { throw new Error('on purpose'); });
END
  run timeout "$TG_TIMEOUT" "$TG_NODE" --test a.test.js 3>/dev/null
  local native_status=$status native_lines=${#lines[@]}
  TSFN_GUARD_OPTIONS=exit=fast LD_PRELOAD=$TG_LIB run timeout "$TG_TIMEOUT" "$TG_NODE" --test a.test.js 3>words
  assert_equal "$status" "$native_status"
  assert_equal "${#lines[@]}" "$native_lines"
  assert_equal "$(<words)" ''
}

@test "C's stdio is flushed, and a lock that is never released does not block the end" {
  same_ends printed printedNatural locked
  [[ $(<fast.status) == 3 ]]
}

@test "a terminal gets its mode back" {
  command -v script >/dev/null || skip "script(1) is not there"
  run script -qec "TSFN_GUARD_OPTIONS=exit=fast LD_PRELOAD=$TG_LIB '$TG_NODE' '$PROGRAMS/fast-exit.js' raw 3>/dev/null
    stty -a" /dev/null </dev/null
  assert_output --regexp '[^-]icanon'
}

# refuses WHAT: expects that with exit=fast and NODE_FLAGS the end is the usual one, and that one
# line says why.
refuses() {
  ending fast exitCode
  assert_equal "$(<fast.status)" 7
  assert_equal "$(sed -n 's/^tsfn-guard\[[0-9]*\]: //p' fast.err)" "exit=fast: needed a program for which Node.js has \
nothing to write at its end, found $1; the process ends as with exit=normal"
  assert_equal "$(grep -c destructor fast.words)" 1
}

@test "what Node writes at its end is written" {
  local flag
  for flag in --cpu-prof --heap_prof --prof --trace-event-categories=node --inspect=0; do
    NODE_FLAGS=("$flag")
    refuses "$flag"
  done
  compgen -G '*.cpuprofile' && compgen -G '*.heapprofile' && compgen -G 'isolate*.log' && compgen -G 'node_trace*.log'
  NODE_FLAGS=()
  NODE_V8_COVERAGE=$PWD/coverage refuses NODE_V8_COVERAGE
  compgen -G 'coverage/*.json'
  NODE_OPTIONS=' --no-warnings  --trace-event-categories=v8' refuses --trace-event-categories=v8
}

@test "exit=normal: the usual end" {
  TSFN_GUARD_OPTIONS=exit=normal ending guarded exitCode
  assert_equal "$(grep -c destructor guarded.words)" 1
  assert_equal "$(<guarded.status)" 7
}

@test "the summary, the metrics and exitcode" {
  export FAST_OPTIONS=exitcode=77:format=json:log_path=$PWD/log:metrics_path=$PWD/metrics
  run -77 fast summary.js exit
  assert_output 'the end'
  assert_equal "$(jq -rc 'select(.type == "summary") | .process | [.live, .leaked]' log)" '[2,1]'
  assert_equal "$(grep -c '^tsfn_guard_events_total{.*code="TSG012".* 1$' metrics)" 1
  rm log
  run -77 fast summary.js normal
  assert_equal "$(jq -rc 'select(.type == "summary") | .process | [.live, .leaked]' log)" '[2,1]'
}

@test "tsfn-guard/register" {
  local machine=x64
  [[ $(uname -m) != aarch64 ]] || machine=arm64
  mkdir -p node_modules/tsfn-guard/prebuilds
  cp "$TG_SOURCE"/src/npm/{package.json,register.js} node_modules/tsfn-guard
  ln -s "$TG_BUILD" "node_modules/tsfn-guard/prebuilds/linux-$machine"
  for case in exitCode natural workerAlone; do
    ending native "$case"
    NODE_OPTIONS=--require=$PWD/node_modules/tsfn-guard/register.js TSFN_GUARD_OPTIONS=exit=fast \
      native fast-exit.js "$case" >out 2>err 3>words || true
    diff native.out out
    assert_equal "$(<words)" ''
    assert_equal "$(<err)" ''
  done
}

# Cases are left out if something is delivered when the main thread's environment ends
# (docs/operations.md).
@test "transcripts of programs whose output does not come from that end" {
  export FAST_OPTIONS=on.warn=ignore
  local run how
  for run in 'order threads' 'order between' 'order asyncHooks' 'order asyncHooksOfClosing' 'exceptions javaScript' \
    'exceptions callJs' 'exceptions inWorker' 'exit exit' 'exit exitAndCall' 'exit exitInFinalizer' 'exit exitCode' \
    'exit workerExit' 'exit terminateInCallback' 'exit workerEnds' 'loop flood' 'loop keptAlive' 'create refusals' \
    'create atWorkerTeardown' 'callbacks many' 'callbacks nested'; do
    for how in guarded fast; do
      status=0
      # shellcheck disable=SC2086 # program and case
      TSFN_GUARD_OPTIONS=on.warn=ignore "$how" transcript-${run/ /.js } >"$how.out" 2>"$how.err" || status=$?
      echo "$status" >>"$how.out"
      sed -i -E 's/\(node:[0-9]+\)/(node:PID)/' "$how.err"
    done
    diff guarded.out fast.out || fail "$run"
    diff guarded.err fast.err || fail "$run"
  done
}
