# Every cell of the contract's table (part 4), and the rules beside it, guarded. Also what happens
# in the same cases without the guard.
#
# Seen without the guard, the same on every runtime unless stated otherwise:
#  - a NULL handle, a garbage handle and a NULL result of get_context: each operation dies, every
#    time;
#  - any use of a handle whose function is finalized and without counts: dies (Node >= 24.14 still
#    answers if counts are left, and dies once the last one is gone);
#  - a release after a call got napi_closing: napi_invalid_arg; after closing without a count:
#    napi_invalid_arg at once;
#  - a blocking call on a full queue from the function's own loop: hangs;
#  - unref by another thread while the loop sleeps: hangs; ref by another thread: works.

bats_require_minimum_version 1.5.0
load ../helper

OPERATIONS='call callBlocking acquire release abort getContext getContextNullResult ref unref'

# expect PROGRAM ARGS…: expects that, guarded, it ends well and prints exactly what is on stdin.
expect() {
  local expected
  expected=$(cat)
  run --separate-stderr guarded "$@"
  assert_success
  assert_output "$expected"
}

# expect_both: like expect, and expects the same without the guard.
expect_both() {
  local expected
  expected=$(cat)
  run --separate-stderr native "$@"
  assert_success
  assert_output "$expected"
  expect "$@" <<<"$expected"
}

# ---- The table ----

@test "open" {
  expect table-cells.js open <<'END'
call: ok, ok
callBlocking: ok, ok
acquire: ok, ok
release: ok, ok
abort: ok, ok
getContext: ok mine, ok mine
getContextNullResult: invalid_arg, invalid_arg
ref: ok, ok
unref: ok, ok
END
}

# A closed function that still has counts gives the same answers as one that is about to close.
@test "closing, and closed with counts" {
  for state in closing closed; do
    expect table-cells.js $state <<'END'
call: closing, closing
callBlocking: closing, closing
acquire: closing, closing
release: ok, ok
abort: ok, ok
getContext: ok mine, ok mine
getContextNullResult: invalid_arg, invalid_arg
ref: ok, ok
unref: ok, ok
END
  done
}

@test "stale" {
  expect table-cells.js stale <<'END'
call: closing, closing
callBlocking: closing, closing
acquire: closing, closing
release: invalid_arg, invalid_arg
abort: invalid_arg, invalid_arg
getContext: ok mine, ok mine
getContextNullResult: invalid_arg, invalid_arg
ref: ok, ok
unref: ok, ok
END
}

@test "stale, and its slot serves another function" {
  expect table-cells.js reused <<'END'
call: closing, closing
callBlocking: closing, closing
acquire: closing, closing
release: invalid_arg, invalid_arg
abort: invalid_arg, invalid_arg
getContext: invalid_arg NULL, invalid_arg NULL
getContextNullResult: invalid_arg, invalid_arg
ref: ok, ok
unref: ok, ok
END
}

@test "NULL and garbage" {
  for state in null garbage; do
    expect table-cells.js $state <<'END'
call: invalid_arg, invalid_arg
callBlocking: invalid_arg, invalid_arg
acquire: invalid_arg, invalid_arg
release: invalid_arg, invalid_arg
abort: invalid_arg, invalid_arg
getContext: invalid_arg NULL, invalid_arg NULL
getContextNullResult: invalid_arg, invalid_arg
ref: invalid_arg, invalid_arg
unref: invalid_arg, invalid_arg
END
  done
}

@test "without the guard: every operation dies on NULL and on garbage" {
  native_control
  for state in null garbage; do
    for operation in $OPERATIONS; do
      run native table-cells.js $state "$operation"
      assert died "$status"
    done
  done
}

@test "without the guard: a NULL result of get_context dies, a NULL result of create is refused" {
  native_control
  run native table-cells.js open getContextNullResult
  assert died "$status"
  run native table-rules.js nullResult
  assert died "$status"
  assert_line 'create: invalid_arg, Invalid argument'
}

