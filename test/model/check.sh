#!/usr/bin/env bash
# Checks all states of the model, and that each mutation gives a counterexample: check.sh [--full |
# --large | --trail NAME]. --full: larger configurations too (five minutes, 3 GB). --large: only
# those. --trail: prints the counterexample of a mutation, step by step.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

MODEL=$ROOT/test/model/tsfn.pml
OUT=$BUILD/model

# name | macros | how: safety, finite (no cycle of any kind) or the name of an LTL formula
configurations="
bounded            | LIMIT=1 OTHERS=3                     | safety
unbounded          | LIMIT=0 OTHERS=3                     | safety
count-1            | LIMIT=1 COUNT=1 OTHERS=2             | safety
two-calls-each     | LIMIT=1 CALLS=2 OTHERS=1             | safety
limit-2            | LIMIT=2 CALLS=2 OTHERS=0             | safety
generations        | LIMIT=1 GENERATIONS=2 OTHERS=2       | safety
generations-free   | LIMIT=0 GENERATIONS=2 OTHERS=2       | safety
from-callback      | LIMIT=1 FROM_CALLBACK=1 OTHERS=1     | safety
from-callback-free | LIMIT=0 FROM_CALLBACK=2 OTHERS=1     | safety
spurious           | LIMIT=1 SPURIOUS=2 OTHERS=1          | safety
exit               | LIMIT=1 EXIT=1 OTHERS=1              | safety
late               | LIMIT=1 LATE=1 COUNT=1 OTHERS=2      | safety
late-free          | LIMIT=0 LATE=1 OTHERS=2              | safety
late-generations   | LIMIT=1 LATE=1 GENERATIONS=2 OTHERS=1 | safety
finite             | LIMIT=1 GENERATIONS=2 OTHERS=1       | finite
ltl                | LIMIT=1 OTHERS=2 LTL                 | eventually"

large="
full-4-producers   | LIMIT=1 PRODUCERS=4 OTHERS=2             | safety
full-4-unbounded   | LIMIT=0 PRODUCERS=4 OTHERS=2             | safety
full-4-generations | LIMIT=1 PRODUCERS=4 GENERATIONS=2 OTHERS=1 | safety
full-6-items       | LIMIT=1 CALLS=2 OTHERS=2                 | safety
full-callback      | LIMIT=1 FROM_CALLBACK=2 OTHERS=2         | safety
full-exit          | LIMIT=1 EXIT=1 OTHERS=2                  | safety"

END='invalid end state'
# name | macros | text that the counterexample's error must contain
mutations="
SIGNAL_ONE             | LIMIT=1 OTHERS=1                | $END
FINALIZE_BEFORE_DRAIN  | LIMIT=1 OTHERS=1                | pending==0
RING_AFTER_RELEASE     | LIMIT=1 OTHERS=1                | bell_usable
FORGET_CLEANUP_HOOK    | LIMIT=1 KEEPS_CLOSED=0 OTHERS=1 | $END
DROP_GENERATION_CHECK  | LIMIT=1 GENERATIONS=2 OTHERS=1  | handle==generation
IGNORE_SLEEPERS        | LIMIT=1 GENERATIONS=2 OTHERS=1  | handle==generation
KEEP_GENERATION        | LIMIT=1 GENERATIONS=2 OTHERS=1  | handle<generation
LEAVE_BEFORE_FINALIZED | LIMIT=1 OTHERS=1                | generation==me
SEQUENCE_READ_UNLOCKED | LIMIT=1 OTHERS=1                | asleep==0
NO_WAKE_ON_POP         | LIMIT=1 OTHERS=1                | asleep==0
FORGET_TO_RING_ON      | LIMIT=0 OTHERS=1                | pending==0
KEEP_WOKEN             | LIMIT=1 OTHERS=0 CALLS=2        | asleep==0
CALLBACK_UNDER_LOCK    | LIMIT=1 OTHERS=1                | lock!=_pid
POP_LAST_AHEAD         | LIMIT=0 OTHERS=3                | doorbell_held==((thread_count
FINALIZE_UNDER_RINGERS | LIMIT=0 OTHERS=1                | bell_usable
COUNT_RINGER_LATE      | LIMIT=0 OTHERS=1                | bell_usable
FINALIZE_UNDER_COUNTS  | LIMIT=1 LATE=1 OTHERS=0         | owed==0
LEAVE_OUT_DECIDED_EARLY | LIMIT=1 LATE=1 COUNT=1 OTHERS=2 | owed==0"

# build NAME MACROS COMPILER-FLAGS…: builds OUT/NAME/pan
build() {
  local directory=$OUT/$1 macros=()
  for macro in $2; do macros+=("-D$macro"); done
  shift 2
  rm -rf "$directory"
  mkdir -p "$directory"
  cd "$directory"
  cp "$MODEL" . # spin -t looks for its trail beside the model
  if ! spin "${macros[@]}" -a tsfn.pml >spin.log 2>&1 || [[ ! -e pan.c ]]; then
    cat spin.log >&2
    return 1
  fi
  gcc -w -DMEMLIM="$memory" -DNOFAIR "${smaller[@]}" "$@" -o pan pan.c
}

report() { # NAME VERDICT OK: prints one line, with figures from OUT/NAME/pan.log
  local log=$OUT/$1/pan.log states depth
  states=$(awk '/states, stored/ { print $1 }' "$log" 2>/dev/null || true)
  depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' "$log" 2>/dev/null || true)
  printf '%-24s %10s states  depth %5s  %6s s  %s\n' "$1" "${states:-?}" "${depth:-?}" \
    "$(awk '/^user|^sys/ { s += $2 } END { printf "%.1f", s }' "$OUT/$1/seconds.log" 2>/dev/null)" "$2"
  [[ $3 == yes ]]
}

run_pan() { # NAME ARGUMENT…
  cd "$OUT/$1" || return 1
  shift
  # pan's exit status does not show the result, but its log does.
  local TIMEFORMAT=$'user %U\nsys %S'
  { time ./pan "$@" >pan.log 2>&1 || true; } 2>seconds.log
}

is_complete() { ! grep -Eq 'not completed|too small|out of memory|aborting|max search depth' "$OUT/$1/pan.log"; }

check_configuration() { # NAME MACROS HOW
  local flags=(-DSAFETY) arguments=(-m100000 -w"$hash") level=-O2
  case $3 in
    finite) flags=(-DNP) arguments+=(-l) ;;
    safety) ;;
    *) flags=() arguments+=(-a -N "$3") ;;
  esac
  # If a search takes only seconds, an optimized build takes longer than it saves.
  [[ -n ${smaller[*]} || $1 =~ ^((un)?bounded|generations(-free)?|two-calls-each|finite|ltl)$ ]] || level=-O0
  build "$1" "$2" "$level" "${flags[@]}" || { report "$1" "FAILED: could not be built" no; return; }
  run_pan "$1" "${arguments[@]}"
  if grep -q 'errors: 0$' "$OUT/$1/pan.log" && is_complete "$1"; then
    report "$1" "holds ($2)" yes
  else
    report "$1" "FAILED ($2): $(grep -m1 -E '^pan:1|error|not completed' "$OUT/$1/pan.log" || echo 'see pan.log')" no
  fi
}

