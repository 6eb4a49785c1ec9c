# What the Bats files in this directory share: they run a case of an addon's program without and
# with the guard.
#
# If all goes well, a program prints one line and nothing else on stdout. If TG_TALLY names a file,
# every case runs TG_TALLY_RUNS times (20) each way, and a line is appended to that file: addon,
# case, runtime, how, ok, died, other, what they died of (separated by tabs). The ways are those in
# TG_TALLY_WAYS: native, guarded, and optioned, which is guarded with TG_TALLY_OPTIONS in
# TSFN_GUARD_OPTIONS. test/real/table.sh makes a table of these lines.

# Workers that load an addon need time: 24 seconds were seen on a machine with thirty others at
# work.
TG_TIMEOUT=${TG_TIMEOUT:-90}
load ../bats/helper

# shellcheck disable=SC2034 # for native and guarded
PROGRAMS=$TG_SOURCE/test/real
MODULES=$TG_SOURCE/build/deps/npm/real/node_modules
# TG_MODULES is a node_modules with packages that are too large for scripts/deps.sh to fetch.
export NODE_PATH=$MODULES${TG_MODULES:+:$TG_MODULES}

# needs PACKAGE [MAJOR]: skips the test if the package is not installed, or the runtime is older
# than that.
needs() {
  local major=${TG_RUNTIME#*-}
  [[ -d $MODULES/$1 || -d ${TG_MODULES:-$MODULES}/$1 ]] || skip "$1 is not there; scripts/deps.sh real fetches it"
  ((${major%%.*} >= ${2:-0})) || skip "$1 needs Node $2"
}

# optioned PROGRAM.js CASE…: runs it guarded, with the options for which a table is made.
optioned() {
  TSFN_GUARD_OPTIONS=${TSFN_GUARD_OPTIONS:+$TSFN_GUARD_OPTIONS:}$TG_TALLY_OPTIONS guarded "$@"
}

# needs_large PACKAGE@VERSION [MAJOR]: like needs, for a package that is too large to be fetched on
# each machine.
needs_large() {
  [[ -d ${TG_MODULES:-$MODULES}/${1%@*} ]] || skip "$1 is large; to try it, npm install it, with its node_modules in TG_MODULES"
  needs "${1%@*}" "${@:2}"
}

# attempt HOW PROGRAM.js CASE…: runs it once. Sets `result` to ok, died or other, and `ending` to
# how it died. If it died, and has left the text of the addon's own fault ($own) on stderr, `result`
# is owned.
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

# runs N UNTIL HOW PROGRAM.js CASE…: runs it N times, and stops early at the result UNTIL. Counts
# the results in ok, died, owned and other.
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

# natively lives|dies|may_die|any PROGRAM.js CASE… <<<LINE: runs it without the guard, and expects:
#   lives    it prints LINE
#   dies     it dies in at least one of three runs (some survive by chance; docs/real-addons.md has
#            figures of 20 runs)
#   may_die  it dies in at least one of 150 runs. If one run in ten dies, the chance that none of
#            150 does is one in ten million. It stops at the first death. Only the tier `full` takes
#            that long.
#   any      anything may happen. It is only counted, and only for the table.
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

# guarded_runs N PROGRAM.js CASE…: runs it N times guarded. If a table is made with options, it
# first runs it N times with these.
guarded_runs() {
  [[ -z ${TG_TALLY_OPTIONS:-} ]] || runs "$1" never optioned "${@:2}"
  runs "$1" never guarded "${@:2}"
}

# lives PROGRAM.js CASE… <<<LINE: expects that, guarded, it prints LINE each time.
lives() {
  local expected ok died owned other last
  expected=$(cat)
  guarded_runs "$(repetitions 3)" "$@"
  hold $((ok > 0 && died + other == 0))
}

# lives_with OPTIONS PROGRAM.js CASE… <<<LINE: the same with these options. A table uses its own
# --options instead.
lives_with() {
  [[ -z ${TG_TALLY:-} ]] || skip "a table of the cases with $1 is made with --options $1"
  TSFN_GUARD_OPTIONS=$1 lives "${@:2}"
}

lives_fast() {
  lives_with exit=fast "$@"
}

# lives_or_own TEXT PROGRAM.js CASE… <<<LINE: expects that, guarded, it prints LINE, or dies of the
# addon's own fault with TEXT (or one of its lines) on stderr. docs/real-addons.md explains these
# faults.
lives_or_own() {
  local expected own=$1 ok died owned other last
  expected=$(cat)
  shift
  guarded_runs "$(repetitions 3)" "$@"
  hold $((ok + owned > 0 && died + other == 0))
}

# lives_or_own_with OPTIONS TEXT PROGRAM.js CASE… <<<LINE: the same with these options.
lives_or_own_with() {
  [[ -z ${TG_TALLY:-} ]] || skip "a table of the cases with $1 is made with --options $1"
  TSFN_GUARD_OPTIONS=$1 lives_or_own "${@:2}"
}

# own_fault WHY PROGRAM.js CASE… <<<LINE: for a case that may die of the addon's own fault, without
# and with the guard, and then prints nothing by which the fault can be recognised. So the result
# cannot be checked. It is only counted for the table.
own_fault() {
  local expected ok died owned other last
  expected=$(cat)
  [[ -n ${TG_TALLY:-} ]] || skip "$1"
  runs 20 never native "${@:2}"
  guarded_runs 20 "${@:2}"
}

# hold 0|1: fails the test at 0, except when a table is made.
hold() {
  [[ -n ${TG_TALLY:-} ]] || (($1))
}
