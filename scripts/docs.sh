#!/usr/bin/env bash
# Writes the tables of options and events into README.md and docs/misuse/README.md, from what help=1 prints, and that of
# known faults into docs/affected.md, from what the command prints: docs.sh [--check]. Status 1: with --check, a table is
# not what they say, or a kind of event has no page.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library=${TG_LIB:-$BUILD/release/libtsfnguard.so}
check=
case ${1:-} in
  '') ;;
  --check) check=1 ;;
  *) die "no argument, or --check" "$1" "run it as: scripts/docs.sh [--check]" 2 ;;
esac
[[ -e $library ]] || die "the built library" "no $library" "build it: scripts/quickstart.sh, or set TG_LIB" 2
runtime=${TG_NODE:-$("$ROOT/scripts/runtimes.sh" | sed -n '1s/.*\t//p')}
runtime=${runtime:-$(command -v node || true)}
[[ -n $runtime ]] || die "a runtime to ask" "no node in PATH" "install Node.js, or set TG_NODE" 2

help=$(TSFN_GUARD_OPTIONS=help=1:mode=off LD_PRELOAD=$library "$runtime" -e 0 2>&1 |
  sed -n 's/^tsfn-guard\[[0-9]*\]: //p')

# Rows from "key=values (default x): text". A vertical bar would end the cell.
options_table() {
  awk 'BEGIN { print "| option | default | |\n|---|---|---|" }
    /^TSG/ { next }
    {
      at = index($0, " (default ")
      key = substr($0, 1, at - 1)
      rest = substr($0, at + length(" (default "))
      close_at = index(rest, "): ")
      gsub(/[|]/, "\\|", key)
      print "| `" key "` | " substr(rest, 1, close_at - 1) " | " substr(rest, close_at + 3) " |"
    }' <<<"$help"
}

# Rows from "TSG001 name (severity, mode=diagnose): text".
events_table() {
  awk 'BEGIN { print "| code | name | severity | told with mode | |\n|---|---|---|---|---|" }
    !/^TSG/ { next }
    {
      at = index($0, "): ")
      severity = $3
      gsub(/[(),:]/, "", severity)
      # Leaks and what is for information are noticed in both modes, but told in one (on.EVENT).
      mode = $4 ~ /^mode=/ || severity == "leak" || severity == "info" ? "diagnose" : "both"
      print "| [" $1 "](" $1 ".md) | `" $2 "` | " severity " | " mode " | " substr($0, at + 3) " |"
    }' <<<"$help"
}

# fill FILE MARKER: replaces what lies between <!-- MARKER --> and <!-- /MARKER --> by stdin.
fill() {
  local file=$1 marker=$2 table filled
  table=$(cat)
  grep -q "<!-- $marker -->" "$file" || die "the marker $marker" "none in $file" "put <!-- $marker --> there"
  filled=$(TABLE=$table awk -v begin="<!-- $marker -->" -v end="<!-- /$marker -->" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin { inside = 1; print ENVIRON["TABLE"] }' "$file")
  if [[ -z $check ]]; then
    printf '%s\n' "$filled" >"$file"
  elif ! diff -u "$file" <(printf '%s\n' "$filled") >&2; then
    die "the table $marker as the program prints it" "another one in $file" "run scripts/docs.sh"
  fi
}

options_table | fill "$ROOT/README.md" options
events_table | fill "$ROOT/docs/misuse/README.md" catalogue
"${library%/*}/tsfn-guard" doctor --table | fill "$ROOT/docs/affected.md" affected
while read -r code; do
  [[ -e $ROOT/docs/misuse/$code.md ]] || die "a page for each kind" "no docs/misuse/$code.md" "write it"
done < <(grep -o '^TSG[0-9]*' <<<"$help")
