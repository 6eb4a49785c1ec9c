# Test 3 of the matrix: a thread_count of 1 shared by 8 threads (as napi-rs, neon, parcel and koffi do it), then abort
# or the end of the worker; every thread goes on for 20,000 calls and 300 ms at least.
#
# Natively SIGABRT 20 of 20 on every runtime, 24.21 and 26 included, for abort and for the end of the worker; also
# without overwriting freed memory: the first thread that is told closing takes the last count, Node frees the
# function, and the other threads lock a destroyed mutex.

load ../helper
load lifetime

setup() {
  # Freed memory is overwritten, so that its use does not pass unnoticed; natively and guarded alike.
  export GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0
}

@test "natively: uses freed memory and dies, on every Node" {
  native_control
  LD_PRELOAD=$ORACLE natively_dies lifetime-shared.js abort worker
}

# Each is told closing once, and from then on invalid_arg: any other answer counts as wrong.
@test "guarded: abort: each thread is told closing once, then invalid_arg" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-shared.js abort <<<"$(functions 1; echo delivered=N drained=N; threads 8)"
  done
}

@test "guarded: end of the worker: each thread is told closing once, then invalid_arg" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-shared.js worker <<<"$(functions 1; echo delivered=N drained=N; threads 8)"
  done
}
