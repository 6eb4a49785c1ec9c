# Tests millions of handles: none occurs twice, no memory is held, and the process still exits. Also
# tests little address space.
#
# Without the guard, of 65,536 functions 55,000 to 58,000 have the address of an earlier one. 2^21
# guarded cycles took 14 to 27 s on a busy machine with 2 cores (2^19 on an idle one: 1.6 s). The
# tier `full` runs that many, and soak runs say how many (TG_CYCLES).

load ../helper
load lifetime

CYCLES=${TG_CYCLES:-$((1 << 19))}
LIMITED_CYCLES=${TG_CYCLES:-$((1 << 18))}

# cycles HOW N: runs N cycles. A busy machine makes about 100,000 cycles a second.
cycles() {
  TG_TIMEOUT=$((60 + $2 / 10000)) run "$1" lifetime-recycle.js "$2"
  assert_success
  assert_output "cycles=$2 repeated=0 memory=flat opened=0"
}

@test "without the guard: addresses are reused, so an old handle means another function" {
  run native lifetime-recycle.js 65536
  assert_success
  refute_output --partial repeated=0
}

@test "guarded: half a million create and release cycles: no handle twice, memory flat, no descriptor left open, exits" {
  cycles guarded "$CYCLES"
}

# The limit is 8 GiB, with which every Node starts. The guard's reservations together must stay
# below 1 GiB.
limited() {
  (ulimit -v $((8 * 1024 * 1024)) && guarded "$@")
}

@test "guarded, ulimit -v 8 GiB: armed, and no other message" {
  TSFN_GUARD_OPTIONS=verbosity=1 run limited lifetime-recycle.js 1024
  assert_success
  assert_line --index 0 --regexp '^tsfn-guard\[[0-9]+\]: tsfn-guard .* armed: '
  assert_equal "${#lines[@]}" 2
  TSFN_GUARD_OPTIONS=require=1 run limited lifetime-recycle.js 1024
  assert_success
  assert_output 'cycles=1024 repeated=0 memory=flat opened=0'
}

@test "guarded, ulimit -v 8 GiB: the case of nodejs/node#55706" {
  for _ in $(seq "$(repetitions 5)"); do
    run limited issue55706.js
    assert_success
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  done
}

@test "guarded, ulimit -v 8 GiB: no handle twice" {
  cycles limited "$LIMITED_CYCLES"
}

tight() {
  LD_PRELOAD=$TG_LIB:$TG_BUILD/helpers/libtight.so TG_TIMEOUT=300 native "$@"
}

# An eighth of the limit has space for the first reservation and for no other: 2^21 handles.
@test "guarded, with address space for 2^21 handles: the next function is the runtime's own, and this is reported" {
  ((CYCLES >= 1 << 21)) || skip "2^21 creates take up to half a minute; the tier full makes them"
  local all=$((1 << 21))
  run tight lifetime-recycle.js $all
  assert_success
  assert_output "cycles=$all repeated=0 memory=flat opened=0"
  run tight lifetime-recycle.js $((all + 1))
  assert_success
  assert_output --partial 'TSG027 handles-used-up (warn)'
  assert_line --partial "cycles=$((all + 1)) repeated=0 "
}
