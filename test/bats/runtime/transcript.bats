# Item 5 of the matrix, "nothing else changes": each program runs without and with the guard. It
# must print the same, word for word, on stdout and stderr, with the same exit status. Threads are
# joined, so transcripts are exact.
#
# Some differences are on purpose. They are pinned here:
#  - items left at the close are dropped before finalize_cb on every runtime; without the guard
#    after it on Node < 24.14 (nodejs/node#60026);
#  - a release after a call got napi_closing returns napi_ok (release credit); without the guard
#    napi_invalid_arg;
#  - a call on a closing function without counts gets napi_closing once per thread; without the
#    guard napi_invalid_arg at once;
#  - a function without finalize_cb shows a before/after pair in async_hooks at its end, for the
#    guard's finalizer;
#  - ref or unref by another thread shows one too, for the ring that makes the loop thread do it
#    (and a line on stderr).
#
# The last four were seen on every runtime. The programs themselves are safe without the guard: none
# ever failed there.

bats_require_minimum_version 1.5.0
load transcript

# Some cases call or release without a count, which the guard reports. Other tests check these
# reports.
export TSFN_GUARD_OPTIONS=on.warn=ignore

finalizes_before_drain() {
  case $TG_RUNTIME in
    node-18 | node-20 | node-22 | node-24.13 | debian-18) return 0 ;;
    *) return 1 ;;
  esac
}

# moved LINE: prints the difference on a runtime that runs the finalizer before the drain.
moved() {
  if finalizes_before_drain; then printf '%s\n' "< $1" "> $1"; fi
}

knows_flag() {
  "$TG_NODE" "$1" -e 0 2>/dev/null
}

# ---- Order, and what runs between items ----

@test "order per thread; nextTicks and microtasks between items" {
  same_cases transcript-order.js threads
  shows 'item 119 of threads'
  same_cases transcript-order.js between
  shows '  tick in microtask of 18'
}

@test "AsyncLocalStorage" {
  same_cases transcript-order.js asyncLocalStorage
  # What items see of the creator's store depends on the version of Node.
  shows 'microtask of 2: entered by 2'
}

@test "async_hooks: ids, order of events, resources, names" {
  same_cases transcript-order.js asyncHooks
  shows 'init 3 given trigger 1 resource {"answer":42}'
  shows 'item 100 in 3 triggered by 1 with {"answer":42}'
}

@test "async_hooks: release, abort, and a release that is undone show no event of their own" {
  same_cases transcript-order.js asyncHooksOfClosing
  shows 'destroy 4'
}

# ---- Exceptions ----

# same_exceptions WHO CASE…: calls `same` for each case. WHO handles the exceptions.
same_exceptions() {
  local case
  for case in "${@:2}"; do same transcript-exceptions.js $case "$1"; done
}

ALL_EXCEPTIONS='javaScript notAnError callJs byDefault finalizer finalizerJavaScript stayingOpen inWorker'

@test "unhandled exceptions" {
  same_exceptions none $ALL_EXCEPTIONS inTick rejection
}

@test "exceptions with process.on('uncaughtException')" {
  same_exceptions handled javaScript finalizer inTick rejection
}

@test "unhandled exceptions, with --force-node-api-uncaught-exceptions-policy" {
  NODE_FLAGS=(--force-node-api-uncaught-exceptions-policy)
  knows_flag "${NODE_FLAGS[0]}" || skip "$TG_RUNTIME does not know the flag"
  same_exceptions none $ALL_EXCEPTIONS
  shows 'worker exit 1, errors thrown by item 2'
}

@test "exceptions with process.on('uncaughtException'), with --force-node-api-uncaught-exceptions-policy" {
  NODE_FLAGS=(--force-node-api-uncaught-exceptions-policy)
  knows_flag "${NODE_FLAGS[0]}" || skip "$TG_RUNTIME does not know the flag"
  same_exceptions handled javaScript callJs byDefault stayingOpen inWorker finalizer
  shows 'uncaught thrown by finalize_cb, uncaughtException'
}

@test "exceptions with a capture callback, or whose handler throws" {
  NODE_FLAGS=(--force-node-api-uncaught-exceptions-policy)
  knows_flag "${NODE_FLAGS[0]}" || skip "$TG_RUNTIME does not know the flag"
  same_exceptions captured javaScript callJs finalizer
  same_exceptions rethrown javaScript callJs finalizer
  shows '--- exit 7'
}

