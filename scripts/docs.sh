#!/usr/bin/env bash
# Writes generated parts into the docs, the manual page and the completion: the options, events and
# quirks that help=1 prints, the signatures and faults that the command knows, and which file
# includes which. Usage: docs.sh [--check]. With --check it writes nothing, and ends with status 1
# if one of these parts is not up to date, or if a kind of event has no page.
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
command=${library%/*}/tsfn-guard
runtime=${TG_NODE:-$("$ROOT/test/runtimes.sh" | sed -n '1s/.*\t//p')}
runtime=${runtime:-$(command -v node || true)}
[[ -n $runtime ]] || die "a runtime to ask" "no node in PATH" "install Node.js, or set TG_NODE" 2

help=$(TSFN_GUARD_OPTIONS=help=1:mode=off LD_PRELOAD=$library "$runtime" -e 0 2>&1 |
  sed -n 's/^tsfn-guard\[[0-9]*\]: //p')

# Rows from "key=values (default x): text". Vertical bars are escaped, because they would end the
# cell.
options_table() {
  awk 'BEGIN { print "| option | default | |\n|---|---|---|" }
    /^TSG|^quirk / { next }
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
  awk 'BEGIN { print "| code | name | severity | reported with mode | |\n|---|---|---|---|---|" }
    !/^TSG/ { next }
    {
      at = index($0, "): ")
      severity = $3
      gsub(/[(),:]/, "", severity)
      # Events of these severities occur in both modes. Only mode=diagnose reports them (on.EVENT).
      mode = $4 ~ /^mode=/ || severity == "leak" || severity == "info" ? "diagnose" : "both"
      print "| [" $1 "](" $1 ".md) | `" $2 "` | " severity " | " mode " | " substr($0, at + 3) " |"
    }' <<<"$help"
}

# Rows from "quirk GLOB: words".
quirks_table() {
  awk 'BEGIN { print "| addon | quirks |\n|---|---|" }
    /^quirk / {
      at = index($0, ": ")
      print "| `" substr($0, 7, at - 7) "` | " substr($0, at + 2) " |"
    }' <<<"$help"
}

# Entries of the manual page: the command's options, which are those of TSFN_GUARD_OPTIONS except
# help.
manual_options() {
  awk '/^TSG|^quirk |^help=/ { next }
    # A placeholder for a value becomes an Ar, a literal value becomes a Cm.
    function values(text,   count, i, words, macros) {
      count = split(text, words, "|")
      for (i = 1; i <= count; i++) {
        if (words[i] == "fd:N") words[i] = "Cm fd:\\& Ns Ar N"
        else words[i] = (words[i] ~ /^[A-Z]/ ? "Ar " : "Cm ") words[i]
        macros = macros (i == 1 ? "" : " | ") words[i]
      }
      return macros
    }
    {
      equal = index($0, "=")
      at = index($0, " (default ")
      key = substr($0, 1, equal - 1)
      value = substr($0, equal + 1, at - equal - 1)
      rest = substr($0, at + length(" (default "))
      close_at = index(rest, "): ")
      gsub(/_/, "\\-", key)
      if (key == "on.EVENT") print ".It Fl \\-on Ar EVENT Ns = Ns " values(value)
      else if (value ~ /^0[|]1/) print ".It Fl \\-" key " Ns Op = Ns " values(value)
      else print ".It Fl \\-" key " " values(value)
      print "\\&" substr(rest, close_at + 3) ".\nDefault: " substr(rest, 1, close_at - 1) "."
    }' <<<"$help"
}

# The completion's options, each with its values. FILE and N stand for values that are not listed.
completion_options() {
  awk -v quote="'" '/^TSG|^quirk |^help=/ { next }
    {
      sub(/ \(default .*/, "")
      equal = index($0, "=")
      key = substr($0, 1, equal - 1)
      values = substr($0, equal + 1)
      sub(/^on\.EVENT$/, "on", key)
      gsub(/_/, "-", key)
      gsub(/[|]/, " ", values)
      print "  " quote "--" key " " values quote
    }' <<<"$help"
}

