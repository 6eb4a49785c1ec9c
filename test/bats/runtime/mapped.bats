# Test 6 of the matrix: only workers load the addon, and Node unloads it when they end, while their
# threads run its code for 300 ms more. Afterwards it is loaded again. Both ways of registering a
# module are tested.
#
# Without the guard: SIGSEGV (seldom SIGABRT) 5 of 5 on every runtime for both ways of registering.
# If no counts are outstanding, the addon is unloaded and loaded again without a fault.

load ../helper
load lifetime

# On a busy machine a thread may end after the next worker has begun.
transcript() {
  grep -v '^tsfn-guard\[' <<<"$output" | LC_ALL=C sort
}

rejected='thread: closing=1 wrong=0'

@test "without the guard: the thread's code is unmapped under it, on every Node" {
  native_control
  natively_dies lifetime-mapped.js 'mapped_symbol start' 'mapped_constructor start'
}

@test "guarded: registered by symbol: stays mapped, and can be loaded again" {
  expect_guarded lifetime-mapped.js mapped_symbol start <<<"loaded
loaded
loaded
$rejected
$rejected
$rejected"
}

@test "guarded: registered by constructor, nothing outstanding: unloaded as usual, and can be loaded again" {
  expect_guarded lifetime-mapped.js mapped_constructor startAndFinish <<<'loaded
loaded
loaded'
}

# This is usual at teardown: the function was created, unref'd, and never released. No other thread
# has used it, so no thread can still run the code, and keeping it mapped would break the next
# worker.
@test "guarded: registered by constructor, a count that no other thread has used: can be loaded again" {
  expect_guarded lifetime-mapped.js mapped_constructor create <<<'loaded
loaded
loaded'
}

# Its constructor does not run again, because it stays mapped. The guard registers it again. Without
# the guard, if something keeps it mapped, Node refuses it: "Module did not self-register".
@test "guarded: registered by constructor, counts outstanding: stays mapped, and can be loaded again" {
  expect_guarded lifetime-mapped.js mapped_constructor start <<<"loaded
loaded
loaded
$rejected
$rejected
$rejected"
}

@test "guarded, pin=0: as without the guard" {
  for addon in mapped_symbol mapped_constructor; do
    TSFN_GUARD_OPTIONS=pin=0 one_dies guarded lifetime-mapped.js "$addon" start
  done
}
