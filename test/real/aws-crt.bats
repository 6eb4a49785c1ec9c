# aws-crt 1.33.2 (plain C): TSFNs for the steps of each request, called by its event loops.

load real
setup() { needs aws-crt; }
why='it exits with status 255 at any status but napi_ok'

@test "work: 40 requests are answered" {
  natively lives aws-crt.js work <<<'{"answers":40,"bytes":800110}'
  lives aws-crt.js work <<<'{"answers":40,"bytes":800110}'
}

@test "exit: process.exit() while busy" {
  natively lives aws-crt.js exit <<<'exiting'
  lives aws-crt.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  own_fault "$why" aws-crt.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  own_fault "$why" aws-crt.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  own_fault "$why" aws-crt.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast aws-crt.js exit <<<'exiting'
  lives_fast aws-crt.js quit <<<'exiting'
  lives_fast aws-crt.js end <<<'ending'
}

# Seen to fail without quirks: docs/quirks.md has the figures.
@test "worker, with quirks=known" {
  lives_with quirks=known aws-crt.js worker <<<'survived'
}
