# @lydell/node-pty 1.1.0 (node-addon-api): a thread waits for the end of a shell and then calls
# once. The finalizer joins that thread. So the end of a worker waits for its shells, and the call
# may come at any time until then.
#
# If the call is delivered when the worker can no longer run JavaScript, it throws a C++ exception.
# Without the guard this ends the process (in up to 2 of 20 runs of the table). The guard catches
# it. Before it did, 18 of 200 runs with forty shells died.

load real
setup() { needs @lydell/node-pty; }

@test "work: ten shells write and end" {
  natively lives node-pty.js work <<<'ended=10'
  lives node-pty.js work <<<'ended=10'
}

@test "worker: its shells end after it was terminated" {
  natively lives node-pty.js worker <<<'terminated'
  lives node-pty.js worker <<<'terminated'
}

@test "alone: the same if the main thread has not loaded the addon" {
  natively lives node-pty.js alone <<<'terminated'
  lives node-pty.js alone <<<'terminated'
}

@test "hangup: its shells end while it is being terminated" {
  natively any node-pty.js hangup <<<'terminated'
  lives node-pty.js hangup <<<'terminated'
}

@test "exit: process.exit() while the shells run" {
  natively lives node-pty.js exit <<<'exiting'
  lives node-pty.js exit <<<'exiting'
}
