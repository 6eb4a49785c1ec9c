# Completes the command line of tsfn-guard(1) in bash. What is between the marks scripts/docs.sh
# writes.
# shellcheck shell=bash

# Each option of the library and its values: FILE is a file, N a number. One that begins with "0 1"
# may go without a value, or has it after "=".
_tsfn_guard_options=(
  # <!-- options -->
  '--mode protect diagnose off'
  '--deadlock overflow status hang'
  '--require 0 1'
  '--verbosity 0 1'
  '--pin 0 1 GLOB[,GLOB...]'
  '--propagate 0 1'
  '--log-path stderr FILE fd:N'
  '--format text json'
  '--rate N'
  '--suppressions FILE'
  '--stack-depth N'
  '--queue-warn N'
  '--finalize-warn-ms N'
  '--summary errors always never'
  '--exitcode N'
  '--exit normal fast'
  '--dump-signal N'
  '--metrics-path FILE'
  '--publish 0 1'
  '--quirks none known FILE'
  '--on log ignore abort stop'
  # <!-- /options -->
)
_tsfn_guard_events=(
  # <!-- events -->
  TSG001 call-after-finalize
  TSG002 acquire-after-finalize
  TSG003 release-after-finalize
  TSG004 get-context-after-finalize
  TSG005 ref-after-finalize
  TSG006 unref-after-finalize
  TSG007 stale-handle
  TSG008 never-a-handle
  TSG009 null-handle
  TSG010 null-result
  TSG011 release-after-closing
  TSG012 over-release
  TSG013 more-threads-than-counts
  TSG014 call-without-count
  TSG015 blocking-call-on-own-loop
  TSG016 blocked-callers-at-close
  TSG017 foreign-ref
  TSG018 items-undelivered
  TSG019 never-released
  TSG020 keeps-alive
  TSG021 long-queue
  TSG022 slow-finalizer
  TSG023 pending-exception
  TSG024 javascript-forbidden
  TSG025 addon-pinned
  TSG026 not-armed
  TSG027 handles-used-up
  TSG028 exception-caught
  TSG029 items-dropped
  TSG030 throw-ignored
  TSG031 false-answer
  TSG032 finalizer-left-out
  fatal-avoided warn hang-avoided info leak
  # <!-- /events -->
)

# Each subcommand and what it answers, and each of its options with its values.
_tsfn_guard_subcommands=(
  # <!-- subcommands -->
  'doctor can it be guarded here?'
  'explain what does TSG007 mean?'
  'report what is in the logs?'
  'scan which addons need it?'
  'status guarded? kept alive by?'
  'top what is a process doing?'
  'triage what was this crash?'
  'help what a subcommand does'
  # <!-- /subcommands -->
)
_tsfn_guard_subcommand_options=(
  # <!-- subcommand_options -->
  'doctor --help'
  'doctor --json'
  'doctor --output FILE'
  'doctor --table'
  'doctor --version'
  'explain --help'
  'explain --output FILE'
  'explain --version'
  'report --diff FILE'
  'report --fail-on fatal-avoided warn hang-avoided info leak'
  'report --help'
  'report --html FILE'
  'report --json'
  'report --output FILE'
  'report --version'
  'scan --help'
  'scan --json'
  'scan --output FILE'
  'scan --version'
  'status --help'
  'status --json'
  'status --output FILE'
  'status --version'
  'top --help'
  'top --interval N'
  'top --json'
  'top --once'
  'top --output FILE'
  'top --version'
  'triage --help'
  'triage --json'
  'triage --output FILE'
  'triage --version'
  # <!-- /subcommand_options -->
)

# _tsfn_guard_values OPTION: its values; status 1 where it has none.
_tsfn_guard_values() {
  local option
  for option in "${_tsfn_guard_options[@]}" "${_tsfn_guard_subcommand_options[@]#* }" '-o FILE'; do
    [[ ${option%% *} == "$1" && $option == *' '* ]] && printf '%s\n' "${option#* }" && return
  done
  return 1
}

# _tsfn_guard_takes_next WORD: whether the next word is the value of this option.
_tsfn_guard_takes_next() {
  local values
  values=$(_tsfn_guard_values "$1") && [[ $values != '0 1'* ]]
}

# _tsfn_guard_offer WORD KEPT WORDS…: those of WORDS that begin with WORD, without the part KEPT
# that readline keeps itself. FILE, DIRECTORY and COMMAND stand for all of these.
_tsfn_guard_offer() {
  local word=$1 kept=$2 one
  shift 2
  COMPREPLY=()
  for one in "$@"; do
    case $one in
      N | GLOB*) ;;
      FILE)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        ;;
      DIRECTORY)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        ;;
      COMMAND)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$word" | sort -u)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        ;;
      "$word"*)
        [[ $one != *= ]] || compopt -o nospace 2>/dev/null
        COMPREPLY+=("$one")
        ;;
    esac
  done
  COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

