# ffi-rs 1.3.7 (napi-rs 2): threads of a C library call JavaScript. Each call passes arguments of
# the types for which its TSFN was created.

load real
setup() { needs ffi-rs; }
fault='panicked at src/lib.rs' # it unwraps an answer that failed at the end of JavaScript

@test "work: 200 threads call back" {
  natively lives ffi-rs.js work <<<'{"calls":200,"sum":19900}'
  lives ffi-rs.js work <<<'{"calls":200,"sum":19900}'
}

@test "exit: process.exit() while busy" {
  natively lives ffi-rs.js exit <<<'exiting'
  lives ffi-rs.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any ffi-rs.js worker <<<'survived'
  lives_or_own "$fault" ffi-rs.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any ffi-rs.js quit <<<'exiting'
  lives_or_own "$fault" ffi-rs.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any ffi-rs.js end <<<'ending'
  lives_or_own "$fault" ffi-rs.js end <<<'ending'
}
