#!/usr/bin/env bash
# Counts the instructions that the guard adds to the start of node -e 0, with callgrind: startup.sh
# [--total] NODE LIBRARY [CEILING]. Prints what the library's constructor takes, with everything
# that it calls. With --total it also counts the whole process without and with the library.
# Besides the constructor, the difference consists of work of the dynamic linker, and of the lines
# of /proc/self/maps that libc and V8 read. The counts vary by less than a thousandth, even on a
# busy machine. They are different with another node or another libstdc++, which have more or fewer
# symbols to look through.
#
# Fails if the constructor takes more than CEILING. Seen to fail: with 3.4 million, before
# tg_image_refers_to looked at the imported symbols first.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=callgrind.bash
. "$(dirname "${BASH_SOURCE[0]}")/callgrind.bash"

total=''
if [[ ${1:-} == --total ]]; then total=1 && shift; fi
node=$1 library=$2 ceiling=${3:-}

constructor=$(count_instructions "LD_PRELOAD=$library" "$node" 0 --toggle-collect=arm_guard)
printf '%-34s %8d instructions\n' "start-up, the constructor" "$constructor"
if [[ -n $total ]]; then
  native=$(count_instructions TSFN_GUARD_BENCH=native "$node" 0)
  guarded=$(count_instructions "LD_PRELOAD=$library" "$node" 0)
  printf '%-34s %8d instructions\n' "start-up, node -e 0, above native" $((guarded - native)) "  of native" "$native"
fi
((constructor != 0)) || { echo "startup.sh: needed: a constructor arm_guard; found: none; do: see src/preload/preload.c"; exit 1; }
[[ -z $ceiling ]] || ((constructor <= ceiling)) || {
  echo "startup.sh: needed: at most $ceiling instructions; found: $constructor; do: find out why (callgrind_annotate)"
  exit 1
}