# _tsfn_guard_offer_values OPTION VALUE KEPT
_tsfn_guard_offer_values() {
  local values
  read -ra values <<<"$(_tsfn_guard_values "$1")"
  if [[ $1 == --on && $2 == *=* ]]; then
    values=("${values[@]/#/"${2%%=*}="}")
  elif [[ $1 == --on ]]; then
    read -ra values <<<"${_tsfn_guard_events[*]}"
    values=("${values[@]/%/=}")
  fi
  _tsfn_guard_offer "$2" "$3" "${values[@]}"
}

# _tsfn_guard_options_of SUBCOMMAND: the names of its options.
_tsfn_guard_options_of() {
  local row words
  for row in "${_tsfn_guard_subcommand_options[@]}"; do
    read -ra words <<<"$row"
    [[ ${words[0]} != "$1" ]] || printf '%s\n' "${words[1]}"
  done
}

# The processes that have the library loaded, of those that this user may look at.
_tsfn_guard_processes() {
  grep -ls '/libtsfnguard\.so$' /proc/[0-9]*/maps | cut -d / -f 3
}

# The JavaScript runtimes, guarded or not, as the command itself finds them.
_tsfn_guard_runtimes() {
  "${COMP_WORDS[0]}" status 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }'
}

_tsfn_guard() {
  local common=(--output --help --version) words=() starts=() last word current glue='' i=1 subcommand='' kept=''
  # Readline breaks words at "=" and ":"; here they are whole again.
  for ((last = 0; last <= COMP_CWORD; last++)); do
    word=${COMP_WORDS[last]}
    if [[ -n $glue || ($word == [=:]* && $last -gt 0) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
      starts+=("$last")
    fi
    [[ $word == *[=:] ]] && glue=1 || glue=''
  done
  last=$((${#words[@]} - 1))
  current=${words[last]}
  [[ $current != *[=:]* || $COMP_WORDBREAKS != *=* ]] || kept=${current%"${current##*[=:]}"}

  if ((last > 1)) && printf '%s\n' "${_tsfn_guard_subcommands[@]%% *}" | grep -qxF -e "${words[1]}"; then
    subcommand=${words[1]}
    i=2
  fi
  while ((i < last)); do
    case ${words[i]} in
      --) i=$((i + 1)) && break ;;
      --*=*) ;;
      -*) ! _tsfn_guard_takes_next "${words[i]}" || i=$((i + 1)) ;;
      *) [[ $subcommand == report ]] || break ;;
    esac
    i=$((i + 1))
  done

  if ((i > last)); then
    _tsfn_guard_offer_values "${words[last - 1]}" "$current" "$kept"
  elif ((i == last)) && [[ $current == --*=* && ${words[last - 1]} != -- ]]; then
    _tsfn_guard_offer_values "${current%%=*}" "${current#*=}" "${kept#"${current%%=*}="}"
  elif ((i == last)) && [[ $current == -* && ${words[last - 1]} != -- ]]; then
    case $subcommand in
      ?*)
        mapfile -t words < <(_tsfn_guard_options_of "$subcommand")
        _tsfn_guard_offer "$current" '' "${words[@]}"
        ;;
      *) _tsfn_guard_offer "$current" '' "${_tsfn_guard_options[@]%% *}" --best-effort --help --version -- ;;
    esac
  elif ((i < last)) && [[ $subcommand != report ]]; then
    # The program's own arguments, as the program's own completion has them.
    if declare -F _command_offset >/dev/null; then
      _command_offset "${starts[i]}"
    else
      _tsfn_guard_offer "$current" "$kept" FILE
    fi
  else
    case $subcommand in
      explain)
        read -ra words <<<"${_tsfn_guard_events[*]}"
        _tsfn_guard_offer "$current" "$kept" "${words[@]}"
        ;;
      help) _tsfn_guard_offer "$current" "$kept" "${_tsfn_guard_subcommands[@]%% *}" ;;
      report | triage) _tsfn_guard_offer "$current" "$kept" FILE ;;
      scan) _tsfn_guard_offer "$current" "$kept" DIRECTORY ;;
      status) mapfile -t COMPREPLY < <(compgen -W "$(_tsfn_guard_runtimes)" -- "$current") ;;
      top) mapfile -t COMPREPLY < <(compgen -W "$(_tsfn_guard_processes)" -- "$current") ;;
      doctor) _tsfn_guard_offer "$current" "$kept" COMMAND ;;
      *)
        _tsfn_guard_offer "$current" "$kept" COMMAND
        ((last > 1)) || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "${_tsfn_guard_subcommands[*]%% *}" -- "$current")
        ;;
    esac
  fi
}
complete -F _tsfn_guard tsfn-guard
