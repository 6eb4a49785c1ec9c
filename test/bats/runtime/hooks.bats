# Addon code that runs while its environment ends, or that a function's own callbacks call: cleanup
# hooks and finalizers that join or release, the drain, and all seven functions from every callback.
#
# Seen without the guard: hooks and finalizers that join blocked callers hang on every runtime. If
# the callers are not blocked, joining them works. A finalizer of a wrapped object or of instance
# data that releases hangs 10 of 10 on 24.21 and 26, but not on 24.13.0. A finalize_cb that releases
# another function ends in SIGABRT in every run on Node < 24.14. Node < 24.14 finalizes before it
# drains. So joining threads that wait for their delivery hangs there, and items get a context that
# is finalized. The lock cases died with SIGABRT or hung on Node < 24.14, but not always.

load ../helper
load lifetime

# rejected DRAINED THREADS: prints the expected result if all threads of one function get
# napi_closing, whether they call or are blocked.
rejected() {
  functions 1
  echo "delivered=$1 drained=$1"
  threads "$2"
}

drained() {
  functions 1
  echo "delivered=$1 drained=$1"
  threads_without_closing "$2"
}

hooks() {
  expect_guarded lifetime-hooks.js "$@"
}

@test "without the guard: joining blocked callers from a hook or a finalizer hangs, on every Node" {
  native_control
  natively_dies lifetime-hooks.js hookBlocked asyncHookBlocked joinAtEnd joinAtAbort
  natively_dies lifetime-hooks.js laterHookBlocked laterAsyncHookBlocked laterHookBlockedBefore
  natively_survives lifetime-hooks.js hook asyncHook laterHook
  natively_survives lifetime-hooks.js hookBetween asyncHookBetween nodeHookBetween asyncNodeHookBetween
  natively_survives lifetime-hooks.js otherHookBetween otherAsyncHookBetween
}

@test "guarded: a cleanup hook joins the producers" {
  hooks hook <<<"$(rejected N 3)"
  hooks hookBlocked <<<"$(rejected 2 3)"
}

@test "guarded: an async cleanup hook joins the producers" {
  hooks asyncHook <<<"$(rejected N 3)"
  hooks asyncHookBlocked <<<"$(rejected 2 3)"
}

# Seen to fail: these cases hang if tg_on_hook_added does not set hook_added, if it is not called
# for the hooks of Node's C++ interface, or if all functions of an env share one hook. The last two
# hang if a hook of one napi_env does not count for the other napi_envs of its thread.
@test "guarded: a cleanup hook that was added between two creates joins the producers of the second function" {
  local case
  for case in hookBetween asyncHookBetween nodeHookBetween asyncNodeHookBetween otherHookBetween \
    otherAsyncHookBetween; do
    hooks "$case" <<<"$(functions 2; echo delivered=N drained=N; threads 3)"
  done
}

# Seen to fail: without tg_cleanup_hooks_open the last three hang, as without the guard. If the
# functions are closed before the first hook runs, the first has closing=3 instead of closing=0.
@test "guarded: a cleanup hook that was added after the create joins the producers" {
  hooks laterHook <<<"$(functions 1; echo delivered=N drained=N; threads_without_closing 3)"
  hooks laterHookBlocked <<<"$(rejected 2 3)"
  hooks laterAsyncHookBlocked <<<"$(rejected 2 3)"
  hooks laterHookBlockedBefore <<<"$(rejected N 3)"
}

@test "guarded: finalize_cb joins threads that are blocked inside a call" {
  hooks joinAtEnd <<<"$(rejected 2 3)"
  hooks joinAtAbort <<<"$(rejected 2 3)"
}

@test "without the guard: a finalizer that releases a live function hangs on Node >= 24.14" {
  native_control
  if runtime_frees_closed; then
    natively_survives lifetime-hooks.js wrapped instanceData
  else
    natively_dies lifetime-hooks.js wrapped instanceData
  fi
}

@test "guarded: the finalizer of a wrapped object or of instance data releases a live function" {
  hooks wrapped <<<"finalizer: release=0
$(drained 0 0)"
  hooks instanceData <<<"finalizer: release=0
$(drained 0 0)"
}

@test "without the guard: one function's finalize_cb that releases another dies on Node < 24.14" {
  native_control
  if runtime_frees_closed; then
    natively_dies lifetime-hooks.js finalizerNewer
  else
    natively_survives lifetime-hooks.js finalizerNewer
  fi
}

@test "guarded: one function's finalize_cb releases another" {
  hooks finalizerNewer <<<"$(functions 2; echo delivered=0 drained=0; threads 0)"
}

@test "without the guard: finalize_cb comes before the drain on Node < 24.14" {
  for case in drainAtEnd drainAtAbort drainInWorker; do
    run native lifetime-hooks.js "$case"
    assert_success
    if runtime_frees_closed; then
      assert_line 'functions=1 finalized_once=1 foreign=0 disordered=0 late=10 lost=0'
    else
      assert_line "$(functions 1)"
    fi
  done
}

@test "guarded: the rest of the queue is drained before finalize_cb" {
  hooks drainAtEnd <<<"$(drained 10 1)"
  hooks drainAtAbort <<<"$(drained 10 1)"
  hooks drainInWorker <<<"$(drained 10 1)"
}

@test "without the guard: joining threads that wait for their delivery hangs on Node < 24.14" {
  native_control
  if runtime_frees_closed; then
    natively_dies lifetime-hooks.js awaitAtEnd awaitAtAbort
  else
    natively_survives lifetime-hooks.js awaitAtEnd awaitAtAbort
  fi
}

@test "guarded: threads that wait for their item's NULL-env delivery get it before finalize_cb joins them" {
  hooks awaitAtEnd <<<"$(drained 4 4)"
  hooks awaitAtAbort <<<"$(drained 4 4)"
}

# Statuses: 0 ok, 1 invalid_arg, 16 closing. After the end one release is ok, for the count that a
# call has consumed.
@test "guarded: all seven functions from call_js_cb, the drain and finalize_cb" {
  local open='create=0 acquire=0 call=0,0 release=0 context=0,right ref=0 unref=0'
  local first='create=0 acquire=16 call=16,1 release=0 context=0,right ref=0 unref=0'
  local first_uncounted='create=0 acquire=16 call=16,1 release=1 context=0,right ref=0 unref=0'
  local later='create=0 acquire=16 call=1,1 release=1 context=0,right ref=0 unref=0'
  hooks probe <<<"call_js_cb: $open
finalize_cb: $first_uncounted
$(functions 1; echo delivered=1 drained=0; threads_without_closing 1)"
  hooks probeAtEnd <<<"drain: $first
finalize_cb: $later
$(drained 1 1)"
  hooks probeAtAbort <<<"drain: $first
finalize_cb: $later
$(drained 1 1)"
}

@test "without the guard: threads and callbacks that take the addon's lock may die" {
  native_control
  native_may_die lifetime-hooks.js lockAtEnd lockAtAbort
}

@test "guarded: threads and callbacks that take the addon's lock do not deadlock" {
  for _ in $(seq "$(repetitions 3)"); do
    hooks lockAtEnd <<<"$(rejected N 4)"
    hooks lockAtAbort <<<"$(rejected N 4)"
  done
}
