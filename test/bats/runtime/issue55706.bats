# Test 1 of the matrix: the case of nodejs/node#55706. Without the guard the process dies on Node <
# 24.14 and survives on newer versions. With the guard every run ends well: each thread gets
# napi_closing, and there is one finalizer.
#
# With the oracle, no run survives the use of freed memory. Only one thing is left to chance:
# whether a thread calls after the function was freed. On a busy machine this did not happen in 2
# runs of 36. The loop thread was preempted between closing the function and freeing it, until all
# threads had got napi_closing.

load ../helper

assert_ended_well() {
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
}

@test "without the guard: dies on Node < 24.14" {
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
