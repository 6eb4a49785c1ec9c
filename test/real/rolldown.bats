# rolldown 1.3.2 (napi-rs 3): it finds the functions by dlsym, and calls plug-ins from threads of
# tokio.

load real
setup() { needs rolldown 20; }

@test "work: five builds of sixty modules" {
  natively lives rolldown.js work <<<'sum=60'
  lives rolldown.js work <<<'sum=60'
}

@test "worker: two are terminated while they build" {
  natively lives rolldown.js worker <<<'terminated'
  lives rolldown.js worker <<<'terminated'
}

@test "alone: the same if the main thread has not loaded the addon" {
  natively lives rolldown.js alone <<<'terminated'
  lives rolldown.js alone <<<'terminated'
}

@test "exit: process.exit() while it builds" {
  natively lives rolldown.js exit <<<'exiting'
  lives rolldown.js exit <<<'exiting'
}
