# What the Bats files here share: a case of a real addon's program, run natively and guarded.
#
# A program prints one line when all went well, and stdout is nothing else. TG_TALLY (a file) makes every case run 20
# times each way and appends what came of it: addon, case, runtime, how, ok, died, other, what they died of (tabs
# between). test/real/table.sh makes a table of that.

# Workers that load an addon take their time: 24 seconds were seen on a machine with thirty others at work.
TG_TIMEOUT=${TG_TIMEOUT:-90}
load ../bats/helper

# shellcheck disable=SC2034 # for native and guarded
PROGRAMS=$TG_SOURCE/test/real
export NODE_PATH=$TG_SOURCE/build/deps/npm/real/node_modules

# needs PACKAGE [MAJOR]: skips the test where the package is not there, or the runtime is older than that.
needs() {
  local major=${TG_RUNTIME#*-}
  [[ -d $NODE_PATH/$1 ]] || skip "$1 is not there; scripts/deps.sh real fetches it"
  ((${major%%.*} >= ${2:-0})) || skip "$1 needs Node $2"
}

# attempt HOW PROGRAM.js CASE…: one run; result is ok, died or other, ending says how it died; the addon's own fault,
# known by a text that the process leaves on stderr, is result owned.
attempt() {
  local scratch=$BATS_TEST_TMPDIR/run status=0 line
  rm -rf "$scratch" && mkdir "$scratch"
  SCRATCH=$scratch "$@" >"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" </dev/null || status=$?
  line=$(cat "$BATS_TEST_TMPDIR/stdout")
  result=other ending=
  if died "$status"; then
    result=died ending=hang
    ((status == 124 || status == 137)) || ending=SIG$(kill -l $((status - 128)))
    [[ -z ${own:-} ]] || ! grep -qF -- "$own" "$BATS_TEST_TMPDIR/stderr" || result=owned ending+=' of its own'
  elif ((status == 0)) && [[ $line == "$expected" ]]; then
    result=ok
  fi
  [[ $result == ok ]] || last=$(echo "$1: status $status, printed:" && cat "$BATS_TEST_TMPDIR/stdout" \
    && tail -n 20 "$BATS_TEST_TMPDIR/stderr")
}

# runs N UNTIL HOW PROGRAM.js CASE…: N runs, or up to the first whose result is UNTIL; counts them in ok, died, owned,
# other.
runs() {
  local n=$1 until=$2 kinds summary
  shift 2
  ok=0 died=0 owned=0 other=0 last='' kinds=()
  [[ -z ${TG_TALLY:-} ]] || n=20 until=never
  while ((ok + died + owned + other < n)); do
    attempt "$@"
    printf -v "$result" %d $((${!result} + 1))
    [[ -z $ending ]] || kinds+=("$ending")
    [[ $result != "$until" ]] || break
  done
  summary=$(printf '%s\n' "${kinds[@]}" | sort | uniq -c | sed 's/^ *//; /^1 $/d' | paste -sd,)
  echo "$*: $ok ok, $((died + owned)) died ($summary), $other other${last:+; the last: $last}"
  [[ -z ${TG_TALLY:-} ]] || printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "${2%.js}" "${*:3}" "$TG_RUNTIME" "$1" \
    "$ok" $((died + owned)) "$other" "$summary" >>"$TG_TALLY"
}

# natively lives|dies|may_die|any PROGRAM.js CASE… <<<LINE: runs it without the guard. It prints LINE; or dies in one of
# three runs (chance may save some; the table of docs/real-addons.md has 20); or dies at least once in many runs (at a
# chance of 10 % none in 150 is one in ten million; it stops at the first, and only the tier `full` waits for such luck);
# or does what it likes, which is only counted where a table is made.
natively() {
  local expected ok died owned other last
  expected=$(cat)
  case $1 in
    lives) runs 1 other native "${@:2}" && hold $((ok > 0 && died + other == 0)) ;;
    dies) runs 3 died native "${@:2}" && hold $((died > 0 && other == 0)) ;;
    may_die) [[ -z ${TG_FULL:-}${TG_TALLY:-} ]] || { runs 150 died native "${@:2}" && hold $((died > 0)); } ;;
    any) [[ -z ${TG_TALLY:-} ]] || runs 20 never native "${@:2}" ;;
  esac
}

# lives PROGRAM.js CASE… <<<LINE: guarded, it prints LINE each time.
lives() {
  local expected ok died owned other last
  expected=$(cat)
  runs "$(repetitions 3)" never guarded "$@"
  hold $((ok > 0 && died + other == 0))
}

# lives_fast PROGRAM.js CASE… <<<LINE: the same with exit=fast, which no table counts.
lives_fast() {
  [[ -z ${TG_TALLY:-} ]] || skip 'exit=fast is measured by hand'
  TSFN_GUARD_OPTIONS=exit=fast lives "$@"
}

# lives_or_own TEXT PROGRAM.js CASE… <<<LINE: guarded, it prints LINE, or dies of the addon's own fault with TEXT (or one
# of its lines) on stderr, which docs/real-addons.md explains.
lives_or_own() {
  local expected own=$1 ok died owned other last
  expected=$(cat)
  shift
  runs "$(repetitions 3)" never guarded "$@"
  hold $((ok + owned > 0 && died + other == 0))
}

# own_fault WHY PROGRAM.js CASE… <<<LINE: the addon's own fault ends it, natively and guarded, without a word that tells
# it from others. So there is nothing to hold it to; it is counted where a table is made.
own_fault() {
  local expected ok died owned other last
  expected=$(cat)
  [[ -n ${TG_TALLY:-} ]] || skip "$1"
  runs 20 never native "${@:2}"
  runs 20 never guarded "${@:2}"
}

# hold 0|1: the test fails at 0; where a table is made, what came of it stands there.
hold() {
  [[ -n ${TG_TALLY:-} ]] || (($1))
}
