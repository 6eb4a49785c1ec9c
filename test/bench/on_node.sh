#!/usr/bin/env bash
# Counts the instructions of operations whose times figures.js measures, on a real node under
# callgrind: on_node.sh NODE LIBRARY ADDON. Each count is the difference between a process and
# another one that does the operation twice as often. Node runs without a JIT compiler and with one
# thread. The kernel's instructions are not counted. The counts vary by less than one percent, even
# on a busy machine. This takes some minutes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=callgrind.bash
. "$(dirname "${BASH_SOURCE[0]}")/callgrind.bash"

node=$1 library=$2 addon=$3

# difference ENVIRONMENT CALL TIMES: prints the instructions of one operation of CALL. The N in CALL
# stands for the number of operations.
difference() {
  local once twice body="const addon = require('$addon'); const f = () => {};
    (async () => { await addon.cycles(50, 1, f); await addon.burst(50, 1, f); $2; process.reallyExit(0) })()"
  once=$(count_instructions "$1" "$node" "${body/N/$3}")
  twice=$(count_instructions "$1" "$node" "${body/N/$((2 * $3))}")
  echo $(((twice - once) / $3))
}

# row TITLE CALL TIMES
row() {
  local native guarded diagnose
  native=$(difference '' "$2" "$3")
  guarded=$(difference "LD_PRELOAD=$library" "$2" "$3")
  diagnose=$(difference "LD_PRELOAD=$library TSFN_GUARD_OPTIONS=mode=diagnose:log_path=/dev/null" "$2" "$3")
  awk -v title="$1" -v n="$native" -v g="$guarded" -v d="$diagnose" \
    'BEGIN { printf "%-42s %7d %7d %5.2f %7d %5.2f\n", title, n, g, g / n, d, d / n }'
}

printf '%-42s %7s %7s %5s %7s %5s\n' 'instructions, without those of the kernel' native guarded ratio diagnose ratio
row 'create + release + finalize, one at a time' 'await addon.cycles(N, 1, f)' 1000
row 'create + release + finalize, all at once' 'await addon.cycles(N, 1e6, f)' 1000
row 'call and delivery, C no-op' 'await addon.burst(N, 0, f)' 5000
row 'call and delivery, JavaScript' 'await addon.burst(N, 1, f)' 5000