# The completion's events: codes and names, then the severities.
completion_events() {
  awk '/^TSG/ {
      severity = $3
      gsub(/[(),:]/, "", severity)
      print "  " $1 " " $2
      if (!seen[severity]++) severities = severities " " severity
    }
    END { print " " severities }' <<<"$help"
}

# The subcommands, each with the question that it answers, from lines like
# "tsfn-guard doctor [--json] [RUNTIME]   can it be guarded here?".
completion_subcommands() {
  "$command" --help | sed -nE "/^usage/,/^$/s/^ +tsfn-guard ([a-z]+) .*[^ ]  +([^ ].*)/  '\\1 \\2'/p"
  echo "  'help what a subcommand does'"
}

# The options of the subcommands, one in each row, with their values as above.
completion_subcommand_options() {
  local subcommand
  completion_subcommands | sed -n "s/^  '\\([a-z]*\\) .*/\\1/p" | while read -r subcommand; do
    [[ $subcommand != help ]] || continue
    { "$command" "$subcommand" --help; echo --help; } | grep -oE -- '--[a-z][a-z-]*( [A-Z]+)?' | LC_ALL=C sort -u |
      awk -v subcommand="$subcommand" -v quote="'" -v severities="$(completion_events | tail -n 1)" '
        { sub(/ (OLD|FILE)$/, " FILE"); sub(/ SECONDS$/, " N"); sub(/ SEVERITY$/, severities); gsub(/ +/, " ") }
        seen[$1]++ == 0 || NF > 1 { row[$1] = $0 }
        END { for (option in row) print "  " quote subcommand " " row[option] quote }' | LC_ALL=C sort
  done
}

# unquoted: rows without their quotes, for fish.
unquoted() { sed -E "s/^  '?//; s/'$//"; }

# fill FILE MARKER: replaces everything between the lines with <!-- MARKER --> and <!-- /MARKER -->
# with stdin.
fill() {
  local file=$1 marker=$2 table filled
  table=$(cat)
  grep -q "<!-- $marker -->" "$file" || die "the marker $marker" "none in $file" "put <!-- $marker --> there"
  filled=$(TABLE=$table awk -v begin="<!-- $marker -->" -v end="<!-- /$marker -->" '
    index($0, end) { inside = 0 }
    !inside { print }
    index($0, begin) { inside = 1; print ENVIRON["TABLE"] }' "$file")
  if [[ -z $check ]]; then
    printf '%s\n' "$filled" >"$file"
  elif ! diff -u "$file" <(printf '%s\n' "$filled") >&2; then
    die "what the program prints between the marks $marker" "something else in $file" "run scripts/docs.sh"
  fi
}

options_table | fill "$ROOT/docs/options.md" options
manual_options | fill "$ROOT/docs/tsfn-guard.1" options
for part in options events subcommands subcommand_options; do
  "completion_$part" | fill "$ROOT/src/command/completion.bash" "$part"
  "completion_$part" | fill "$ROOT/src/command/completion.zsh" "$part"
  "completion_$part" | unquoted | fill "$ROOT/src/command/completion.fish" "$part"
done
quirks_table | fill "$ROOT/docs/quirks.md" quirks
events_table | fill "$ROOT/docs/misuse/README.md" catalogue
"$command" triage --signatures | fill "$ROOT/docs/triage.md" signatures
"$command" doctor --table | fill "$ROOT/docs/affected.md" affected
while read -r code; do
  [[ -e $ROOT/docs/misuse/$code.md ]] || die "a page for each kind" "no docs/misuse/$code.md" "write it"
done < <(grep -o '^TSG[0-9]*' <<<"$help")
"$ROOT/scripts/includes.py" --table | fill "$ROOT/docs/design.md" includes
