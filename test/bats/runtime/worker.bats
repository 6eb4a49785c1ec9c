# Test 2 of the matrix: the case of nodejs/node#55706 in workers that are terminated, many in a row, while their
# threads outlive them and go on calling, acquiring, releasing and asking for the context for two seconds.
#
# Natively SIGABRT within the first workers, 10 of 10 on every runtime, 24.21 and 26 included: those keep a
# closed function only while counts are held, and these threads call after theirs are gone.

load ../helper
load lifetime

@test "natively: dies within a few workers" {
  LD_PRELOAD=$ORACLE natively_dies lifetime-worker.js '5 4 1000'
}

# A thread that calls on may take another's count, so closing may come to it more often than once.
@test "guarded: 40 workers under the oracle, every answer within the contract, one finalizer each" {
  export ORACLE_TELL=1
  workers=$(repetitions 40)
  TG_TIMEOUT=$((30 + workers))
  run watched guarded lifetime-worker.js "$workers" 4 2000
  assert_success
  assert_line "$(functions "$workers")"
  assert_line --regexp "^threads=$((workers * 4)) told=$((workers * 4)) told_once=[0-9]+ wrong=0$"
  assert_line "oracle: TSFNs made=$workers freed=$workers"
}
