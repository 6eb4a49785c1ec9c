# @duckdb/node-api 1.5.6-r.1 (node-addon-api, C++): query threads wait for a function in JavaScript.

load real
setup() { needs @duckdb/node-api; }
# It throws a C++ exception through JavaScript that was terminated.
fault=$'terminate called\nFATAL ERROR: Error::'

@test "work: a query calls JavaScript" {
  natively lives duckdb.js work <<<'{"sum":"5000050000","chunks":49}'
  lives duckdb.js work <<<'{"sum":"5000050000","chunks":49}'
}

@test "exit: process.exit() while busy" {
  own_fault 'a query in a thread of libuv waits for JavaScript, and Node at exit waits for that thread' \
    duckdb.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any duckdb.js worker <<<'survived'
  lives_or_own "$fault" duckdb.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any duckdb.js quit <<<'exiting'
  lives_or_own "$fault" duckdb.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any duckdb.js end <<<'ending'
  lives_or_own "$fault" duckdb.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast duckdb.js exit <<<'exiting'
  lives_fast duckdb.js quit <<<'exiting'
  lives_fast duckdb.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures.
@test "worker, with quirks=known" {
  lives_with quirks=known duckdb.js worker <<<'survived'
}
