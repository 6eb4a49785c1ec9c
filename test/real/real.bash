# What the Bats files here share: a case of a real addon's program, run natively and guarded.
#
# A program prints one line when all went well, and stdout is nothing else. TG_TALLY (a file) makes every case run
# TG_TALLY_RUNS times (20) each way and appends what came of it: addon, case, runtime, how, ok, died, other, what they
# died of (tabs between). The ways are those in TG_TALLY_WAYS: native, guarded, and optioned, which is guarded with
# TG_TALLY_OPTIONS in TSFN_GUARD_OPTIONS. test/real/table.sh makes a table of that.

# Workers that load an addon take their time: 24 seconds were seen on a machine with thirty others at work.
TG_TIMEOUT=${TG_TIMEOUT:-90}
load ../bats/helper

# shellcheck disable=SC2034 # for native and guarded
PROGRAMS=$TG_SOURCE/test/real
MODULES=$TG_SOURCE/build/deps/npm/real/node_modules
# TG_MODULES is a node_modules with packages that scripts/deps.sh does not fetch, as they are large.
export NODE_PATH=$MODULES${TG_MODULES:+:$TG_MODULES}

# needs PACKAGE [MAJOR]: skips the test where the package is not there, or the runtime is older than that.
needs() {
  local major=${TG_RUNTIME#*-}
  [[ -d $MODULES/$1 || -d ${TG_MODULES:-$MODULES}/$1 ]] || skip "$1 is not there; scripts/deps.sh real fetches it"
  ((${major%%.*} >= ${2:-0})) || skip "$1 needs Node $2"
}

# optioned PROGRAM.js CASE…: guarded, with the options that a table is made for.
optioned() {
  TSFN_GUARD_OPTIONS=${TSFN_GUARD_OPTIONS:+$TSFN_GUARD_OPTIONS:}$TG_TALLY_OPTIONS guarded "$@"
}

# needs_large PACKAGE@VERSION [MAJOR]: the same for a package that is too large to be fetched on each machine.
needs_large() {
  [[ -d ${TG_MODULES:-$MODULES}/${1%@*} ]] || skip "$1 is large; to try it, npm install it, with its node_modules in TG_MODULES"
  needs "${1%@*}" "${@:2}"
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
  if [[ -n ${TG_TALLY:-} ]]; then
    [[ " ${TG_TALLY_WAYS:-native guarded} " == *" $1 "* ]] || return 0
    n=${TG_TALLY_RUNS:-20} until=never
  fi
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

# guarded_runs N PROGRAM.js CASE…: N runs guarded; where a table is made, those with its options first.
guarded_runs() {
  [[ -z ${TG_TALLY_OPTIONS:-} ]] || runs "$1" never optioned "${@:2}"
  runs "$1" never guarded "${@:2}"
}

# lives PROGRAM.js CASE… <<<LINE: guarded, it prints LINE each time.
lives() {
  local expected ok died owned other last
  expected=$(cat)
  guarded_runs "$(repetitions 3)" "$@"
  hold $((ok > 0 && died + other == 0))
}

# lives_with OPTIONS PROGRAM.js CASE… <<<LINE: the same with these options. A table has them from its own --options.
lives_with() {
  [[ -z ${TG_TALLY:-} ]] || skip "a table of the cases with $1 is made with --options $1"
  TSFN_GUARD_OPTIONS=$1 lives "${@:2}"
}

lives_fast() {
  lives_with exit=fast "$@"
}

# lives_or_own TEXT PROGRAM.js CASE… <<<LINE: guarded, it prints LINE, or dies of the addon's own fault with TEXT (or one
# of its lines) on stderr, which docs/real-addons.md explains.
lives_or_own() {
  local expected own=$1 ok died owned other last
  expected=$(cat)
  shift
  guarded_runs "$(repetitions 3)" "$@"
  hold $((ok + owned > 0 && died + other == 0))
}

# own_fault WHY PROGRAM.js CASE… <<<LINE: the addon's own fault ends it, natively and guarded, without a word that tells
# it from others. So there is nothing to hold it to; it is counted where a table is made.
own_fault() {
  local expected ok died owned other last
  expected=$(cat)
  [[ -n ${TG_TALLY:-} ]] || skip "$1"
  runs 20 never native "${@:2}"
  guarded_runs 20 "${@:2}"
}

# hold 0|1: the test fails at 0; where a table is made, what came of it stands there.
hold() {
  [[ -n ${TG_TALLY:-} ]] || (($1))
}
