# What every Bats file shares: running a program natively and guarded.
#
# CTest sets: TG_BUILD (the build directory), and for the files in test/bats/runtime TG_RUNTIME (node-20, say) and
# TG_NODE (its path). TG_REPEAT multiplies repetitions, in soak runs and in the
# tier `full`, which sets TG_FULL too.

bats_load_library bats-support
bats_load_library bats-assert

export TG_LIB=${TG_LIB:-$TG_BUILD/libtsfnguard.so}
export TEST_ADDONS=${TEST_ADDONS:-$TG_BUILD/addons}
PROGRAMS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../programs" && pwd)
export PROGRAMS
ulimit -S -c 0

# runtime NAME: sets `node` to one of test/runtimes.sh, or skips.
runtime() {
  # shellcheck disable=SC2034 # for those who call this
  node=$("$TG_SOURCE/test/runtimes.sh" | sed -n "s/^$1\t//p")
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

# watched native|guarded PROGRAM.js ARGS…: under the oracle (helpers/oracle.c), where each use of a freed TSFN of the
# runtime is a certain fault: ten runs of this say more than a hundred without.
export ORACLE=$TG_BUILD/helpers/liboracle.so
watched() {
  if [[ $1 == native ]]; then
    LD_PRELOAD=$ORACLE "$@"
  else
    TG_LIB="$TG_LIB $ORACLE" "$@"
  fi
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

# native_control: skips what only shows that the fault is there without the guard, but on the oldest and the newest
# runtime. The tier `full` shows it on all.
native_control() {
  case $TG_RUNTIME in
    node-18 | node-26) ;;
    *) [[ -n ${TG_FULL:-} ]] || skip "native controls run on the oldest and the newest runtime" ;;
  esac
}

# died STATUS: whether a status is that of a crash (SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP) or a hang (124, 137).
died() {
  case $1 in
    134 | 139 | 135 | 132 | 133 | 124 | 137) return 0 ;;
    *) return 1 ;;
  esac
}

# native_each SECONDS PROGRAM CASE…: runs the program natively once a case (words of arguments), all at the same
# time as most of them hang, and prints "STATUS CASE" for each.
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

# natively_dies PROGRAM [CASE…]: without the guard each case (words of arguments; none: the program as it is) dies or
# hangs in one of five runs; only those that lived run again. A busy machine saves some of them now and then: of 15 runs
# beside three busy loops, 8 blocking producers came through once. A run that lives is done after a fraction of this time.
# Where freed memory is used, LD_PRELOAD=$ORACLE before it leaves nothing to chance.
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
  fail "natively, these cases of $program lived five times: ${cases[*]}"
}

# one_dies COMMAND…: the same of any command, one case: one of five runs dies; what it said stays in $output. A loop thread
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
