# The crash programs of the suite under the oracle (test/helpers/oracle.c). Every TSFN of the
# runtime has a page of its own, which disappears with the TSFN. So a use after free always faults,
# and never survives by luck.
#
# Seen without the guard, every time: the fault on all runtimes if threads share a count or outlive
# their worker, and on Node < 24.14 also if a finalizer releases an older function. Seen most times,
# but not always: the fault in the case of nodejs/node#55706, and if callbacks take a lock that the
# calling threads hold. The other programs are about other things, and hang or end well without the
# guard. They are run here too. With the guard there is no fault. Every doorbell that was made is
# freed again, except if exit() leaves it to the kernel.

load ../helper

setup() {
  export ORACLE_TELL=1
}

# assert_fault: expects a fault in the page of a freed TSFN. In about one of ten runs libuv aborts
# instead, if the mutex of the TSFN is used between its destruction and the free.
assert_fault() {
  [[ $status != 134 ]] || return 0
  assert_equal "$status" 139
  assert_output --partial 'oracle: use after free of TSFN memory'
}

# assert_certain_fault PROGRAM.js ARGS…: expects the fault without the guard, in every run.
assert_certain_fault() {
  for _ in $(seq "$(repetitions 3)"); do
    run watched native "$@"
    assert_fault
  done
}

# assert_no_fault PROGRAM.js ARGS…: expects no fault with the guard, and that all functions that
# were made are freed at the end.
assert_no_fault() {
  run watched guarded "$@"
  assert_success
  refute_output --partial 'use after free'
  assert_output --regexp 'oracle: TSFNs made=([0-9]+) freed='
  assert_output --partial "oracle: TSFNs made=${BASH_REMATCH[1]} freed=${BASH_REMATCH[1]}"
}

@test "without the guard: threads that share a count, or outlive their worker, use freed memory on every runtime" {
  native_control
  assert_certain_fault lifetime-shared.js abort
  assert_certain_fault lifetime-shared.js worker
  assert_certain_fault lifetime-worker.js 3 8 200
}

@test "without the guard: nodejs/node#55706 and others use freed memory on Node < 24.14" {
  native_control
  runtime_frees_closed || skip 'fixed in this Node'
  one_dies watched native issue55706.js
  assert_fault
  assert_certain_fault lifetime-hooks.js finalizerNewer
}

@test "guarded: nodejs/node#55706, and one watched function" {
  for _ in $(seq "$(repetitions 3)"); do
    assert_no_fault issue55706.js
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
    assert_line 'oracle: TSFNs made=1 freed=1'
  done
}

@test "guarded: no fault if threads share a count, or outlive their worker" {
  for _ in $(seq "$(repetitions 1)"); do
    assert_no_fault lifetime-shared.js abort
    assert_no_fault lifetime-shared.js worker
    assert_no_fault lifetime-worker.js 10 8 200
    assert_line 'oracle: TSFNs made=10 freed=10'
  done
}

@test "guarded: no fault if threads are blocked" {
  local ending
  for ending in abort worker natural; do assert_no_fault lifetime-blocked.js $ending 3; done
  assert_no_fault lifetime-blocked.js flow
  assert_no_fault lifetime-blocked.js recycle
  assert_line 'oracle: TSFNs made=11001 freed=11001'
}

@test "guarded: no fault in hooks, finalizers and callbacks" {
  local name
  for name in hook hookBlocked asyncHook asyncHookBlocked wrapped instanceData finalizerNewer joinAtEnd joinAtAbort \
    awaitAtEnd awaitAtAbort drainAtEnd drainAtAbort drainInWorker probe probeAtEnd probeAtAbort lockAtEnd \
    lockAtAbort; do
    assert_no_fault lifetime-hooks.js $name
  done
}

@test "guarded: no fault at exits" {
  local name
  for name in worker-exit worker-terminate; do assert_no_fault lifetime-exit.js $name; done
  for name in static blocked within; do
    run watched guarded lifetime-exit.js $name
    assert_success
    assert_line 'oracle: TSFNs made=1 freed=0'
  done
}

@test "guarded: no fault if a thread outlives its worker's addon" {
  assert_no_fault lifetime-mapped.js mapped_symbol start
}

@test "guarded: no fault in 8,192 functions that are created and released" {
  assert_no_fault lifetime-recycle.js 8192
  assert_line 'oracle: TSFNs made=8192 freed=8192'
}

@test "guarded: no fault under stress" {
  local seconds
  seconds=$(repetitions 4)
  TG_TIMEOUT=$((seconds + 60)) assert_no_fault stress.js "${TG_SEED:-$RANDOM}" "$seconds"
  assert_line 'unbalanced=0 foreign=0 disordered=0 late=0 twice_finalized=0 wrong_answers=0 lost=0 opened=0'
}
