# Completes the command line of tsfn-guard(1) in fish. What is between the marks scripts/docs.sh
# writes.

# __tsfn_guard_rows TEXT: its lines without the marks.
function __tsfn_guard_rows
    string match --invert --regex '^(#.*|)$' -- (string split \n -- $argv[1])
end

# Each option of the library and its values: FILE is a file, N a number. One that begins with "0 1"
# may go without a value, or has it after "=".
set -g __tsfn_guard_options (__tsfn_guard_rows '
# <!-- options -->
--mode protect diagnose off
--deadlock overflow status hang
--require 0 1
--verbosity 0 1
--pin 0 1 GLOB[,GLOB...]
--propagate 0 1
--log-path stderr FILE fd:N
--format text json
--rate N
--suppressions FILE
--stack-depth N
--queue-warn N
--finalize-warn-ms N
--summary errors always never
--exitcode N
--exit normal fast
--dump-signal N
--metrics-path FILE
--publish 0 1
--quirks none known FILE
--on log ignore abort stop
# <!-- /options -->
')
set -g __tsfn_guard_events (string split --no-empty ' ' -- (__tsfn_guard_rows '
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
'))
# Each subcommand and what it answers, and each of its options with its values.
set -g __tsfn_guard_subcommands (__tsfn_guard_rows '
# <!-- subcommands -->
doctor can it be guarded here?
explain what does TSG007 mean?
report what is in the logs?
scan which addons need it?
status guarded? kept alive by?
top what is a process doing?
triage what was this crash?
help what a subcommand does
# <!-- /subcommands -->
')
set -g __tsfn_guard_subcommand_options (__tsfn_guard_rows '
# <!-- subcommand_options -->
doctor --help
doctor --json
doctor --output FILE
doctor --table
doctor --version
explain --help
explain --output FILE
explain --version
report --diff FILE
report --fail-on fatal-avoided warn hang-avoided info leak
report --help
report --html FILE
report --json
report --output FILE
report --version
scan --help
scan --json
scan --output FILE
scan --version
status --help
status --json
status --output FILE
status --version
top --help
top --interval N
top --json
top --once
top --output FILE
top --version
triage --help
triage --json
triage --output FILE
triage --version
# <!-- /subcommand_options -->
')

# Whether the next word is the value of this option.
function __tsfn_guard_takes_next
    string match --quiet --regex -- "^$argv[1] (?!0 1)." $__tsfn_guard_options
end

# The words before the cursor, from the program on: nothing as long as there are only options of
# ours.
function __tsfn_guard_program_words
    set -l words (commandline -opc)[2..]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*=*'
            case '-*'
                __tsfn_guard_takes_next $words[1]; and set -e words[1]
            case '*'
                break
        end
        set -e words[1]
    end
    set -q words[1]; and printf '%s\n' $words
end

function __tsfn_guard_has_no_program
    test (count (__tsfn_guard_program_words)) = 0; and not contains -- -- (commandline -opc)
end

function __tsfn_guard_has_only_name
    test (count (commandline -opc)) = 1
end

# The subcommand, which stands directly after the name.
function __tsfn_guard_is_in
    test (count (commandline -opc)) -gt 1; and contains -- (commandline -opc)[2] $argv
end

# The program, or what belongs to it.
function __tsfn_guard_complete_program
    set -l words (__tsfn_guard_program_words)
    __tsfn_guard_is_in (string split -f 1 ' ' -- $__tsfn_guard_subcommands); and return
    not set -q words[1]; and string match --quiet -- '-*' (commandline -ct); and return
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

function __tsfn_guard_complete_on
    set -l event (string match --regex '^[^=]+=' -- (string replace --regex '^--on=' '' -- (commandline -ct)))
    if set -q event[1]
        printf '%s\n' $event{log,ignore,abort,stop}
    else
        printf '%s=\n' $__tsfn_guard_events
    end
end

function __tsfn_guard_guarded_processes
    grep -ls '/libtsfnguard\.so$' /proc/*/maps | string match --regex --groups-only '^/proc/([0-9]+)/'
end

function __tsfn_guard_runtimes
    tsfn-guard status 2>/dev/null | string match --regex --groups-only '^ *([0-9]+) '
end

# __tsfn_guard_add CONDITION ROW: the option of this row.
function __tsfn_guard_add
    set -l words (string split ' ' -- $argv[2])
    set -l name (string sub -s 3 -- $words[1])
    set -l values $words[2..]
    set -l offered (string match --invert --regex '^(N|FILE|GLOB.*|fd:N)$' -- $values)
    if test $name = on
        complete -c tsfn-guard -n $argv[1] -l on -x -a '(__tsfn_guard_complete_on)'
    else if not set -q values[1]
        complete -c tsfn-guard -n $argv[1] -l $name -f
    else if test "$values[1..2]" = '0 1'
        complete -c tsfn-guard -n $argv[1] -l $name -f -a "$offered"
    else if contains FILE $values
        complete -c tsfn-guard -n $argv[1] -l $name -r -F -a "$offered"
    else
        complete -c tsfn-guard -n $argv[1] -l $name -x -a "$offered"
    end
end

complete -c tsfn-guard -f
complete -c tsfn-guard -a '(__tsfn_guard_complete_program)'
for row in $__tsfn_guard_options --best-effort
    __tsfn_guard_add __tsfn_guard_has_no_program $row
end
complete -c tsfn-guard -n __tsfn_guard_has_no_program -s h -l help -f -d 'Print the help'
complete -c tsfn-guard -n __tsfn_guard_has_no_program -s V -l version -f -d 'Print the version'
for row in $__tsfn_guard_subcommands
    set -l words (string split -m 1 ' ' -- $row)
    complete -c tsfn-guard -n __tsfn_guard_has_only_name -a $words[1] -d $words[2]
    complete -c tsfn-guard -n '__tsfn_guard_is_in help' -a $words[1] -d $words[2]
end
for row in $__tsfn_guard_subcommand_options
    set -l words (string split -m 1 ' ' -- $row)
    __tsfn_guard_add "__tsfn_guard_is_in $words[1]" $words[2]
end
complete -c tsfn-guard -n '__tsfn_guard_is_in explain' -a "$__tsfn_guard_events"
complete -c tsfn-guard -n '__tsfn_guard_is_in report triage' -F
complete -c tsfn-guard -n '__tsfn_guard_is_in scan' -a '(__fish_complete_directories)'
complete -c tsfn-guard -n '__tsfn_guard_is_in status' -a '(__tsfn_guard_runtimes)'
complete -c tsfn-guard -n '__tsfn_guard_is_in top' -a '(__tsfn_guard_guarded_processes)'
complete -c tsfn-guard -n '__tsfn_guard_is_in doctor' -a '(__fish_complete_command)'
