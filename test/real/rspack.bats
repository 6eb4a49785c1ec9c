# @rspack/core 2.3.2 (napi-rs 3): loaders and plug-ins in JavaScript, called by tokio threads.

load real
setup() { needs @rspack/core 20; }
why='its build goes on in data that ended with the env'

@test "work: a build with a loader and a plug-in" {
  natively lives rspack.js work <<<'{"errors":0,"resolved":101,"loaded":100}'
  lives rspack.js work <<<'{"errors":0,"resolved":101,"loaded":100}'
}

@test "exit: process.exit() while busy" {
  natively lives rspack.js exit <<<'exiting'
  lives rspack.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  own_fault "$why" rspack.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  own_fault "$why" rspack.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  own_fault "$why" rspack.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast rspack.js exit <<<'exiting'
  lives_fast rspack.js quit <<<'exiting'
  lives_fast rspack.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures. One run in a hundred dies of a fault
# of Rspack's own (docs/real-addons.md).
@test "worker, with quirks=known" {
  lives_or_own_with quirks=known 'failed to receive tsfn value: RecvError' rspack.js worker <<<'survived'
}
