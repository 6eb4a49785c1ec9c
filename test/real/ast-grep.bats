# @ast-grep/napi 0.51.1 (napi-rs 3.16, which finds the symbols with dlsym): many threads call one
# TSFN.

load real
setup() { needs @ast-grep/napi; }

@test "work: 60 files are searched" {
  natively lives ast-grep.js work <<<'{"files":60,"found":6000}'
  lives ast-grep.js work <<<'{"files":60,"found":6000}'
}

@test "worker: workers are terminated while busy" {
  natively lives ast-grep.js worker <<<'survived'
  lives ast-grep.js worker <<<'survived'
}

@test "exit: process.exit() while busy" {
  natively lives ast-grep.js exit <<<'exiting'
  lives ast-grep.js exit <<<'exiting'
}

@test "quit: process.exit() while workers are busy" {
  natively lives ast-grep.js quit <<<'exiting'
  lives ast-grep.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively lives ast-grep.js end <<<'ending'
  lives ast-grep.js end <<<'ending'
}
