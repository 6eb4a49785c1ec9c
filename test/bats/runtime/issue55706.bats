# Test 1 of the matrix: the case of nodejs/node#55706. Natively the process dies on Node < 24.14 and survives on newer
# ones; guarded every run ends well, with each thread told napi_closing and one finalizer.
#
# The oracle makes the use of freed memory a fault that no run survives: what is left to chance is whether a thread calls
# after the function was freed. On a busy machine 2 runs of 36 had no such thread, as the loop thread was preempted
# between closing the function and freeing it until all threads had heard of it.

load ../helper

assert_ended_well() {
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
}

@test "natively: dies on Node < 24.14" {
  native_control
  if runtime_frees_closed; then
    LD_PRELOAD=$ORACLE natively_dies issue55706.js
  else
    for _ in $(seq 10); do
      run watched native issue55706.js
      assert_ended_well
    done
  fi
}

@test "guarded, under the oracle: exit 0, 32 times napi_closing, one finalizer" {
  export ORACLE_TELL=1
  for _ in $(seq "$(repetitions 10)"); do
    run watched guarded issue55706.js
    assert_ended_well
    assert_line 'oracle: TSFNs made=1 freed=1'
  done
}

@test "guarded: exit 0, 32 times napi_closing, one finalizer" {
  for _ in $(seq "$(repetitions 5)"); do
    run guarded issue55706.js
    assert_ended_well
  done
}
