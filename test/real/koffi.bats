# koffi 3.3.4 (Node-API): threads of a C library call JavaScript, while the env of that JavaScript ends.
# At exit natively the process may be gone before the next tick; that is rare.

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
