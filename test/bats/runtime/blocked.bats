# Callers blocked on a full queue: every way to end the function wakes them, none is forgotten while
# items flow, and none gets into another function when its slot is reused.
#
# Without the guard every runtime hangs with 3 and with 16 blocked callers, whatever ended the
# function, because Node wakes only one. With one caller it mostly ends well; on Node 18 and 20 some
# runs ended with SIGABRT. The flow freezes on every runtime, and so does the abort of 200 blocked
# callers.

load ../helper
load lifetime

blocked_callers() {
  for callers in 1 3 16; do
    for _ in $(seq "$(repetitions 2)"); do
      expect_guarded lifetime-blocked.js "$1" "$callers" \
        <<<"$(functions 1; echo delivered=4 drained=4; threads "$callers")"
    done
  done
}

@test "without the guard: closing wakes one caller; if more are blocked it hangs, on every Node" {
  natively_dies lifetime-blocked.js 'abort 3' 'abort 16' 'worker 3' 'worker 16' 'natural 3' 'natural 16'
  native_may_die lifetime-blocked.js 'abort 1' 'worker 1' 'natural 1'
}

@test "guarded: abort wakes all blocked callers" {
  blocked_callers abort
}

@test "guarded: the end of the worker wakes all blocked callers" {
  blocked_callers worker
}

@test "guarded: the natural end wakes all blocked callers" {
  blocked_callers natural
}

@test "without the guard: 8 blocking producers on a queue of 50 freeze, on every Node (nodejs/node#58723)" {
  natively_dies lifetime-blocked.js flow
}

@test "guarded: 16,000 items of 8 blocking producers arrive, each thread's in order" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-blocked.js flow \
      <<<"$(functions 1; echo delivered=16000 drained=0; threads_without_closing 8)"
  done
}

# A guard that frees a slot while callers sleep in it delivers 200 of 200 foreign items here.
@test "guarded: a slot is not reused while 200 callers sleep in it" {
  for _ in $(seq "$(repetitions 2)"); do
    expect_guarded lifetime-blocked.js recycle <<<"$(functions 11001; echo delivered=1 drained=1; threads 200)"
  done
}
