# @temporalio/core-bridge 1.24.0 (neon 1): each thread has one TSFN, which settles all promises. If
# a call returns napi_closing, its thread panics, which ends the task and not the process.

load real
setup() { needs_large @temporalio/core-bridge@1.24.0 20; }
fault='Failed to resolve promise' # neon calls napi_fatal_error when JavaScript is over

@test "work: ten connections are refused" {
  natively lives temporal.js work <<<'{"refused":10}'
  lives temporal.js work <<<'{"refused":10}'
}

@test "exit: process.exit() while busy" {
  natively lives temporal.js exit <<<'exiting'
  lives temporal.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any temporal.js worker <<<'survived'
  lives_or_own "$fault" temporal.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any temporal.js quit <<<'exiting'
  lives_or_own "$fault" temporal.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any temporal.js end <<<'ending'
  lives_or_own "$fault" temporal.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures.
@test "worker, with quirks=known" {
  lives_with quirks=known temporal.js worker <<<'survived'
}