# Searches breadth first, so that the counterexample is a shortest one.
check_mutation() { # NAME MACROS EXPECTED
  build "$1" "$1 $2" -O0 -DSAFETY -DBFS || { report "$1" "FAILED: could not be built" no; return; }
  run_pan "$1" -w22
  local found
  found=$(sed -n 's/^pan:1: //p' "$OUT/$1/pan.log")
  if [[ $found == *"$3"* ]]; then
    report "$1" "caught: $found" yes
  else
    report "$1" "FAILED: expected a counterexample with '$3', found: ${found:-none}" no
  fi
}

# each FUNCTION LIST: calls the function for each line, `workers` at a time, and collects the
# results in OUT/results
each() {
  local name macros how
  while IFS='|' read -r name macros how; do
    [[ -n $name ]] || continue
    read -r name <<<"$name"; read -r macros <<<"$macros"; read -r how <<<"$how"
    while (($(jobs -rp | wc -l) >= workers)); do wait -n || true; done
    { if "$1" "$name" "$macros" "$how"; then echo passed >>"$OUT/results"; else echo failed >>"$OUT/results"; fi; } &
  done <<<"$2"
  wait
}

memory=2500 hash=24 workers=2 smaller=()
apt_need spin:spin gcc:gcc /usr/include/stdio.h:libc6-dev
mkdir -p "$OUT"

case ${1:-} in
  '' | --full | --large) ;;
  --trail)
    line=$(grep -E "^${2:-} " <<<"$mutations") || die "a mutation" "${2:-none}" "choose one of those in $0" 2
    IFS='|' read -r name macros how <<<"$line"
    read -r name <<<"$name"; read -r macros <<<"$macros"; read -r how <<<"$how"
    check_mutation "$name" "$macros" "$how" >&2
    macro_flags=(-D"$name")
    for macro in $macros; do macro_flags+=("-D$macro"); done
    cd "$OUT/$name"
    exec spin "${macro_flags[@]}" -t -p -g tsfn.pml
    ;;
  *)
    say "usage: test/model/check.sh [--full | --large | --trail MUTATION]"
    [[ $1 == -h || $1 == --help ]] || exit 2
    exit 0
    ;;
esac

: >"$OUT/results"
if [[ ${1:-} != --large ]]; then
  each check_mutation "$mutations"
  each check_configuration "$configurations"
fi
if [[ -n ${1:-} ]]; then
  # This is slower, but needs only a third of the memory.
  memory=6000 hash=26 workers=1 smaller=(-DCOLLAPSE)
  each check_configuration "$large"
fi
passed=$(grep -c passed "$OUT/results" || true)
failed=$(grep -c failed "$OUT/results" || true)
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
