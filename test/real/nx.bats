# nx 24.0.6 (napi-rs 3.8): for each terminal, a thread of the addon passes the output to a TSFN.

load real
setup() { needs @nx/nx-linux-x64-gnu; }

@test "work: the output of a command arrives" {
  natively lives nx.js work <<<'{"ending":"Success","count":2000,"sum":4001000}'
  lives nx.js work <<<'{"ending":"Success","count":2000,"sum":4001000}'
}

@test "worker: workers are terminated while busy" {
  natively lives nx.js worker <<<'survived'
  lives nx.js worker <<<'survived'
}

@test "exit: process.exit() while busy" {
  natively lives nx.js exit <<<'exiting'
  lives nx.js exit <<<'exiting'
}

@test "quit: process.exit() while workers are busy" {
  natively lives nx.js quit <<<'exiting'
  lives nx.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively lives nx.js end <<<'ending'
  lives nx.js end <<<'ending'
}
