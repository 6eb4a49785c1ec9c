# lightningcss 1.33.0 (napi-rs 2): threads of a Rust pool call the resolvers of workers that have
# ended. Without the guard they use freed memory in napi_call_threadsafe_function, and with
# nodejs/node#55877 in the release after napi_closing. A thread that asked before the worker's end
# waits for its answer for ever, with and without the guard. This is a fault of the addon.

load real
setup() { needs lightningcss; }

@test "work: twenty bundles of twenty files" {
  natively lives lightningcss.js work <<<'rules=20'
  lives lightningcss.js work <<<'rules=20'
}

@test "worker: four are terminated while they bundle" {
  natively may_die lightningcss.js worker <<<'terminated'
  lives lightningcss.js worker <<<'terminated'
}

@test "alone: the same if the main thread has not loaded the addon" {
  natively may_die lightningcss.js alone <<<'terminated'
  lives lightningcss.js alone <<<'terminated'
}

@test "exit: process.exit() while it bundles" {
  natively lives lightningcss.js exit <<<'exiting'
  lives lightningcss.js exit <<<'exiting'
}
