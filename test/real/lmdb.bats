# lmdb 3.5.6 (node-addon-api, V8's own API on Node 18 to 24): each batch of writes has its own TSFN,
# and a transaction waits for JavaScript in a thread of libuv. When napi_call_function fails,
# call_js_cb nevertheless reads the result, which was not written. Without the guard this may be
# harmless or not. With the guard the result is NULL.

load real
setup() { needs lmdb; }
# node-addon-api throws because napi_unwrap was refused. Without the guard this ends the process.
# With the guard the throw is ignored (TSG030), and the method is then called with a NULL object: 1
# of 60 runs (docs/real-addons.md).
fault=$'Error::ThrowAsJavaScriptException\nTSG030 throw-ignored: /'
export TSFN_GUARD_OPTIONS=on.TSG030=log

@test "work: 5000 writes and a transaction" {
  natively lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
  lives lmdb.js work <<<'{"done":5000,"read":{"i":7,"text":"xxxxxxx"},"sum":12497500}'
}

@test "exit: process.exit() while it writes" {
  natively lives lmdb.js exit <<<'exiting'
  lives lmdb.js exit <<<'exiting'
}

@test "worker: workers are terminated while they write to one database" {
  natively any lmdb.js worker <<<'survived'
  lives_or_own "$fault" lmdb.js worker <<<'survived'
}

@test "quit: process.exit() while workers write" {
  natively any lmdb.js quit <<<'exiting'
  lives_or_own "$fault" lmdb.js quit <<<'exiting'
}

@test "end: the main thread ends while workers write" {
  natively any lmdb.js end <<<'ending'
  lives_or_own "$fault" lmdb.js end <<<'ending'
}
