# The quirks dying and leak of named addons (test/addons/dying.c; docs/quirks.md). test/unit tests
# the quirk late.
#
# Seen to fail: without the redirection of dying.c (without tg_dying_prepare) each call returns 10,
# and all five finalizers run at the end of the worker.

bats_require_minimum_version 1.5.0
load ../helper

# with RULE PROGRAM.js ARGS…: runs it guarded, with one line in the file of quirks.
with() {
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/quirks"
  TSFN_GUARD_OPTIONS=quirks=$BATS_TEST_TMPDIR/quirks${OPTIONS:+:$OPTIONS} guarded "${@:2}"
}

ALL_REFUSED='^call_function=10 new_instance=10 .*resolve_deferred=10 .*create_buffer=10 .*wrap=10 pending=0$'

@test "dying: when JavaScript is over, each function that needs it succeeds, and returns an empty result" {
  run native dying.js worker calls
  assert_success
  assert_output --regexp "$ALL_REFUSED"
  run with '*/dying.node: dying' dying.js worker calls
  assert_success
  assert_output 'wrong=0 pending=0'
}

@test "dying: only for the addon that the line names" {
  for rule in '*/another.node: dying' '*/dying.node: late leak' '*/dying.node@<0: dying'; do
    run with "$rule" dying.js worker calls
    assert_success
    assert_output --regexp "$ALL_REFUSED"
  done
}

@test "dying: while JavaScript runs, all answers are those of the runtime" {
  run native dying.js live calls
  assert_success
  local native=$output
  run with '*/dying.node: dying leak' dying.js live calls
  assert_success
  assert_output "$native"
}

@test "dying: results that would be dereferenced are never NULL" {
  run with '*/dying.node: dying' dying.js worker unwrap
  assert_success
  assert_output 'unwrap=10 remove_wrap=10'
}

@test "dying: a loop that goes on until a call fails ends" {
  run with '*/dying.node: dying' dying.js worker loop
  assert_success
  # The guard gives 65,536 false answers. One of them ended the wait for the end of JavaScript,
  # before the loop began.
  assert_output 'answers=65535'
}

@test "leak: at the end of a worker no finalizer runs" {
  run native dying.js ends keep
  assert_success
  assert_output 'finalized=5'
  run with '*/dying.node: leak' dying.js ends keep
  assert_success
  assert_output 'finalized=0'
}

@test "leak: what is collected in a live env is finalized as usual" {
  NODE_FLAGS=(--expose-gc)
  run native dying.js collect hold
  assert_success
  local native=$output
  assert_output --regexp '^held=5
finalized=[34]$'
  run with '*/dying.node: leak' dying.js collect hold
  assert_success
  assert_output "$native"
}

@test "it is reported once for each addon, if asked for, and counted" {
  OPTIONS=on.info=log:summary=always run --separate-stderr with '*/dying.node: dying' dying.js worker calls
  assert_success
  assert_regex "$stderr" 'TSG031 false-answer: [^ ]*/dying\.node has the quirk dying, and called napi_call_function in'
  assert_regex "$stderr" 'summary:? *TSG031 false-answer \(info\): [1-9][0-9]+ seen'
  assert_regex "$stderr" 'quirk_dying [1-9][0-9]'
  OPTIONS=on.info=log:summary=always run --separate-stderr with '*/dying.node: leak' dying.js ends keep
  assert_success
  assert_regex "$stderr" 'TSG032 finalizer-left-out: [^ ]*/dying\.node has the quirk leak'
  assert_regex "$stderr" 'quirk_leak 5'
  local log=$BATS_TEST_TMPDIR/log
  OPTIONS=on.info=log:summary=always:format=json:log_path=$log run with '*/dying.node: dying' dying.js worker calls
  matches_schema "$log"
  OPTIONS=metrics_path=$BATS_TEST_TMPDIR/metrics run with '*/dying.node: leak' dying.js ends keep
  run grep -x 'tsfn_guard_quirk_total{quirk="leak"} 5' "$BATS_TEST_TMPDIR/metrics"
  assert_success
}

@test "a line that is not understood is reported, and the others count" {
  run --separate-stderr with $'no colon\n*/x.node: dead\n: leak\n*/x.node@>: leak\n*/dying.node: dying' dying.js worker calls
  assert_success
  assert_output 'wrong=0 pending=0'
  assert_equal "$(grep -cE 'quirks: .*/quirks:[1-4]: needed .*, found .*; the line is ignored: correct or remove it$' <<<"$stderr")" 4
  TSFN_GUARD_OPTIONS=quirks=$BATS_TEST_TMPDIR/none run --separate-stderr guarded dying.js live throws
  assert_regex "$stderr" 'needed a file that can be read, found No such file or directory; no addon has quirks: correct the file or the option$'
}
