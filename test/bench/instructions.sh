#!/usr/bin/env bash
# Prints how many instructions the core's operations take: instructions.sh PROGRAM. No figure is a pass mark; they
# repeat exactly, so that two commits can be compared on a noisy machine.
set -euo pipefail

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
valgrind --tool=callgrind --callgrind-out-file="$files/out" --dump-instr=no "$1" >"$files/log" 2>&1 || {
  cat "$files/log"
  exit 1
}

# Each dump has a file of its own, numbered; the last one, without a number, is of the end.
shown=0
for dump in $(find "$files" -name 'out.*' | sort -t. -k3 -n); do
  name=$(sed -n 's/^desc: Trigger: Client Request: //p' "$dump")
  total=$(sed -n 's/^totals: //p' "$dump")
  [[ -n $name ]] || continue
  printf '%-34s %6s.%s instructions\n' "$name" $((total / 1000)) $((total / 100 % 10))
  shown=$((shown + 1))
done
((shown == 6)) || { echo "instructions.sh: needed: 6 dumps; found: $shown; do: see instructions.c"; exit 1; }
