# What every Bats file shares: running a program natively and guarded.
#
# CTest sets: TG_BUILD (the build directory), and for the files in test/bats/runtime TG_RUNTIME (node-20, say) and
# TG_NODE (its path). TG_REPEAT multiplies repetitions in soak runs.

bats_load_library bats-support
bats_load_library bats-assert

export TG_LIB=${TG_LIB:-$TG_BUILD/libtsfnguard.so}
export TEST_ADDONS=${TEST_ADDONS:-$TG_BUILD/addons}
PROGRAMS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../programs" && pwd)
export PROGRAMS
ulimit -c 0

# runtime NAME: sets `node` to one of scripts/runtimes.sh, or skips.
runtime() {
  # shellcheck disable=SC2034 # for those who call this
  node=$("$TG_SOURCE/scripts/runtimes.sh" | sed -n "s/^$1\t//p")
  [[ -n $node ]] || skip "no $1 was fetched"
}

# A run that takes longer hangs: timeout(1) then answers 124.
TG_TIMEOUT=${TG_TIMEOUT:-30}

# native PROGRAM.js ARGS… / guarded PROGRAM.js ARGS…: run on TG_NODE; NODE_FLAGS (an array) goes before the program.
native() {
  timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" "${NODE_FLAGS[@]}" "$PROGRAMS/$1" "${@:2}"
}

guarded() {
  LD_PRELOAD=$TG_LIB timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" "${NODE_FLAGS[@]}" "$PROGRAMS/$1" "${@:2}"
}

# repetitions N: how often to repeat something here: N, or N times TG_REPEAT in a soak run.
repetitions() {
  echo $(($1 * ${TG_REPEAT:-1}))
}

# Whether this runtime frees a closed TSFN under its threads (Node before 24.13.1): where the native crashes are.
runtime_frees_closed() {
  case $TG_RUNTIME in
    node-18 | node-20 | node-22 | node-24.13 | debian-18) return 0 ;;
    *) return 1 ;;
  esac
}

# died STATUS: whether a status is that of a crash (SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP) or a hang (124, 137).
died() {
  case $1 in
    134 | 139 | 135 | 132 | 133 | 124 | 137) return 0 ;;
    *) return 1 ;;
  esac
}

# one_dies COMMAND…: one of five runs dies; what it said stays in $output. For a death that a race decides: a loop thread
# that is preempted before it frees the function lets all callers be turned away in time, in up to one run of twenty.
one_dies() {
  for _ in 1 2 3 4 5; do
    run "$@"
    ! died "$status" || return 0
  done
  fail "$* lived five times; the last: $status, $output"
}

# await COMMAND…: until it succeeds; 20 seconds at most.
await() {
  local i
  for ((i = 0; i < 400; i++)); do
    ! "$@" 2>/dev/null || return 0
    sleep 0.05
  done
  fail "waited in vain: $*"
}

# matches_schema LOG…: all lines of logs in JSON are as docs/event.schema.json says. Debian's python3 has the checker.
matches_schema() {
  run /usr/bin/python3 "$TG_SOURCE/test/helpers/check_schema.py" "$TG_SOURCE/docs/event.schema.json" "$@"
  assert_success
}
