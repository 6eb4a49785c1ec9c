# C++ exceptions that leave call_js_cb (test/addons/throwing.cc).
#
# Without the guard they end in SIGABRT from std::terminate, in each run on every runtime. The same
# happens with the guard if its exception guard is removed. If JavaScript still runs, the guard must
# not change this.

bats_require_minimum_version 1.5.0
load ../helper

ENDED_WELL='thrown=2 alive=0 uncaught=0 items=2 finalized=1 waiting=0'

setup() {
  [[ -e $TEST_ADDONS/throwing.node ]] || skip "the C++ addons were not built"
}

# terminates native|guarded CASE [ADDON]: expects that the process dies and prints what the
# exception was.
terminates() {
  run "$1" throwing.js "${@:2}"
  assert_equal "$status" 134
  assert_line --partial "terminate called after throwing an instance of '(anonymous namespace)::Thrown'"
  refute_line --partial TSG028
}

# is_saved CASE ADDON LINE: expects that with the guard it prints this line, and that two exceptions
# are reported.
is_saved() {
  local log=$BATS_TEST_TMPDIR/$2.log
  TSFN_GUARD_OPTIONS=format=json:summary=never:log_path=$log run guarded throwing.js "$1" "$2"
  assert_success
  assert_output "$3"
  matches_schema "$log"
  run "$TG_NODE" -p 'require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map(JSON.parse)
    .map((e) => [e.code, e.kind, e.severity, e.addon.split("/").pop(), e.handle.name].join(" ")).join("\n")' "$log"
  assert_output "$(printf 'TSG028 exception-caught fatal-avoided %s.node throwing\n' "$2" "$2")"
}

@test "a worker is terminated within an item" {
  terminates native worker
  is_saved worker throwing "$ENDED_WELL"
}

@test "a worker calls process.exit() within an item" {
  terminates native quit
  is_saved quit throwing "$ENDED_WELL"
}

@test "items are left at the end of the main thread" {
  terminates native drain
  is_saved drain throwing ''
}

# There are more items than Node delivers in one turn. Seen to fail: on all runtimes the exceptions
# of 1000 items were caught. Then the remaining items were drained with a NULL env, and the process
# died ("FATAL ERROR: Error::New").
@test "node-addon-api: items that are left after an exception are dropped, and this is reported" {
  run native unlooking.js
  assert_equal "$status" 134
  assert_output --partial "terminate called after throwing an instance of 'std::runtime_error'"
  local log=$BATS_TEST_TMPDIR/log
  TSFN_GUARD_OPTIONS=format=json:summary=always:on.info=log:log_path=$log run guarded unlooking.js
  assert_success
  assert_output --regexp '^come=[0-9]+ left=[0-9]+ finalized=1$'
  local left=${output#*left=}
  left=${left% *}
  assert [ "$left" -gt 0 ]
  matches_schema "$log"
  run "$TG_NODE" -p 'require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map(JSON.parse)
    .filter((e) => e.type === "event" && e.code !== "TSG028" && e.code !== "TSG024" && e.code !== "TSG025")
    .map((e) => [e.code, e.severity, e.quantity.items, e.handle.name, e.handle.queue].join(" ")).join("\n")' "$log"
  assert_output "TSG029 warn $left unlooking 0"
}

@test "if JavaScript still runs, the process ends with the guard too" {
  terminates native live
  terminates guarded live
}

# If the guard did not walk through the stack, V8's scopes would point into a stack that is gone:
# SIGSEGV, on Node 22.
@test "an exception that has passed the runtime's frames: the same with and without the guard" {
  for how in native guarded; do terminates $how through; done
}

# The destructors of this addon resume with another unwinder than that of libstdc++. If the guard
# did not remember which unwinder has searched, the process would die without a message.
@test "an addon with an unwinder of its own" {
  terminates native worker throwing_own_unwinder
  is_saved worker throwing_own_unwinder "$ENDED_WELL"
}

# If a C++ runtime hides the functions that end an exception, it counts that exception as uncaught
# for ever.
@test "an addon with a C++ runtime of its own" {
  terminates native worker throwing_own_runtime
  is_saved worker throwing_own_runtime "${ENDED_WELL/uncaught=0/uncaught=2}"
}

# Such an addon hides its unwinder, so no code outside can ask it.
@test "an addon with both, hidden: the same with and without the guard" {
  for how in native guarded; do terminates $how worker throwing_alone; done
}

@test "the way through the observer of mode=diagnose" {
  TSFN_GUARD_OPTIONS=mode=diagnose run --separate-stderr guarded throwing.js worker
  assert_success
  assert_output "$ENDED_WELL"
  run grep -c 'TSG028 exception-caught' <<<"$stderr"
  assert_output 3 # two events, and the summary
}
