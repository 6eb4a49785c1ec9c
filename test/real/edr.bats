# @nomicfoundation/edr 0.13.0 (napi-rs 2.16): TSFNs whose callers wait for the answer of JavaScript.

load real
setup() { needs @nomicfoundation/edr-linux-x64-gnu 20; }
why='it ends the process where JavaScript gives no answer'

@test "work: 20 transactions are sent" {
  natively lives edr.js work <<<'{"balance":"0xd2","events":20,"logged":true}'
  lives edr.js work <<<'{"balance":"0xd2","events":20,"logged":true}'
}

@test "exit: process.exit() while busy" {
  natively lives edr.js exit <<<'exiting'
  lives edr.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  own_fault "$why" edr.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  own_fault "$why" edr.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  own_fault "$why" edr.js end <<<'ending'
}
