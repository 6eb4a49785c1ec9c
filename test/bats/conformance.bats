# A share of scripts/conformance.sh: Node's own tests of the thread-safe function, of cleanup hooks and of workers, on
# the oldest affected and the newest runtime, natively and guarded. All of them pass natively on both.

load helper

# conformance ARGS…: skips where the tests' source cannot be had.
conformance() {
  run "$TG_SOURCE/scripts/conformance.sh" --suite node-18 --runs "$(repetitions 1)" "$@"
  [[ $status -ne 3 ]] || skip "$(grep '^SKIPPED: ' <<<"$output")"
}

setup() {
  RUNTIMES=()
  local name
  while read -r name _; do
    case $name in node-18 | node-26) RUNTIMES+=(--runtime "$name") ;; esac
  done < <("$TG_SOURCE/scripts/runtimes.sh")
  ((${#RUNTIMES[@]})) || skip "neither node-18 nor node-26 was fetched"
}

@test "Node's own tests of thread-safe functions pass guarded as natively" {
  conformance "${RUNTIMES[@]}" --test 'test_threadsafe_function/*'
  assert_success
  assert_line --regexp '^[1-9][0-9]* passed, 0 failed, 0 skipped$'
}

@test "Node's own tests of cleanup hooks, workers and instance data pass guarded as natively" {
  conformance "${RUNTIMES[@]}" --test 'test_cleanup_hook/*' --test 'test_async_cleanup_hook/*' \
    --test 'test_worker_terminate*/*' --test 'test_instance_data/*' --test 'test_env_teardown_gc/*'
  assert_success
  assert_line --regexp '^[1-9][0-9]* passed, 0 failed, 0 skipped$'
}

@test "a guard that breaks a test is noticed" {
  broken=$BATS_TEST_TMPDIR/broken.so
  cc -shared -fPIC -o "$broken" -xc - <<<'#include <unistd.h>
    __attribute__((constructor)) static void f(void) { _exit(9); }'
  TG_LIB=$broken conformance --runtime "${RUNTIMES[1]}" --test test_cleanup_hook/test.js
  assert_failure 1
  assert_line --partial 'FAILED: guarded fail 9'
  assert_line '0 passed, 1 failed, 0 skipped'
}
