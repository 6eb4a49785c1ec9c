# Test 1 of the matrix: the case of nodejs/node#55706. Natively the process dies on Node < 24.14 and survives on newer
# ones; guarded every run ends well, with each thread told napi_closing and one finalizer.
#
# Natively on an idle machine it dies every time. On a busy one 2 runs of 36 lived, as the loop thread was preempted
# between closing the function and freeing it until all threads had heard of it; so half must die.

load ../helper

assert_ended_well() {
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
}

@test "natively: dies on Node < 24.14" {
  local deaths=0
  for _ in $(seq 10); do
    run native issue55706.js
    if died "$status"; then deaths=$((deaths + 1)); else assert_ended_well; fi
  done
  if runtime_frees_closed; then assert [ "$deaths" -ge 5 ]; else assert_equal "$deaths" 0; fi
}

@test "guarded: exit 0, 32 times napi_closing, one finalizer" {
  for _ in $(seq "$(repetitions 100)"); do
    run guarded issue55706.js
    assert_ended_well
  done
}
