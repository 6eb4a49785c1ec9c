# 16 threads, 200 functions and three workers that come and go. They use and misuse each other's
# functions at random: late calls, stale handles, releases without a count, values that were never a
# handle. The program (test/addons/stress.c) accounts for every item and checks every answer. The
# seed is printed. TG_SEED=N uses that seed.
#
# Without the guard this misuse crashes within a second on every runtime (SIGSEGV, 3 of 3 each).
# recycle.bats creates and releases functions at full rate.

load ../helper

# The tier `full` runs it for a minute. Soak runs say how long.
seconds=${TG_STRESS_SECONDS:-12}

@test "without the guard: crashes" {
  native_control
  natively_dies stress.js "${TG_SEED:-$RANDOM} 10"
}

@test "guarded: no crash, no hang, every item accounted for, no growth" {
  TG_TIMEOUT=$((seconds + 60)) run guarded stress.js "${TG_SEED:-$RANDOM}" "$seconds"
  grep -v '^tsfn-guard' <<<"$output" | tr -s '\n ' ' ' | sed "s/^/# $TG_RUNTIME: /; s/\$/\n/" >&3
  assert_success
  assert_line 'unbalanced=0 foreign=0 disordered=0 late=0 twice_finalized=0 wrong_answers=0 lost=0 opened=0'
  # Growth is measured from the second quarter of the run to the last. In a run as short as this
  # one, V8 and malloc still take up to 30 MiB more; in a run of a minute, 8 MiB. oracle.bats shows
  # that no TSFN stays behind.
  assert_output --regexp 'grown: (-?[0-9]+)'
  assert [ "${BASH_REMATCH[1]}" -lt 64 ]
  # The run really did what it claims.
  assert_output --regexp 'workers: ([0-9]+)'
  assert [ "${BASH_REMATCH[1]}" -ge 20 ]
  assert_output --regexp 'created: ([0-9]+)'
  assert [ "${BASH_REMATCH[1]}" -ge 2000 ]
  assert_output --regexp 'turned_away: ([0-9]+)'
  assert [ "${BASH_REMATCH[1]}" -ge 1000 ]
}

@test "the watchdog prints the stacks of all threads and aborts when nothing moves" {
  run guarded stress.js 1 20 2 stall
  assert_equal "$status" 134
  assert_line 'stress: nothing moves for 2 s'
  assert_line --regexp '^stress: thread 15: [0-9]+ steps, now at '
  assert_output --regexp 'Thread [0-9]+ .*LWP'
  assert_output --partial run_actor
}
