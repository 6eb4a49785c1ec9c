# impit 0.14.5 (napi-rs 3.10): a TSFN for each promise.

load real
setup() { needs impit 20; }
why='its call_js_cb panics where env is NULL, and its futures use what ended with the env'

@test "work: 50 requests are answered" {
  natively lives impit.js work <<<'{"answers":50,"right":true}'
  lives impit.js work <<<'{"answers":50,"right":true}'
}

@test "exit: process.exit() while busy" {
  natively lives impit.js exit <<<'exiting'
  lives impit.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  own_fault "$why" impit.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  own_fault "$why" impit.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  own_fault "$why" impit.js end <<<'ending'
}

@test "exit=fast: process.exit() and the natural end while busy" {
  lives_fast impit.js exit <<<'exiting'
  lives_fast impit.js quit <<<'exiting'
  lives_fast impit.js end <<<'ending'
}
