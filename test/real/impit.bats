# impit 0.14.5 (napi-rs 3.10): a TSFN for each promise.

load real
setup() { needs impit 20; }
fault=$'failed to delete napi ref\nCouldn\'t get Response constructor' # its call_js_cb asserts where env is NULL

@test "work: 50 requests are answered" {
  natively lives impit.js work <<<'{"answers":50,"right":true}'
  lives impit.js work <<<'{"answers":50,"right":true}'
}

@test "exit: process.exit() while busy" {
  natively lives impit.js exit <<<'exiting'
  lives impit.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any impit.js worker <<<'survived'
  lives_or_own "$fault" impit.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any impit.js quit <<<'exiting'
  lives_or_own "$fault" impit.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any impit.js end <<<'ending'
  lives_or_own "$fault" impit.js end <<<'ending'
}
