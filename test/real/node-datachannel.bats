# node-datachannel 0.33.4 (node-addon-api, C++): threads of libdatachannel report to JavaScript what
# has arrived. A callback that is called at the end of JavaScript throws. The addon has its own
# unwinder, which is hidden. It finds no handler for the exception.

load real
setup() { needs node-datachannel; }
why='it throws where JavaScript is over, and nobody can catch that'

@test "work: 500 messages arrive" {
  natively lives node-datachannel.js work <<<'{"count":500,"sum":124750}'
  lives node-datachannel.js work <<<'{"count":500,"sum":124750}'
}

@test "exit: process.exit() while busy" {
  natively lives node-datachannel.js exit <<<'exiting'
  lives node-datachannel.js exit <<<'exiting'
}

@test "worker: a worker is terminated while busy" {
  own_fault "$why" node-datachannel.js worker <<<'survived'
}

@test "quit: process.exit() while a worker is busy" {
  own_fault "$why" node-datachannel.js quit <<<'exiting'
}

@test "end: the main thread ends while a worker is busy" {
  own_fault "$why" node-datachannel.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast node-datachannel.js exit <<<'exiting'
  lives_fast node-datachannel.js quit <<<'exiting'
  lives_fast node-datachannel.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures.
@test "worker, with quirks=known" {
  lives_with quirks=known node-datachannel.js worker <<<'survived'
}
