#!/usr/bin/env bash
# Prints how many instructions the core's operations take, and fails if one takes more than its
# ceiling: instructions.sh PROGRAM [CEILINGS]. The counts of one compiler are exactly the same each
# time, even on a busy machine. Those of another compiler may be slightly different.
#
# Seen to fail: with a ceiling of one instruction less than the count.
set -euo pipefail

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
valgrind --tool=callgrind --callgrind-out-file="$files/out" --dump-instr=no "$1" >"$files/log" 2>&1 || {
  cat "$files/log"
  exit 1
}

# Each dump has a numbered file of its own. The file without a number is the dump at the end.
shown=0 above=0
for dump in $(find "$files" -name 'out.*' | sort -t. -k3 -n); do
  name=$(sed -n 's/^desc: Trigger: Client Request: //p' "$dump")
  total=$(sed -n 's/^totals: //p' "$dump")
  [[ -n $name ]] || continue
  printf '%-34s %6s.%s instructions\n' "$name" $((total / 1000)) $((total / 100 % 10))
  shown=$((shown + 1))
  [[ -n ${2:-} ]] || continue
  ceiling=$(sed -n "s/^$name: //p" "$2")
  [[ $ceiling =~ ^[0-9]+$ ]] || { echo "instructions.sh: needed: a ceiling of '$name'; found: none in $2; do: add it"; exit 1; }
  ((total > ceiling * 1000)) || continue
  echo "instructions.sh: needed: at most $ceiling for '$name'; found: $((total / 1000)); do: find out why, or raise it in $2"
  above=1
done
((shown == 6)) || { echo "instructions.sh: needed: 6 dumps; found: $shown; do: see instructions.c"; exit 1; }
exit $above
