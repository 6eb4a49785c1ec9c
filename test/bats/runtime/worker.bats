# Test 2 of the matrix: the case of nodejs/node#55706 in workers that are terminated, many in a row.
# Their threads outlive them, and go on to call, acquire, release and get the context for two
# seconds.
#
# Without the guard: SIGABRT within the first workers, 10 of 10 on every runtime, also on 24.21 and
# 26. Those two keep a closed function only while counts are held, but the threads here call after
# their counts are gone.

load ../helper
load lifetime

@test "without the guard: dies within a few workers" {
  LD_PRELOAD=$ORACLE natively_dies lifetime-worker.js '5 4 1000'
}

# A thread that goes on to call may consume another thread's count, so it may get napi_closing more
# than once.
@test "guarded: 40 workers under the oracle, every answer within the contract, one finalizer each" {
  export ORACLE_TELL=1
  workers=$(repetitions 40)
  TG_TIMEOUT=$((30 + workers))
  run watched guarded lifetime-worker.js "$workers" 4 2000
  assert_success
  assert_line "$(functions "$workers")"
  assert_line --regexp "^threads=$((workers * 4)) closing=$((workers * 4)) closing_once=[0-9]+ wrong=0$"
  assert_line "oracle: TSFNs made=$workers freed=$workers"
}
