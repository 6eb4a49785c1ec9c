#!/usr/bin/env bash
# Runs the litmus tests of this directory with herd7, see README.md: with the orders of the sources
# the bad outcome is never seen, and with any one of them weakened it is. check.sh [FILE.litmus…]:
# all, or these.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

HERE=$ROOT/test/litmus
HERD=$DEPS/herd7/herd7
[[ -x $HERD ]] || { say "skipped: no herd7 here; scripts/deps.sh herd7 fetches it"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 ran=0

wrong() {
  printf '%s: needed: %s\n  found: %s\n' "$1" "$2" "$3"
  failed=1
}

# fields FILE NAME: the values of its lines "NAME: …", without the end of the comment.
fields() { sed -n "s/^ *$2: //p" "$1" | sed 's/ *\*)$//'; }

# occurrences TEXT FILE: how often the text is in the file.
occurrences() { grep -oF -- "$1" "$2" | wc -l; }

# observe FILE: "never", "sometimes" or "race"; nothing if herd7 could not run it.
observe() {
  # Fast: it stops at the first bad outcome. But then it may miss a race, which only C has.
  local options=(-speedcheck fast) output
  [[ $(head -n 1 "$1") != C\ * ]] || options=(-model rc11.cat)
  output=$(timeout 120 "$HERD" "${options[@]}" "$1" 2>&1) || true
  case $output in
    *'Flag *undef*'*) echo race ;;
    *'Observation '*' Never '*) echo never ;;
    *'Observation '*' Sometimes '* | *'Observation '*' Always '*) echo sometimes ;;
    *) printf '%s\n' "$output" >&2 ;;
  esac
}

# weaken FILE FROM TO: prints the file with the text exchanged, which the program has exactly once.
weaken() {
  python3 - "$@" <<'END_PYTHON'
import sys

path, before, after = sys.argv[1:]
comment, program = open(path).read().split("*)", 1)
if program.count(before) != 1:
    sys.exit(f"{path}: needed: once in the program: {before}\n  found: {program.count(before)} times")
print(comment + "*)" + program.replace(before, after), end="")
END_PYTHON
}

# The lines of the sources that the test is about are still there.
check_sources() {
  local line path
  while read -r line; do
    path=${line%%: *}
    [[ $(occurrences "${line#*: }" "$ROOT/$path") != 0 ]] ||
      wrong "${1##*/}" "in $path: ${line#*: }" "no such line; compare the test with the code, and correct the line"
  done < <(fields "$1" source)
}

check() {
  local name=${1##*/} line seen weakened=$work/weakened.litmus
  check_sources "$1"
  seen=$(observe "$1")
  [[ $seen == never ]] || wrong "$name" "with the real orders the bad outcome is never seen" "${seen:-no answer of herd7}"
  printf '%-34s never' "$name"
  while read -r line; do
    ran=$((ran + 1))
    weaken "$1" "${line%% => *}" "${line#* => }" >"$weakened" || { failed=1 && continue; }
    seen=$(observe "$weakened")
    printf ', %s' "${seen:-?}"
    [[ $seen == sometimes || $seen == race ]] ||
      wrong "$name" "with ${line%% => *} weakened the bad outcome is seen" "${seen:-no answer of herd7}"
  done < <(fields "$1" weaken)
  printf '\n'
}

(($#)) || set -- "$HERE"/*.litmus
for file; do check "$file"; done
printf '%d tests, %d weakened orders\n' $# $ran
exit $failed
