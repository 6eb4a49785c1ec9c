# Test 3 of the matrix: 8 threads share a thread_count of 1 (as napi-rs, neon, parcel and koffi do).
# Then comes an abort or the end of the worker. Every thread goes on for at least 20,000 calls and
# 300 ms.
#
# Without the guard: SIGABRT 20 of 20 on every runtime, also on 24.21 and 26, for abort and for the
# end of the worker. This happens even if freed memory is not overwritten. The first thread that
# gets napi_closing consumes the last count, Node frees the function, and the other threads lock a
# destroyed mutex.

load ../helper
load lifetime

setup() {
  # Freed memory is overwritten, so that its use does not go unnoticed. This holds without and with
  # the guard.
  export GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0
}

@test "without the guard: uses freed memory and dies, on every Node" {
  native_control
  LD_PRELOAD=$ORACLE natively_dies lifetime-shared.js abort worker
}

# Each thread gets napi_closing once, and from then on napi_invalid_arg. Any other answer counts as
# wrong.
@test "guarded: abort: each thread gets napi_closing once, then napi_invalid_arg" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-shared.js abort <<<"$(functions 1; echo delivered=N drained=N; threads 8)"
  done
}

@test "guarded: end of the worker: each thread gets napi_closing once, then napi_invalid_arg" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-shared.js worker <<<"$(functions 1; echo delivered=N drained=N; threads 8)"
  done
}
