#!/usr/bin/env bash
# Runs every case of the real addons many times without the guard, guarded, and guarded with
# options. Prints a table of the results.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/real/table.sh [OPTION…] [ADDON…]   measures these, or all of test/real: about ten minutes an addon
       test/real/table.sh --print [FIGURES]    the table of what has been measured, once more

  --options OPTIONS   guarded runs with OPTIONS in TSFN_GUARD_OPTIONS too
  --ways WAYS         only some of native, guarded, optioned (with the options)
  --cases REGEX       only the cases whose name matches
  --runs N            so many runs of each case and way (20)
  --figures FILE      keeps the figures in this file instead of build/real-table.tsv
  --add               adds to the figures of an addon that was measured before; else they are replaced

On the runtimes in TG_RUNTIMES (default: "node-18 node-20 node-22 node-24.21 node-26"), names of test/runtimes.sh.
The tests must have been built (scripts/test.sh). A run that takes longer than TG_TIMEOUT seconds (90) counts as a
hang. Figures are kept until an addon is measured again. A cell says how many of 20 runs ended well, native → guarded →
with the options; "of N" if they are not 20; - for what was not run there. For example, to see whether remedies
harm addons that need none:
  echo '*: dying late leak' >all.quirks
  test/real/table.sh --ways 'guarded optioned' --runs 50 --options quirks=$PWD/all.quirks --figures build/harm.tsv koffi
END
}

FIGURES=$BUILD/real-table.tsv
RUNTIMES=" ${TG_RUNTIMES:-node-18 node-20 node-22 node-24.21 node-26} "
add=no cases=
export TG_TALLY_RUNS=20 TG_TALLY_WAYS='native guarded optioned' TG_TALLY_OPTIONS=

# measure ADDON: runs its cases on each of the runtimes in TG_RUNTIMES.
measure() {
  local runtime node
  [[ $add == yes || ! -e $FIGURES ]] || sed -i "/^$1\t/d" "$FIGURES"
  while IFS=$'\t' read -r runtime node; do
    [[ $RUNTIMES == *" $runtime "* ]] || continue
    say "$1 on $runtime"
    TG_TALLY=$FIGURES TG_BUILD=$BUILD/release TG_SOURCE=$ROOT TG_RUNTIME=$runtime TG_NODE=$node \
      bats ${cases:+--filter "^($cases):"} "$ROOT/test/real/$1.bats" </dev/null >&2
  done < <("$ROOT/test/runtimes.sh")
}

table() {
  awk -F'\t' '
    { row = $1 SUBSEP $2; if (!(row in seen)) { seen[row]; rows[++n] = row } }
    !($3 in column) { column[$3]; columns[++m] = $3 }
    { ok[row, $3, $4] += $5; all[row, $3, $4] += $5 + $6 + $7; used[$4]; ran[row, $3] }
    END {
      split("native guarded optioned", ways, " ")
      head = "| addon | case |"; rule = "|---|---|"
      for (j = 1; j <= m; j++) { head = head " " columns[j] " |"; rule = rule "---|" }
      print head "\n" rule
      for (i = 1; i <= n; i++) {
        split(rows[i], name, SUBSEP)
        line = "| " name[1] " | " name[2] " |"
        for (j = 1; j <= m; j++) {
          cell = ""
          for (k = 1; k <= 3; k++) {
            key = rows[i] SUBSEP columns[j] SUBSEP ways[k]
            if (!(ways[k] in used)) continue
            cell = cell (cell == "" ? "" : " → ") (key in ok ? ok[key] (all[key] == 20 ? "" : " of " all[key]) : "-")
          }
          line = line " " ((rows[i], columns[j]) in ran ? cell : "-") " |"
        }
        print line
      }
    }' "$FIGURES"
}

while (($#)); do
  case $1 in
    -h | --help) usage; exit ;;
    --print)
      FIGURES=${2:-$FIGURES}
      [[ -e $FIGURES ]] || die "figures in $FIGURES" "none" "run test/real/table.sh"
      table
      exit
      ;;
    --add) add=yes ;;
    --cases | --figures | --options | --runs | --ways)
      (($# > 1)) || die "a value behind $1" "none" "see test/real/table.sh --help" 2
      case $1 in
        --cases) cases=$2 ;;
        --figures) FIGURES=$2 ;;
        --options) TG_TALLY_OPTIONS=$2 ;;
        --ways) TG_TALLY_WAYS=$2 ;;
        --runs)
          [[ $2 =~ ^[1-9][0-9]*$ ]] || die "a number of runs behind --runs" "$2" "give it 1 or more" 2
          TG_TALLY_RUNS=$2
          ;;
      esac
      shift
      ;;
    -*) die "an option of test/real/table.sh" "$1" "see test/real/table.sh --help" 2 ;;
    *) break ;;
  esac
  shift
done
[[ -e $BUILD/release/libtsfnguard.so ]] || die "the library, built" "none in build/release" "run scripts/test.sh first"
if (($#)); then addons=("$@"); else mapfile -t addons < <(cd "$ROOT/test/real" && printf '%s\n' *.bats | sed 's/\.bats$//'); fi
for addon in "${addons[@]}"; do
  [[ -e $ROOT/test/real/$addon.bats ]] || die "an addon of test/real" "$addon" "see: ls test/real/*.bats" 2
done
for addon in "${addons[@]}"; do measure "$addon"; done
table
