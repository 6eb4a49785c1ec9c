# Programs that do nothing wrong cause no event of any kind. In these tests every event would abort
# the process, and the log must be empty. For mode=protect, every other test of the suite that
# expects an empty stderr shows the same.

bats_require_minimum_version 1.5.0
load ../helper

setup() {
  LOG=$BATS_TEST_TMPDIR/log
  export TSFN_GUARD_OPTIONS=mode=diagnose:log_path=$LOG
  for severity in fatal-avoided hang-avoided warn leak info; do TSFN_GUARD_OPTIONS+=:on.$severity=abort; done
}

# is_clean OUTPUT PROGRAM ARGS…: expects that the guarded program prints this and causes no event.
is_clean() {
  run --separate-stderr guarded "${@:2}"
  assert_success
  assert_output --partial "$1"
  assert_equal "$stderr" ''
  assert_equal "$(<"$LOG")" '' # this also shows that the file was opened
}

@test "an event aborts the process, so that the other tests could fail" {
  run guarded events.js provoke TSG012
  assert_equal "$status" 134
  assert_equal "$(grep -c 'TSG012 over-release' "$LOG")" 1
}

@test "created, called from threads that acquired it, released, finalized: no report" {
  for _ in $(seq "$(repetitions 2)"); do
    is_clean 'delivered 301' clean.js main
    is_clean 'delivered 301' clean.js worker
  done
}

@test "node-addon-api's functions: no report" {
  for kind in typed plain; do
    is_clean 'delivered=2000' addon-api.js talk $kind
    is_clean 'delivered=500' addon-api.js talkBounded $kind
    is_clean 'finalized=1' addon-api.js abort $kind
  done
}

@test "8 blocking producers on a queue of 8: no report" {
  is_clean 'delivered=4000' addon-api.js talkFullQueue typed
}

@test "65,536 functions that come and go: no report, although each slot has had many" {
  is_clean 'repeated=0 memory=flat' lifetime-recycle.js $((1 << 16))
}
