# @parcel/watcher 2.6.0 (node-addon-api): its thread lives as long as the process, and goes on calling the subscribers
# of envs that have ended: with the first call on Node without nodejs/node#55877, else with the second.
# What is delivered while a worker cannot run JavaScript any more makes it throw, which nothing can catch; natively that is
# refused, and node-addon-api calls napi_fatal_error.

load real
setup() { needs @parcel/watcher; }

@test "work: each change of a file is told" {
  natively lives parcel-watcher.js work <<<'create=5 update=5 delete=5'
  lives parcel-watcher.js work <<<'create=5 update=5 delete=5'
}

@test "idle: a subscribed worker is terminated, then the directory changes" {
  natively dies parcel-watcher.js idle <<<'create=5 update=5 delete=5'
  lives parcel-watcher.js idle <<<'create=5 update=5 delete=5'
}

@test "alone: the same where the main thread has not loaded the addon" {
  natively dies parcel-watcher.js alone <<<'changed'
  lives parcel-watcher.js alone <<<'changed'
}

@test "busy: a worker is terminated while it is told of changes" {
  natively dies parcel-watcher.js busy <<<'create=5 update=5 delete=5'
  lives parcel-watcher.js busy <<<'create=5 update=5 delete=5'
}

# Seen to fail: before the guard answered napi_ok to such a throw each of 60 runs died guarded too (Node 20 to 26).
@test "stuck: a worker is terminated while events wait that it does not get to" {
  natively dies parcel-watcher.js stuck <<<'create=5 update=5 delete=5'
  lives parcel-watcher.js stuck <<<'create=5 update=5 delete=5'
}

@test "exit: process.exit() while it is told of changes" {
  natively lives parcel-watcher.js exit <<<'exiting'
  lives parcel-watcher.js exit <<<'exiting'
}
