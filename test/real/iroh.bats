# @number0/iroh 1.1.0 (napi-rs 3): futures in threads of tokio borrow objects that the env owns, and
# outlive it.

load real
setup() { needs @number0/iroh 20; }
why='its futures use what ended with the env'
# Its package.json names a main file that does not exist, and Node warns of this.
export NODE_NO_WARNINGS=1

@test "work: 100 datagrams arrive" {
  natively lives iroh.js work <<<'{"sum":4950}'
  lives iroh.js work <<<'{"sum":4950}'
}

@test "exit: process.exit() while busy" {
  natively lives iroh.js exit <<<'exiting'
  lives iroh.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  own_fault "$why" iroh.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  own_fault "$why" iroh.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  own_fault "$why" iroh.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast iroh.js exit <<<'exiting'
  lives_fast iroh.js quit <<<'exiting'
  lives_fast iroh.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures.
@test "worker, with quirks=known" {
  lives_with quirks=known iroh.js worker <<<'survived'
}
