#!/usr/bin/env bash
# Counts the instructions that the guard adds to the start of node -e 0, with callgrind: startup.sh [--total] NODE LIBRARY
# [CEILING]. Prints what the library's constructor takes, with all that it calls. With --total it also counts the
# whole process without and with the library: what is more there, beside the constructor, is the dynamic linker, and
# the lines of /proc/self/maps that libc and V8 read. The counts repeat within a thousandth on a busy machine too;
# another node or another libstdc++ has more or fewer symbols to look through.
#
# Fails if the constructor takes more than CEILING. Seen to fail: 3.4 million, before tg_image_refers_to looked at the
# imported symbols first.
set -euo pipefail

total=''
if [[ ${1:-} == --total ]]; then total=1 && shift; fi
node=$1 library=$2 ceiling=${3:-}

# count ENVIRONMENT OPTION…: the instructions of node -e 0. Without a JIT compiler and further threads they repeat.
count() {
  local output
  output=$(env "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null "${@:2}" \
    "$node" --jitless --single-threaded --predictable -e 0 2>&1) || true
  sed -n 's/^==[0-9]*== Collected : //p' <<<"$output" | grep -x '[0-9]\+' || {
    echo "startup.sh: needed: a count by callgrind; found: $output; do: run valgrind by hand" >&2
    return 1
  }
}

constructor=$(count "LD_PRELOAD=$library" --toggle-collect=arm_guard)
printf '%-34s %8d instructions\n' "start-up, the constructor" "$constructor"
if [[ -n $total ]]; then
  native=$(count TSFN_GUARD_BENCH=native)
  guarded=$(count "LD_PRELOAD=$library")
  printf '%-34s %8d instructions\n' "start-up, node -e 0, above native" $((guarded - native)) "  of native" "$native"
fi
((constructor != 0)) || { echo "startup.sh: needed: a constructor arm_guard; found: none; do: see src/preload/preload.c"; exit 1; }
[[ -z $ceiling ]] || ((constructor <= ceiling)) || {
  echo "startup.sh: needed: at most $ceiling instructions; found: $constructor; do: find out why (callgrind_annotate)"
  exit 1
}
