# Exceptions that are thrown when JavaScript is over and nothing can catch them
# (test/addons/dying.c). The five functions that throw answer napi_ok.
#
# Seen to fail: without tg_unthrowable_open each of the five returns 10 (napi_pending_exception), as
# without the guard, and the exception of the JavaScript that was terminated stays pending.

bats_require_minimum_version 1.5.0
load ../helper

# thrown ANSWER: prints the line for the five functions, each with this answer. Debian's runtime of
# Node 18 has the fifth, too.
thrown() {
  echo "throw=$1 error=$1 last=$1 type=$1 range=$1 syntax=$1"
}

@test "within a callback of a worker that is terminated" {
  run native dying.js worker throws
  assert_success
  assert_output "$(thrown 10) pending=0"
  run guarded dying.js worker throws
  assert_success
  assert_output "$(thrown 0) pending=0"
}

@test "after JavaScript that was terminated while the addon waited for it" {
  run native dying.js within throws
  assert_success
  assert_output "interrupted=10 pending=1 $(thrown 10) pending=1"
  run guarded dying.js within throws
  assert_success
  assert_output "interrupted=10 pending=1 $(thrown 0) pending=0"
}

@test "in a cleanup hook at the end of the main thread" {
  run native dying.js main throws
  assert_success
  assert_output "$(thrown 10) pending=0"
  run guarded dying.js main throws
  assert_success
  assert_output "$(thrown 0) pending=0"
}

@test "if JavaScript runs, a second exception is refused, and the first stays" {
  local how
  for how in native guarded; do
    run $how dying.js live throws
    assert_success
    assert_output 'throw=0 error=10 last=10 type=10 range=10 syntax=10 pending=1 caught=the first'
  done
}

@test "mode=off answers as without the guard" {
  TSFN_GUARD_OPTIONS=mode=off run guarded dying.js within throws
  assert_success
  assert_output "interrupted=10 pending=1 $(thrown 10) pending=1"
}

@test "it is reported once for each addon, if asked for, and counted" {
  local log=$BATS_TEST_TMPDIR/log
  TSFN_GUARD_OPTIONS=on.info=log:summary=always run --separate-stderr guarded dying.js worker throws
  assert_success
  assert_regex "$stderr" 'TSG030 throw-ignored: [^ ]*/dying\.node called napi_throw in an env'
  assert_regex "$stderr" 'summary: TSG030 throw-ignored \(info\): 5 seen, 2 not reported, action log, addon /'
  TSFN_GUARD_OPTIONS=on.info=log:format=json:log_path=$log run guarded dying.js worker throws
  matches_schema "$log"
  # By default nothing is reported.
  run --separate-stderr guarded dying.js worker throws
  assert_equal "$stderr" ''
}
