# node-addon-api's TypedThreadSafeFunction ("typed") and ThreadSafeFunction ("plain"). An addon in
# C++ uses them as their documentation shows. With the guard nothing may change except the crashes.
#
# Seen without the guard:
#  - threads that flood when the worker or the process ends: 80 to 100 of 100 die on Node < 24.14;
#    none on newer;
#  - 8 blocking producers on a queue of 8: some 15 of 100 hang, on every runtime
#    (nodejs/node#58723); a single producer never does;
#  - "plain" leaks the items that an abort drops: node-addon-api itself does this, and it is the
#    same with the guard.

bats_require_minimum_version 1.5.0
load ../helper

END_WELL='contexts=0 finalized=1 running=0'
NO_FLOOD='rejected=0 otherAnswers=0 wrongContexts=0'

# report LINE: sets $accepted, $delivered, … from a line of the program's output.
report() {
  local word
  for word in $1; do declare -g "${word%%=*}=${word##*=}"; done
}

# Expects exactly this line, without and with the guard.
assert_both() {
  local expected=$1
  for how in native guarded; do
    run --separate-stderr $how "${@:2}"
    assert_success
    assert_output "$expected"
    assert_equal "$stderr" ''
  done
}

@test "threads that acquire, call and release: the same without and with the guard" {
  for kind in typed plain; do
    assert_both "accepted=2000 delivered=2000 dropped=0 items=0 $END_WELL $NO_FLOOD" addon-api.js talk $kind
    assert_both "accepted=500 delivered=500 dropped=0 items=0 $END_WELL $NO_FLOOD" addon-api.js talkBounded $kind
  done
}

@test "abort with items: the same without and with the guard" {
  local rest="$END_WELL rejected=1 otherAnswers=0 wrongContexts=0"
  assert_both "accepted=20 delivered=0 dropped=20 items=0 $rest" addon-api.js abort typed
  assert_both "accepted=20 delivered=0 dropped=0 items=20 $rest" addon-api.js abort plain
}

@test "8 blocking producers on a queue of 8 never hang" {
  for _ in $(seq "$(repetitions 3)"); do
    for kind in typed plain; do
      run --separate-stderr guarded addon-api.js talkFullQueue $kind
      assert_success
      assert_output "accepted=4000 delivered=4000 dropped=0 items=0 $END_WELL $NO_FLOOD"
    done
  done
}

@test "without the guard: floods at the end of a worker or of the process die on Node < 24.14" {
  local deaths=0
  for _ in 1 2; do
    for kind in typed plain; do
      for end in workerEnds workerTerminated mainEnds; do
        run native addon-api.js $end $kind
        if died "$status"; then deaths=$((deaths + 1)); fi
      done
    done
  done
  echo "# $TG_RUNTIME: natively $deaths of 12 died" >&3
  if runtime_frees_closed; then
    assert [ "$deaths" -gt 0 ]
  else
    assert_equal "$deaths" 0
  fi
}

@test "a worker ends while 16 threads flood: all are rejected, nothing is lost" {
  for _ in $(seq "$(repetitions 3)"); do
    for kind in typed plain; do
      for end in workerEnds workerTerminated; do
        run --separate-stderr guarded addon-api.js $end $kind
        assert_success
        assert_output --partial "$END_WELL rejected=16 otherAnswers=0 wrongContexts=0"
        report "$output"
        assert [ "$accepted" -gt 0 ]
        if [ $kind = typed ]; then
          assert_equal "$((delivered + dropped)) $items" "$accepted 0"
        else
          assert_equal "$((delivered + items)) $dropped" "$accepted 0"
        fi
      done
    done
  done
}

@test "the process ends while 16 threads flood: exit 0" {
  for _ in $(seq "$(repetitions 3)"); do
    for kind in typed plain; do
      run --separate-stderr guarded addon-api.js mainEnds $kind
      assert_success
      assert_output ''
    done
  done
}
