# What every Bats file shares: it runs a program without the guard (native) and with it (guarded).
#
# CTest sets TG_BUILD (the build directory). For the files in test/bats/runtime it also sets
# TG_RUNTIME (for example node-20) and TG_NODE (its path). TG_REPEAT multiplies repetitions in soak
# runs and in the tier `full`. That tier also sets TG_FULL.

bats_load_library bats-support
bats_load_library bats-assert

export TG_LIB=${TG_LIB:-$TG_BUILD/libtsfnguard.so}
export TEST_ADDONS=${TEST_ADDONS:-$TG_BUILD/addons}
PROGRAMS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../programs" && pwd)
export PROGRAMS
ulimit -S -c 0

# runtime NAME: sets `node` to this runtime of test/runtimes.sh, or skips the test.
runtime() {
  # shellcheck disable=SC2034 # used by the callers
  node=$("$TG_SOURCE/test/runtimes.sh" | sed -n "s/^$1\t//p")
  [[ -n $node ]] || skip "no $1 was fetched"
}

# A run that takes longer counts as a hang: timeout(1) then returns 124.
TG_TIMEOUT=${TG_TIMEOUT:-30}

# native PROGRAM.js ARGS… / guarded PROGRAM.js ARGS…: runs it on TG_NODE, without / with the guard.
# The array NODE_FLAGS comes before the program.
native() {
  timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" "${NODE_FLAGS[@]}" "$PROGRAMS/$1" "${@:2}"
}

guarded() {
  LD_PRELOAD=$TG_LIB timeout -k 5 "$TG_TIMEOUT" "$TG_NODE" "${NODE_FLAGS[@]}" "$PROGRAMS/$1" "${@:2}"
}

# watched native|guarded PROGRAM.js ARGS…: runs it under the oracle (helpers/oracle.c), where each
# use of a freed TSFN of the runtime is a certain fault. Ten runs under it show more than a hundred
# others.
export ORACLE=$TG_BUILD/helpers/liboracle.so
watched() {
  if [[ $1 == native ]]; then
    LD_PRELOAD=$ORACLE "$@"
  else
    TG_LIB="$TG_LIB $ORACLE" "$@"
  fi
}

# repetitions N: prints how often to repeat something: N, or N times TG_REPEAT in a soak run.
repetitions() {
  echo $(($1 * ${TG_REPEAT:-1}))
}

# Whether this runtime frees a closed TSFN while threads use it (Node before 24.13.1). Most native
# crashes are there.
runtime_frees_closed() {
  case $TG_RUNTIME in
    node-18 | node-20 | node-22 | node-24.13 | debian-18) return 0 ;;
    *) return 1 ;;
  esac
}

# native_control: for tests that only show the fault without the guard. Skips them except on the
# oldest and the newest runtime. The tier `full` runs them on all.
native_control() {
  case $TG_RUNTIME in
    node-18 | node-26) ;;
    *) [[ -n ${TG_FULL:-} ]] || skip "native controls run on the oldest and the newest runtime" ;;
  esac
}

# died STATUS: whether the status means a crash (SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP) or a
# hang (124, 137).
died() {
  case $1 in
    134 | 139 | 135 | 132 | 133 | 124 | 137) return 0 ;;
    *) return 1 ;;
  esac
}

# native_each SECONDS PROGRAM CASE…: runs the program without the guard, once for each case (words
# of arguments), and prints "STATUS CASE" for each. All run at the same time, because most of them
# hang.
native_each() {
  local seconds=$1 program=$2 case
  shift 2
  for case; do
    (
      read -ra words <<<"$case"
      status=0
      TG_TIMEOUT=$seconds native "$program" "${words[@]}" >/dev/null 2>&1 || status=$?
      echo "$status $case"
    ) 3>&- &
  done
  wait
}

# natively_dies PROGRAM [CASE…]: without the guard each case (words of arguments; none: no
# arguments) dies or hangs in at least one of five runs. On a busy machine some cases survive now
# and then: beside three busy loops, 8 blocking producers survived 1 of 15 runs. Only the cases that
# survived are run again. This is cheap, because a run that survives ends before its time is up. If
# freed memory is used, LD_PRELOAD=$ORACLE makes the result certain.
natively_dies() {
  local program=$1 cases=("${@:2}") lived status case
  ((${#cases[@]})) || cases=('')
  for _ in 1 2 3 4 5; do
    lived=()
    while read -r status case; do
      died "$status" || lived+=("$case")
    done < <(native_each 3 "$program" "${cases[@]}")
    ((${#lived[@]})) || return 0
    cases=("${lived[@]}")
  done
  fail "without the guard these cases of $program survived five times: ${cases[*]}"
}

# one_dies COMMAND…: the same for a single case of any command. The output of the run that dies is
# in $output. In up to one of twenty runs the loop thread is preempted before it frees the function.
# Then all callers are rejected in time, and the run survives.
one_dies() {
  for _ in 1 2 3 4 5; do
    run "$@"
    ! died "$status" || return 0
  done
  fail "$* survived five times; the last: $status, $output"
}

# await COMMAND…: repeats the command until it succeeds, for at most 20 seconds.
await() {
  local i
  for ((i = 0; i < 400; i++)); do
    ! "$@" 2>/dev/null || return 0
    sleep 0.05
  done
  fail "waited in vain: $*"
}

# matches_schema LOG…: all lines of these JSON logs match docs/event.schema.json. Debian's python3
# has the checker.
matches_schema() {
  run /usr/bin/python3 "$TG_SOURCE/test/helpers/check_schema.py" "$TG_SOURCE/docs/event.schema.json" "$@"
  assert_success
}
