# Bare 1.33.4 (Holepunch), which has the seven functions and no napi_get_node_version.
# docs/runtimes.md says what holds there.
#
# Seen to fail: `arms` and all guarded tests, while the guard required napi_get_node_version;
# "without the guard", with LD_PRELOAD set to the guard.

bats_require_minimum_version 1.5.0
load helper

BARE=$TG_SOURCE/build/deps/npm/bare/node_modules/bare-1-33/bin/bare
ITEMS='functions=1 finalized_once=1 foreign=0 disordered=0 late=0 lost=0'

setup() {
  [[ -x $BARE ]] || skip "no Bare here; scripts/deps.sh bare fetches it"
}

# on_bare CASE… / guarded_on_bare CASE…: runs the case on Bare, without / with the guard.
on_bare() {
  timeout -k 5 "$TG_TIMEOUT" "$BARE" "$PROGRAMS/bare.js" "$TEST_ADDONS" "$@"
}

guarded_on_bare() {
  LD_PRELOAD=$TG_LIB on_bare "$@"
}

# ends_well CASE…: runs it guarded, several times, and expects status 0. The last output is in
# `lines`.
ends_well() {
  local i
  for ((i = 0; i < $(repetitions 3); i++)); do
    run guarded_on_bare "$@"
    [[ $status == 0 ]] || fail "$1 ended with $status, and said: $output"
  done
}

@test "arms, and says that it is a runtime like node: Bare tells no version of Node" {
  TSFN_GUARD_OPTIONS=verbosity=1:require=1 run --separate-stderr guarded_on_bare single
  assert_success
  assert_regex "$stderr" "^tsfn-guard\[[0-9]+\]: tsfn-guard [0-9.]+ armed: a runtime like node, redirected the seven functions of $(readlink -f "$BARE")"
}

@test "reports in JSON name the runtime and the addon" {
  cd "$BATS_TEST_TMPDIR" || return
  TSFN_GUARD_OPTIONS=format=json:log_path=log run guarded_on_bare abort
  assert_success
  matches_schema log
  assert_equal "$(jq -r 'select(.code == "TSG011" or .code == "TSG007") | .runtime' log | sort -u)" 'a runtime like node'
  assert_equal "$(jq -r 'select(.code == "TSG011" or .code == "TSG007") | .addon' log | sort -u)" "$TEST_ADDONS/lifetime.node"
}

@test "abort under threads that call, that are blocked, that share a count" {
  local case
  for case in abort blocked shared; do
    ends_well $case
    assert_line "$ITEMS"
    assert_line --regexp '^threads=[48] closing=[48] closing_once=[0-9] wrong=0$'
  done
}

@test "eight producers on a queue of 50, and one on a queue of 1: every item arrives" {
  ends_well flow
  assert_line "$ITEMS"
  assert_line 'delivered=16000 drained=0'
  ends_well single
  assert_line 'delivered=1 drained=0'
}

@test "threads of Bare are terminated under threads that call, and the process ends under them" {
  ends_well threads 3
  assert_line 'functions=3 finalized_once=3 foreign=0 disordered=0 late=0 lost=0'
  assert_line --regexp '^threads=12 closing=12 closing_once=[0-9]+ wrong=0$'
  ends_well exit
  assert_line --regexp '^threads=4 closing=4 closing_once=[0-9] wrong=0$'
}

@test "doctor: Bare can be guarded, and has these faults" {
  run --separate-stderr "$TG_BUILD/tsfn-guard" doctor "$BARE"
  assert_success
  assert_line 'ok    runtime: bare 1.33.4'
  assert_line --partial 'ok    redirect: the seven functions lead to the guard; an item from a thread was delivered'
  assert_line --partial 'warn  affected: without the guard, bare 1.33.4 has: use-after-free, shared-count, limit-of-one, delivered-after-end; do: run it guarded'
}

@test "without the guard: a queue of 1 takes nothing, and the end of a thread or of the process crashes" {
  TG_TIMEOUT=3
  run on_bare single
  assert_equal "$status" 124
  one_dies on_bare threads 3
  one_dies on_bare exit
}

@test "without the guard: freed functions are used" {
  local case
  for case in abort shared; do
    one_dies env LD_PRELOAD="$ORACLE" timeout -k 5 "$TG_TIMEOUT" "$BARE" "$PROGRAMS/bare.js" "$TEST_ADDONS" $case
    assert_output --partial 'oracle: use after free of TSFN memory'
  done
  LD_PRELOAD="$TG_LIB $ORACLE" run on_bare abort
  assert_success
}
