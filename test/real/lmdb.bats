# lmdb 3.5.6 (node-addon-api, V8's own API on Node 18 to 24): each batch of writes has a TSFN of its own, and a
# transaction waits in a thread of libuv's for JavaScript.

load real
setup() { needs lmdb; }
why='its methods and its call_js_cb do not expect that JavaScript has ended'

@test "work: 5000 writes and a transaction" {
  natively lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
  lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
}

@test "exit: process.exit() while it writes" {
  natively lives lmdb.js exit <<<'exiting'
  lives lmdb.js exit <<<'exiting'
}

@test "worker: workers are terminated while they write to one database" {
  own_fault "$why" lmdb.js worker <<<'survived'
}

@test "quit: process.exit() while workers write" {
  own_fault "$why" lmdb.js quit <<<'exiting'
}

@test "end: the main thread ends while workers write" {
  own_fault "$why" lmdb.js end <<<'ending'
}
