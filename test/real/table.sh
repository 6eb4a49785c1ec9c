#!/usr/bin/env bash
# Runs every case of the real addons 20 times without and 20 times with the guard, and prints a table of the
# results.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/real/table.sh [ADDON…]     measures these, or all of test/real: about ten minutes an addon
       test/real/table.sh --print      the table of what has been measured, once more

On the runtimes in TG_RUNTIMES (default: "node-18 node-20 node-22 node-24.21 node-26"), names of test/runtimes.sh.
The tests must have been built (scripts/test.sh). Figures are kept in build/real-table.tsv until an addon is
measured again. A cell says how many of 20 runs ended well, native → guarded; - if the addon does not run there.
END
}

FIGURES=$BUILD/real-table.tsv
RUNTIMES=" ${TG_RUNTIMES:-node-18 node-20 node-22 node-24.21 node-26} "

# measure ADDON: runs its cases on each of these runtimes.
measure() {
  local runtime node
  [[ ! -e $FIGURES ]] || sed -i "/^$1\t/d" "$FIGURES"
  while IFS=$'\t' read -r runtime node; do
    [[ $RUNTIMES == *" $runtime "* ]] || continue
    say "$1 on $runtime"
    TG_TALLY=$FIGURES TG_BUILD=$BUILD/release TG_SOURCE=$ROOT TG_RUNTIME=$runtime TG_NODE=$node \
      bats "$ROOT/test/real/$1.bats" </dev/null >&2
  done < <("$ROOT/test/runtimes.sh")
}

table() {
  awk -F'\t' '
    { row = $1 SUBSEP $2; if (!(row in seen)) { seen[row]; rows[++n] = row } }
    !($3 in column) { column[$3]; columns[++m] = $3 }
    { ok[row, $3, $4] = $5 }
    END {
      head = "| addon | case |"; rule = "|---|---|"
      for (j = 1; j <= m; j++) { head = head " " columns[j] " |"; rule = rule "---|" }
      print head "\n" rule
      for (i = 1; i <= n; i++) {
        split(rows[i], name, SUBSEP)
        line = "| " name[1] " | " name[2] " |"
        for (j = 1; j <= m; j++) {
          cell = (rows[i], columns[j], "native") in ok
          line = line (cell ? " " ok[rows[i], columns[j], "native"] " → " ok[rows[i], columns[j], "guarded"] : " -") " |"
        }
        print line
      }
    }' "$FIGURES"
}

case ${1:-} in
  -h | --help) usage; exit ;;
  --print) [[ -e $FIGURES ]] || die "figures in $FIGURES" "none" "run test/real/table.sh"; table; exit ;;
esac
[[ -e $BUILD/release/libtsfnguard.so ]] || die "the library, built" "none in build/release" "run scripts/test.sh first"
if (($#)); then addons=("$@"); else mapfile -t addons < <(cd "$ROOT/test/real" && printf '%s\n' *.bats | sed 's/\.bats$//'); fi
for addon in "${addons[@]}"; do
  [[ -e $ROOT/test/real/$addon.bats ]] || die "an addon of test/real" "$addon" "see: ls test/real/*.bats" 2
done
for addon in "${addons[@]}"; do measure "$addon"; done
table
