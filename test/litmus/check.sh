#!/usr/bin/env bash
# Runs the litmus tests of this directory with herd7, see README.md: check.sh [FILE.litmus…].
# Without files it runs all tests. With the memory orders of the sources the bad outcome must never
# be seen. With any one of them weakened it must be seen.
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

# fields FILE NAME: prints the values of the lines "NAME: …", without the end of the comment.
fields() { sed -n "s/^ *$2: //p" "$1" | sed 's/ *\*)$//'; }

# occurrences TEXT FILE: prints how often the text is in the file, on one line or on several.
occurrences() { tr -s '[:space:]' ' ' <"$2" | grep -oF -- "$1" | wc -l; }

# observe FILE: prints "never", "sometimes" or "race", or nothing if herd7 could not run the file.
observe() {
  # With "fast" herd7 stops at the first bad outcome. Then it may miss a race, so this is not used
  # for C, which alone has races.
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

# weaken FILE FROM TO: prints the file with the text FROM replaced by TO. The program must contain
# FROM exactly once.
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

# check_sources FILE: checks that the sources still have the lines that the test is about.
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
