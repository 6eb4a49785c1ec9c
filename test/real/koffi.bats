# koffi 3.3.4 (Node-API): threads of a C library call JavaScript while its env ends. At exit without
# the guard, the process is sometimes gone before the next tick. This is rare.

load real
setup() { needs koffi; }

@test "work: a timer calls 200 times" {
  natively lives koffi.js work <<<'200 ticks'
  lives koffi.js work <<<'200 ticks'
}

@test "exit: the main thread ends under the timer" {
  natively may_die koffi.js exit <<<'ticking'
  lives koffi.js exit <<<'ticking'
}

@test "worker: it is terminated under the timer" {
  natively dies koffi.js worker <<<'ticking'
  lives koffi.js worker <<<'ticking'
}