# ---- Ends ----

@test "process.exit() in a callback, in a finalizer, in a worker; process.exitCode" {
  same_cases transcript-exit.js exit exitAndCall exitInFinalizer exitCode workerExit
  shows 'worker exit 3'
}

@test "worker.terminate() in a callback, and of a worker that is in a callback" {
  same_cases transcript-exit.js terminateInCallback terminatedInCallback
  shows 'item 5 of terminatedInCallback: pending_exception'
}

@test "a worker and the main thread end with items waiting" {
  same_cases transcript-exit.js workerEnds mainEnds
  shows 'item 9 of mainEnds: pending_exception'
}

# ---- The loop ----

@test "kept alive or not, by ref and unref" {
  same_cases transcript-loop.js keptAlive unref notCounted inCallback unrefWithItems
}

@test "backpressure" {
  for max in 1 2 50; do same transcript-loop.js backpressure $max; done
  shows '300 ok, then ok'
  same_cases transcript-loop.js refusedUntilSpace
  shows '3 ok, then queue_full'
}

@test "fairness: timers and immediates during a flood" {
  same_cases transcript-loop.js flood
  shows 'the flood is over, after three timers and three immediates'
  same_cases transcript-loop.js floodByThread
  shows '300000 items, in order true, a timer in the middle true'
}

# ---- Create ----

@test "create's refusals: status, last error info, side effects" {
  same_cases transcript-create.js refusals
  shows '  create: object_expected, last error object_expected An object was expected'
  shows '  create: string_expected, last error string_expected A string was expected'
  shows '  toString of the name'
}

@test "20,000 refused creates leave nothing behind" {
  same_cases transcript-create.js refusedOften
  shows 'finalized'
}

@test "create during teardown" {
  same_cases transcript-create.js atTeardown
  shows 'create at teardown: ok'
  differ transcript-create.js atWorkerTeardown < <(moved 'finalize late in a worker')
  shows 'drain item 999 of late in a worker'
}

# ---- Callbacks ----

@test "call_js_cb NULL, func NULL" {
  same_cases transcript-callbacks.js defaultCallJs defaultCallJsAborted noFunction
  shows 'item 2 of noFunction, no function'
}

@test "release in callbacks, functions created and used in callbacks and finalizers, order of many" {
  same_cases transcript-callbacks.js releaseInLastCallback releaseAndCallInCallback createInFinalizer many nested \
    leakedCount
}

@test "finalize_cb NULL: one more before/after pair, at the end" {
  differ transcript-callbacks.js noFinalizer <<'END'
> before 2, in 2
> after 2
END
}

@test "ref by another thread: one more before/after pair" {
  transcript native transcript-callbacks.js foreignRef >"$BATS_TEST_TMPDIR/native"
  transcript guarded transcript-callbacks.js foreignRef 2>&1 | grep -v '^tsfn-guard\[' >"$BATS_TEST_TMPDIR/guarded"
  run grep '^[<>]' <(diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/guarded")
  assert_output - <<'END'
> before 2, in 2
> after 2
END
  shows '--- exit 0'
}

@test "abort with items: dropped first, then finalized" {
  differ transcript-callbacks.js abortWithItems < <(moved 'finalize abortWithItems')
  run cat "$BATS_TEST_TMPDIR/guarded"
  assert_output - <<'END'
abort: ok closing closing
drain item 1 of abortWithItems
drain item 2 of abortWithItems
drain item 3 of abortWithItems
finalize abortWithItems
--- stderr
--- exit 0
END
}

@test "abort in a callback: the same, and the release credit" {
  local native='< within: ok closing closing ok abortInCallback ok invalid_arg'
  local guarded='> within: ok closing closing ok abortInCallback ok ok'
  if finalizes_before_drain; then
    differ transcript-callbacks.js abortInCallback <<END
$native
< finalize abortInCallback
$guarded
> finalize abortInCallback
END
  else
    differ transcript-callbacks.js abortInCallback <<END
$native
$guarded
END
  fi
}

@test "a call after the last release, in the last callback: closing once" {
  differ transcript-callbacks.js callInLastCallback <<'END'
< within: invalid_arg invalid_arg closing invalid_arg ok callInLastCallback ok ok
> within: closing invalid_arg closing invalid_arg ok callInLastCallback ok ok
END
}
