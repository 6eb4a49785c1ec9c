# lmdb 3.5.6 (Node-API, and V8's own API on Node 18 to 24): each batch of writes has a TSFN of its own, and a
# transaction waits in a thread of libuv's for JavaScript. Its callback reads a result that the ended JavaScript has
# not written: on Node 26 that is its own death, natively; what is read there depends on what lay on the stack.

load real
setup() { needs lmdb; }

@test "work: 5000 writes and a transaction" {
  natively lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
  lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
}

@test "worker: workers are terminated while they write to one database" {
  natively "$(case $TG_RUNTIME in node-26) echo may_die ;; *) echo lives ;; esac)" lmdb.js worker <<<'survived'
  lives lmdb.js worker <<<'survived'
}

@test "exit: process.exit() while it writes" {
  natively lives lmdb.js exit <<<'exiting'
  lives lmdb.js exit <<<'exiting'
}

@test "quit: process.exit() while workers write" {
  natively "$(case $TG_RUNTIME in node-26) echo may_die ;; *) echo lives ;; esac)" lmdb.js quit <<<'exiting'
  lives lmdb.js quit <<<'exiting'
}

@test "end: the main thread ends while workers write" {
  natively "$(case $TG_RUNTIME in node-26) echo may_die ;; *) echo lives ;; esac)" lmdb.js end <<<'ending'
  lives lmdb.js end <<<'ending'
}
