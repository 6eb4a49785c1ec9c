# Exceptions that are thrown where JavaScript is over, and nothing can catch them (test/addons/dying.c): the five functions
# answer napi_ok.
#
# Seen to fail: with tg_unthrowable_open left out each of the five is answered 10 (napi_pending_exception), guarded as
# natively, and the exception of JavaScript that was ended stays pending.

bats_require_minimum_version 1.5.0
load ../helper

# thrown ANSWER: the line of the five, each answered this. Debian's runtime of Node 18 has the fifth too.
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

@test "after JavaScript that was ended while the addon waited for it" {
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

@test "where JavaScript runs, a second exception is refused, and the first stays" {
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

@test "it is told once an addon, if asked for, and counted" {
  local log=$BATS_TEST_TMPDIR/log
  TSFN_GUARD_OPTIONS=on.info=log:summary=always run --separate-stderr guarded dying.js worker throws
  assert_success
  assert_regex "$stderr" 'TSG030 throw-ignored: [^ ]*/dying\.node called napi_throw in an env'
  assert_regex "$stderr" 'summary: TSG030 throw-ignored \(info\): 5 seen, 2 not reported, action log, addon /'
  TSFN_GUARD_OPTIONS=on.info=log:format=json:log_path=$log run guarded dying.js worker throws
  matches_schema "$log"
  # By default nothing is said of it.
  run --separate-stderr guarded dying.js worker throws
  assert_equal "$stderr" ''
}
