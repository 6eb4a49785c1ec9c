# node-web-audio-api 1.0.9 (napi-rs 2): the thread that renders reports the end of each sound.

load real
setup() { needs_large node-web-audio-api@1.0.9 20; }

@test "work: 64 sounds are rendered, and end" {
  natively lives web-audio.js work <<<'{"ended":64,"height":64,"silence":0}'
  lives web-audio.js work <<<'{"ended":64,"height":64,"silence":0}'
}

@test "exit: process.exit() while busy" {
  natively lives web-audio.js exit <<<'exiting'
  lives web-audio.js exit <<<'exiting'
}

@test "worker: workers are terminated while busy" {
  natively any web-audio.js worker <<<'survived'
  lives web-audio.js worker <<<'survived'
}

@test "quit: process.exit() while workers are busy" {
  natively any web-audio.js quit <<<'exiting'
  lives web-audio.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively any web-audio.js end <<<'ending'
  lives web-audio.js end <<<'ending'
}
