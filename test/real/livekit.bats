# @livekit/rtc-node 1.1.0 (napi-rs 3.11): one TSFN for all events of a library that lives as long as
# the process.

load real
setup() { needs @livekit/rtc-node; }

@test "work: 20 frames of audio are taken" {
  natively lives livekit.js work <<<'{"frames":20}'
  lives livekit.js work <<<'{"frames":20}'
}

@test "worker: workers are terminated while busy" {
  natively lives livekit.js worker <<<'survived'
  lives livekit.js worker <<<'survived'
}

@test "exit: process.exit() while busy" {
  natively lives livekit.js exit <<<'exiting'
  lives livekit.js exit <<<'exiting'
}

@test "quit: process.exit() while workers are busy" {
  natively lives livekit.js quit <<<'exiting'
  lives livekit.js quit <<<'exiting'
}

@test "end: the main thread ends while workers are busy" {
  natively lives livekit.js end <<<'ending'
  lives livekit.js end <<<'ending'
}
