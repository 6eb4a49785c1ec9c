# @nomicfoundation/edr 0.13.0 (napi-rs 2.16): TSFNs whose callers wait for what JavaScript answers.

load real
setup() { needs @nomicfoundation/edr-linux-x64-gnu 20; }
fault=$'threadsafe_function.rs\npanicked at crates/edr' # it ends the process where JavaScript gives no answer

@test "work: 20 transactions are sent" {
  natively lives edr.js work <<<'{"balance":"0xd2","events":20,"logged":true}'
  lives edr.js work <<<'{"balance":"0xd2","events":20,"logged":true}'
}

@test "exit: process.exit() while busy" {
  natively lives edr.js exit <<<'exiting'
  lives edr.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any edr.js worker <<<'survived'
  lives_or_own "$fault" edr.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any edr.js quit <<<'exiting'
  lives_or_own "$fault" edr.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any edr.js end <<<'ending'
  lives_or_own "$fault" edr.js end <<<'ending'
}
