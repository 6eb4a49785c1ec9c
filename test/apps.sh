#!/usr/bin/env bash
# Runs whole applications without the guard, with the guard, and with mode=diagnose, and compares
# what they print: apps.sh [NAME…]. The table of docs/applications.md is its last output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# The applications are scripts in test/apps, which are sourced in an empty directory. They can use:
#   node           the runtime, TG_RUNTIME of test/runtimes.sh (default: node-24.21)
#   $MODULES       the packages of scripts/npm/apps; modules of the application find them, too
#   $NODE_PREFIX   a directory with include/node, that of the runtime if it has one
#   sums DIR       prints the checksums of all files in DIR
APPS=$ROOT/test/apps
TREE=$DEPS/npm/apps
LIBRARY=${TG_LIB:-$BUILD/release/libtsfnguard.so}
RUNTIME=${TG_RUNTIME:-node-24.21}
TIMEOUT=900

sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# A separate shell runs this for each application. All commands of the application inherit the guard
# from it.
if [[ ${1:-} == --inside ]]; then
  MODULES=$TREE/node_modules
  NODE_PREFIX=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [[ -e $NODE_PREFIX/include/node/node_api.h ]] || NODE_PREFIX=/usr
  export MODULES NODE_PREFIX NEXT_TELEMETRY_DISABLED=1 NO_COLOR=1 CI=1
  # shellcheck source=/dev/null
  . "$APPS/$2.sh"
  exit
fi

all=("$APPS"/*.sh)
all=("${all[@]##*/}")
all=("${all[@]%.sh}")
names=("$@")
(($#)) || names=("${all[@]}")
for name in "${names[@]}"; do
  [[ -e $APPS/$name.sh ]] || die "an application of test/apps: ${all[*]}" "$name" "correct the name" 2
done
[[ -e $LIBRARY ]] || die "the library, built" "no $LIBRARY" "run scripts/test.sh first"
"$ROOT/scripts/deps.sh" apps
node=$("$ROOT/test/runtimes.sh" | sed -n "s/^$RUNTIME\t//p")
[[ -n $node ]] || die "a runtime of test/runtimes.sh" "$RUNTIME" "set TG_RUNTIME, or run scripts/deps.sh runtimes"

# TG_KEEP=1 keeps this directory, with what the applications printed and the events.
results=$(mktemp -d)
# This directory is in the packages' tree, so that node and the bundlers find the packages from it.
work=$(mktemp -d "$TREE/work.XXXXXX")
trap '[[ -n ${TG_KEEP:-} ]] && say "kept: $results" || rm -rf "$results"; rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$node" "$work/bin/node"

# run_app NAME HOW [VARIABLE=VALUE…]: runs the application; its stdout goes to $results/NAME.HOW.
run_app() {
  local name=$1 how=$2 status=0
  shift 2
  mkdir "$work/$name"
  (cd "$work/$name" && env PATH="$work/bin:$PATH" "$@" timeout -k 10 $TIMEOUT "$ROOT/test/apps.sh" --inside "$name" \
    >"$results/$name.$how" 2>"$results/$name.$how.err" </dev/null) || status=$?
  rm -rf "${work:?}/$name"
  ((status == 0)) || say "$name, $how: ended with $status:"$'\n'"$(tail -n 20 "$results/$name.$how.err")"
  return $status
}

# events_of LOG: prints the codes of the events in it.
events_of() {
  local codes
  codes=$(sed -n 's/.*"code":"\([^"]*\)".*/\1/p' "$1" 2>/dev/null | sort -u | paste -sd ' ')
  echo "${codes:-none}"
}

# row NAME: prints the row of the table in docs/applications.md. The second line of each script says
# what it runs.
row() {
  printf '| %s: %s | %d | %s | %s |\n' "$1" "$(sed -n '2s/^# //p' "$APPS/$1.sh")" "$(wc -l <"$results/$1.native")" \
    "$(events_of "$results/$1.guarded.log")" "$(events_of "$results/$1.diagnose.log")"
}

failed=0
rows=()
for name in "${names[@]}"; do
  run_app "$name" native || { failed=1; continue; }
  same=1
  for how in guarded diagnose; do
    log=$results/$name.$how.log
    guard_options=require=1:summary=never:format=json:log_path=$log
    [[ $how == guarded ]] || guard_options+=:mode=diagnose
    run_app "$name" $how LD_PRELOAD="$LIBRARY" TSFN_GUARD_OPTIONS="$guard_options" || { failed=1 same=0; continue; }
    if diff "$results/$name.native" "$results/$name.$how" >&2; then
      printf '%s\t%s\tsame output, %d lines\n' "$name" $how "$(wc -l <"$results/$name.native")"
    else
      failed=1 same=0
      printf '%s\t%s\tother output than native\n' "$name" $how
    fi
    # What the guard reported, and how often.
    [[ ! -e $log ]] || sed -n 's/.*"code":"\([^"]*\)","kind":"\([^"]*\)".*"addon":"\([^"]*\)".*/\1 \2, \3/p' "$log" |
      sort | uniq -c
  done
  ((same == 0)) || rows+=("$(row "$name")")
done
printf '%s\n' "Node $("$node" -p process.versions.node)" '| application | lines of output | events | events of mode=diagnose |' '|---|---|---|---|' "${rows[@]}"
exit $failed
