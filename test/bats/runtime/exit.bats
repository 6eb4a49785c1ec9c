# process.exit() runs no finalizer. Without the guard callers still get ok, so a static destructor
# that joins them hangs. This file also tests processes and workers that end within call_js_cb.
#
# Without the guard all of these hang, 10 of 10 on every runtime: process.exit() while static
# destructors join callers, and process.exit() or worker.terminate() within call_js_cb with three
# callers blocked on a full queue.

load ../helper
load lifetime

# Nothing is finalized at exit, and waiting items stay in the queue.
unfinished() {
  echo "functions=1 finalized_once=0 foreign=0 disordered=0 late=0 lost=4"
  echo "delivered=$1 drained=0"
  threads 3
}

@test "without the guard: ends that wait for callers hang, on every Node" {
  native_control
  local static=()
  [[ ! -e $TEST_ADDONS/static_thread.node ]] || static=(static)
  natively_dies lifetime-exit.js blocked within worker-exit worker-terminate "${static[@]}"
}

@test "guarded: exit ends a static std::jthread that calls until it gets napi_closing" {
  [[ -e $TEST_ADDONS/static_thread.node ]] || skip "static_thread.node was not built (needs a C++ compiler)"
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-exit.js static <<<'static thread: closing'
  done
}

# Seen to fail (a hang): when an exit handler was registered only for creates from a known object.
@test "guarded: exit ends a static std::jthread whose function was created by code that no file contains" {
  [[ -e $TEST_ADDONS/static_thread.node ]] || skip "static_thread.node was not built (needs a C++ compiler)"
  for _ in $(seq "$(repetitions 3)"); do
    expect_guarded lifetime-exit.js anonymous <<<'static thread: closing'
  done
}

@test "guarded: exit wakes callers blocked on a full queue, which a static destructor joins" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-exit.js blocked <<<"$(unfinished 0)"
  done
}

@test "guarded: process.exit() within call_js_cb" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-exit.js within <<<"$(unfinished 3)"
  done
}

@test "guarded: process.exit() within call_js_cb in a worker" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-exit.js worker-exit <<<"worker: 7
$(functions 1; echo delivered=N drained=N; threads 3)"
  done
}

@test "guarded: worker.terminate() within call_js_cb" {
  for _ in $(seq "$(repetitions 5)"); do
    expect_guarded lifetime-exit.js worker-terminate <<<"worker: 1
$(functions 1; echo delivered=N drained=N; threads 3)"
  done
}
