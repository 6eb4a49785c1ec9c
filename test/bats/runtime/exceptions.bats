# C++ exceptions that leave call_js_cb (test/addons/throwing.cc).
#
# Natively SIGABRT from std::terminate, in each run on every runtime; with the barrier taken out guarded too. Where
# JavaScript still runs that must stay so.

bats_require_minimum_version 1.5.0
load ../helper

setup() {
  [[ -e $TEST_ADDONS/throwing.node ]] || skip "the C++ addons were not built"
}

# terminates native|guarded CASE [ADDON]: says what the exception was.
terminates() {
  run "$1" throwing.js "${@:2}"
  assert_equal "$status" 134
  assert_line --partial "terminate called after throwing an instance of '(anonymous namespace)::Thrown'"
  refute_line --partial TSG028
}

# is_saved CASE LINE…: guarded it prints these, and two exceptions are told.
is_saved() {
  local log=$BATS_TEST_TMPDIR/log
  TSFN_GUARD_OPTIONS=format=json:summary=never:log_path=$log run guarded throwing.js "$1"
  assert_success
  assert_output "$(printf '%s\n' "${@:2}")"
  matches_schema "$log"
  run "$TG_NODE" -p 'require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map(JSON.parse)
    .map((e) => [e.code, e.kind, e.severity, e.addon.split("/").pop(), e.handle.name].join(" ")).join("\n")' "$log"
  assert_output "$(printf 'TSG028 exception-caught fatal-avoided throwing.node throwing\n%.0s' 1 2)"
}

@test "a worker is terminated within an item" {
  terminates native worker
  is_saved worker 'thrown=2 alive=0 uncaught=0 items=2 finalized=1'
}

@test "a worker calls process.exit() within an item" {
  terminates native quit
  is_saved quit 'thrown=2 alive=0 uncaught=0 items=2 finalized=1'
}

@test "items are left at the end of the main thread" {
  terminates native drain
  is_saved drain
}

@test "where JavaScript still runs the process ends, guarded too" {
  terminates native live
  terminates guarded live
}

# Nothing outside of such an addon can ask its unwinder.
@test "an unwinder and a C++ runtime that an addon hides within: guarded as natively" {
  for how in native guarded; do terminates $how worker throwing_alone; done
}

@test "the way through the observer of mode=diagnose" {
  TSFN_GUARD_OPTIONS=mode=diagnose run --separate-stderr guarded throwing.js worker
  assert_success
  assert_output 'thrown=2 alive=0 uncaught=0 items=2 finalized=1'
  run grep -c 'TSG028 exception-caught' <<<"$stderr"
  assert_output 3 # twice, and in the summary
}