@test "without the guard: calls on a stale handle die" {
  native_control
  LD_PRELOAD=$ORACLE natively_dies table-cells.js 'stale call'
}

@test "a NULL result of create and of get_context is invalid_arg" {
  expect table-rules.js nullResult <<'END'
create: invalid_arg, Invalid argument
get_context: invalid_arg ok mine ok
END
}

@test "100,000 garbage handles of every sort: only invalid_arg" {
  run --separate-stderr guarded table-rules.js garbage "$RANDOM" 100000
  assert_success
  assert_output - <<'END'
garbage: call 100000 x invalid_arg
garbage: callBlocking 100000 x invalid_arg
garbage: acquire 100000 x invalid_arg
garbage: release 100000 x invalid_arg
garbage: abort 100000 x invalid_arg
garbage: getContext 100000 x invalid_arg
garbage: getContextNullResult 100000 x invalid_arg
garbage: ref 100000 x invalid_arg
garbage: unref 100000 x invalid_arg
garbage: 0 contexts
the real one: ok mine ok ok
END
}

# ---- The rules ----

# The columns: open, closing, closed.
@test "what each operation does to thread_count" {
  expect table-rules.js counts <<'END'
call leaves 5 4 4
acquire leaves 6 5 5
release leaves 4 4 4
abort leaves closed 4 4
getContext leaves 5 5 5
ref leaves 5 5 5
unref leaves 5 5 5
END
}

@test "each napi_closing that consumed a count pays for one release" {
  expect table-rules.js credit <<'END'
closing, calls: closing closing
closing, releases: ok ok invalid_arg
closed, calls: closing closing
closed, releases: ok ok invalid_arg
closing, then stale, calls: closing closing
closing, then stale, releases: ok ok invalid_arg
END
}

@test "without a count: closing once per thread, then invalid_arg" {
  expect table-rules.js oncePerThread <<'END'
closing, the count's: closing
closing, this thread: invalid_arg invalid_arg invalid_arg
closing, thread a: closing invalid_arg closing invalid_arg
closing, thread b: closing invalid_arg closing invalid_arg
closing, thread c: closing invalid_arg closing invalid_arg
closed, the count's: closing
closed, this thread: invalid_arg invalid_arg invalid_arg
closed, thread a: closing invalid_arg closing invalid_arg
closed, thread b: closing invalid_arg closing invalid_arg
closed, thread c: closing invalid_arg closing invalid_arg
ten handles: closing closing closing closing closing closing closing closing closing closing
ten handles again: invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg invalid_arg
END
}

@test "without the guard: the programs on counts, credit and once per thread die" {
  native_control
  LD_PRELOAD=$ORACLE natively_dies table-rules.js credit oncePerThread
}

@test "released to 0, then acquired or called in the same turn: stays open, also without the guard" {
  expect_both table-rules.js revive <<'END'
acquired: ok ok
acquired, later: ok ok
called: ok ok invalid_arg
by a thread: ok
by a thread: ok ok ok ok invalid_arg
item 1 of acquired
item 1 of called
item 1 of by a thread
item 1 of by a thread
finalize by a thread
finalize called
finalize acquired
END
}

@test "queue_full at exactly max_queue_size, also without the guard" {
  for max in 1 2 50; do
    expect_both table-rules.js queueFull $max <<END
first: $max ok, then queue_full
a thread: 0 ok, then queue_full
after delivery: $max ok, then queue_full
release: ok
finalize full
END
  done
}

@test "a blocking call on a full queue from the own loop, deadlock=overflow" {
  for options in '' deadlock=overflow; do
    TSFN_GUARD_OPTIONS=$options expect table-rules.js ownLoop <<'END'
own loop: ok ok queue_full ok
item 1 of full
item 1 of full
item 1 of full
own loop: ok ok
item 1 of full
finalize full
END
  done
}

