# Test 1 of the matrix: the case of nodejs/node#55706. Natively the process dies on every run on Node < 24.14 and
# survives on newer ones; guarded every run ends well, with each thread told napi_closing and one finalizer.

load ../helper

@test "natively: dies on Node < 24.14, every time" {
  for _ in $(seq 10); do
    run native issue55706.js
    if runtime_frees_closed; then
      assert died "$status"
    else
      assert_success
    fi
  done
}

@test "guarded: exit 0, 32 times napi_closing, one finalizer" {
  for _ in $(seq "$(repetitions 100)"); do
    run guarded issue55706.js
    assert_success
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  done
}
