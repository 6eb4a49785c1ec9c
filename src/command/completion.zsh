#compdef tsfn-guard
# Completes the command line of tsfn-guard(1) in zsh. What is between the marks scripts/docs.sh
# writes.

# Each option of the library and its values: FILE is a file, N a number. One that begins with "0 1"
# may go without a value, or has it after "=".
local -a _tsfn_guard_options=(
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
local -a _tsfn_guard_events=(
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
local -a _tsfn_guard_subcommands=(
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
local -a _tsfn_guard_subcommand_options=(
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

# _tsfn_guard_value WORD…: offers these words; FILE stands for all files, N for any number. (The
# space before each action in the specs keeps _arguments from putting words of its own before ours.)
_tsfn_guard_value() {
  local -a words=(${argv:#(N|FILE|GLOB*|fd:N)})
  (( ! $#words )) || compadd -a words
  [[ ${argv[(I)FILE]} == 0 ]] || _files
  [[ ${argv[(I)N]} == 0 ]] || _message number
}

# EVENT=ACTION
_tsfn_guard_on() {
  if compset -P '*='; then
    compadd log ignore abort stop
  else
    compadd -S = -a _tsfn_guard_events
  fi
}

# _tsfn_guard_specs_of ROW…: adds what _arguments wants for each row to `specs`.
_tsfn_guard_specs_of() {
  local row name
  local -a values
  for row; do
    values=(${=row})
    name=$values[1]
    shift values
    if (( ! $#values )); then
      specs+=("$name")
    elif [[ $name == --on ]]; then
      specs+=("*$name=:event: _tsfn_guard_on")
    elif [[ $values[1] == 0 && $values[2] == 1 ]]; then
      specs+=("$name=-::value: _tsfn_guard_value $values")
    else
      specs+=("$name=:value: _tsfn_guard_value $values")
    fi
  done
}

_tsfn_guard_described_subcommands() {
  local -a described=("${_tsfn_guard_subcommands[@]/ /:}")
  _describe -t subcommands subcommand described
}

_tsfn_guard_programs() {
  (( CURRENT > 2 )) || _tsfn_guard_described_subcommands
  _command_names -e
  _files
}

# The processes: those that have the library loaded, or all runtimes as the command finds them.
_tsfn_guard_guarded_processes() {
  local -a pids=(${(f)"$(grep -ls '/libtsfnguard\.so$' /proc/[0-9]*/maps | cut -d / -f 3)"})
  compadd -a pids
}
_tsfn_guard_runtimes() {
  local -a pids=(${(f)"$(_call_program pids $words[1] status 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }')"})
  compadd -a pids
}

_tsfn_guard_argument_of() {
  case $1 in
    doctor) _command_names -e; _files ;;
    explain) compadd -a _tsfn_guard_events ;;
    help) _tsfn_guard_described_subcommands ;;
    report | triage) _files ;;
    scan) _directories ;;
    status) _tsfn_guard_runtimes ;;
    top) _tsfn_guard_guarded_processes ;;
  esac
}

local -a specs
local subcommand=$words[2]
if (( CURRENT > 2 )) && [[ -n ${(M)_tsfn_guard_subcommands:#$subcommand *} ]]; then
  _tsfn_guard_specs_of "${(@)${(@M)_tsfn_guard_subcommand_options:#$subcommand *}#* }"
  shift words
  (( CURRENT-- ))
  _arguments : $specs "*:argument: _tsfn_guard_argument_of $subcommand"
else
  _tsfn_guard_specs_of "$_tsfn_guard_options[@]"
  _arguments -S : $specs --best-effort '(-h --help)'{-h,--help} '(-V --version)'{-V,--version} \
    '(-)1:program:_tsfn_guard_programs' '*::argument:_normal'
fi