@test "a blocking call on a full queue from the own loop, deadlock=status" {
  TSFN_GUARD_OPTIONS=deadlock=status expect table-rules.js ownLoop <<'END'
own loop: ok would_deadlock queue_full would_deadlock
item 1 of full
own loop: ok ok
item 1 of full
finalize full
END
}

@test "a blocking call on a full queue from the own loop, without the guard and with deadlock=hang: hangs" {
  export TG_TIMEOUT=1 TSFN_GUARD_OPTIONS=deadlock=hang
  for how in native guarded; do
    run --separate-stderr $how table-rules.js ownLoop
    assert_equal "$status" 124
    assert_output ''
    assert_equal "$stderr" ''
  done
}

@test "unref by another thread wakes the loop and ends the process; without the guard it hangs" {
  expect table-rules.js unrefByThread <<'END'
ends, the thread got ok
finalize unref
END
  TG_TIMEOUT=1 run native table-rules.js unrefByThread
  assert_equal "$status" 124
}

@test "ref by another thread keeps the process alive, also without the guard" {
  expect_both table-rules.js refByThread turning <<'END'
the thread got ok
the last timer is over
still alive
finalize ref
END
}

# A known limit: the loop thread refs the function at the loop's next turn, but a loop with nothing
# to do does not turn.
@test "ref by another thread when nothing else keeps the loop turning: too late; without the guard it works" {
  run native table-rules.js refByThread
  assert_success
  assert_line 'still alive'
  expect table-rules.js refByThread <<'END'
the thread got ok
finalize ref
END
}

@test "the last ref or unref counts, whichever thread made it; also without the guard" {
  expect_both table-rules.js lastRefCounts <<'END'
ends
finalize ref
finalize second
END
}

@test "unref by another thread while the count is 0, then acquired: the process ends; also without the guard" {
  expect_both table-rules.js unrefWhileReleased <<'END'
release: ok
unref: ok
acquire: ok
ends
finalize unref
END
}

@test "every operation from the NULL-env drain and from the finalizer" {
  expect table-rules.js drainAndFinalizer <<'END'
drain item 7 of counted
drain of counted: call closing
drain of counted: acquire closing
drain of counted: release ok
drain of counted: getContext ok counted
drain of counted: getContextNullResult invalid_arg
drain of counted: ref ok
drain of counted: unref ok
drain of counted: abort ok
drain of counted: call invalid_arg
drain of counted: call invalid_arg
finalize counted
finalizer of counted: call invalid_arg
finalizer of counted: acquire closing
finalizer of counted: release ok
finalizer of counted: getContext ok counted
finalizer of counted: getContextNullResult invalid_arg
finalizer of counted: ref ok
finalizer of counted: unref ok
finalizer of counted: abort invalid_arg
finalizer of counted: call invalid_arg
finalizer of counted: call invalid_arg
drain item 7 of uncounted
drain of uncounted: call closing
drain of uncounted: acquire closing
drain of uncounted: release invalid_arg
drain of uncounted: getContext ok uncounted
drain of uncounted: getContextNullResult invalid_arg
drain of uncounted: ref ok
drain of uncounted: unref ok
drain of uncounted: abort invalid_arg
drain of uncounted: call invalid_arg
drain of uncounted: call invalid_arg
finalize uncounted
finalizer of uncounted: call invalid_arg
finalizer of uncounted: acquire closing
finalizer of uncounted: release invalid_arg
finalizer of uncounted: getContext ok uncounted
finalizer of uncounted: getContextNullResult invalid_arg
finalizer of uncounted: ref ok
finalizer of uncounted: unref ok
finalizer of uncounted: abort invalid_arg
finalizer of uncounted: call invalid_arg
finalizer of uncounted: call invalid_arg
END
}

# ---- A handle in another env's JavaScript thread ----

foreign() {
  printf '%s\n' 'alive: ok ok ok ok ok ok foreign' 'the worker received: 1 of foreign, 1 of foreign'
  if [ "$1" = unref ]; then echo 'alive: ok'; fi
  cat <<'END'
finalize foreign
ended, counts: ok foreign closing closing ok closing ok ok
ended, stale: ok foreign invalid_arg invalid_arg closing ok ok invalid_arg invalid_arg
over
END
}

# If the main thread unrefs it, the worker's finalizer and the main thread write their lines at the
# same time.
@test "a worker's handle used by the main thread, while the worker lives and after" {
  expect table-worker.js terminate < <(foreign terminate)
  run --separate-stderr guarded table-worker.js unref
  assert_success
  assert_equal "$(sort <<<"$output")" "$(foreign unref | sort)"
}

@test "without the guard: a worker's handle used by the main thread after the worker has ended dies" {
  native_control
  LD_PRELOAD=$ORACLE natively_dies table-worker.js terminate
}

# ---- What is reported ----

# reports: prints each report in short form: its code, the function and its answer, the addon's
# file, the TSFN's name.
reports() {
  sed 's/^tsfn-guard\[[0-9]*\]: //' <<<"$stderr" | awk '
    function print_report() { if (said != "") print said ": " function_name " " answer ", " addon ", " name; said = "" }
    /^TSG/ { print_report(); if ($0 !~ /; seen [0-9]+ times from /) said = $1; addon = function_name = answer = name = "-" }
    /^summary/ { print_report() }
    $1 == "addon:" { addon = $2; sub(".*/", "", addon) }
    $1 == "call:" { function_name = $3; sub(",", "", function_name); answer = $NF }
    $1 == "handle:" && match($0, /, name [^,]*/) { name = substr($0, RSTART + 7, RLENGTH - 7) }'
}

@test "a report for each kind of fault" {
  run --separate-stderr guarded table-rules.js faults
  assert_success
  run reports
  assert_output - <<'END'
TSG007: napi_call_threadsafe_function napi_closing, script.node, script
TSG009: napi_call_threadsafe_function napi_invalid_arg, script.node, -
TSG008: napi_call_threadsafe_function napi_invalid_arg, script.node, -
TSG007: napi_acquire_threadsafe_function napi_closing, script.node, script
TSG009: napi_acquire_threadsafe_function napi_invalid_arg, script.node, -
TSG008: napi_acquire_threadsafe_function napi_invalid_arg, script.node, -
TSG007: napi_get_threadsafe_function_context napi_ok, script.node, script
TSG009: napi_get_threadsafe_function_context napi_invalid_arg, script.node, -
TSG008: napi_get_threadsafe_function_context napi_invalid_arg, script.node, -
TSG007: napi_release_threadsafe_function napi_invalid_arg, script.node, script
TSG009: napi_release_threadsafe_function napi_invalid_arg, script.node, -
TSG008: napi_release_threadsafe_function napi_invalid_arg, script.node, -
TSG007: napi_ref_threadsafe_function napi_ok, script.node, script
TSG009: napi_ref_threadsafe_function napi_invalid_arg, script.node, -
TSG008: napi_ref_threadsafe_function napi_invalid_arg, script.node, -
TSG010: napi_get_threadsafe_function_context napi_invalid_arg, script.node, an-open-one
TSG017: napi_unref_threadsafe_function napi_ok, script.node, an-open-one
TSG017: napi_ref_threadsafe_function napi_ok, script.node, an-open-one
TSG015: napi_call_threadsafe_function napi_ok, script.node, a-full-one
TSG016: napi_release_threadsafe_function napi_ok, script.node, a-full-one
END
}

@test "no report for correct use" {
  expect_both table-rules.js quiet <<'END'
all is well: ok ok ok mine ok ok ok ok queue_full ok ok
a thread: queue_full ok mine ok ok ok
abort: ok ok
drain item 1 of mine
END
  assert_equal "$stderr" ''
}
