# metrics_path: what the file contains for a known program, when it is written, and that no reader
# ever sees half of it. The tests read it with the parser of Prometheus' own Python client
# (python3-prometheus-client).

bats_require_minimum_version 1.5.0
load ../helper

setup() {
  export METRICS=$BATS_TEST_TMPDIR/guard.prom
}

# measured CASE ARGS…: runs a case of metrics.js, guarded, with its metrics in $METRICS. $MORE has
# more options.
measured() {
  TSFN_GUARD_OPTIONS=summary=never:metrics_path=$METRICS${MORE:+:$MORE} run --separate-stderr guarded metrics.js "$@"
}

# samples FILE…: prints a line "NAME label=value… VALUE" for each sample. Fails if a strict reader
# would fail: no HELP or TYPE, a series that occurs twice (also in several files, which the
# collector refuses too), no newline at the end.
samples() {
  /usr/bin/python3 "$BATS_TEST_DIRNAME/../metrics.py" samples "$@"
}

NONE='tsfn_guard_created_total 0
tsfn_guard_events_by_severity_total severity=fatal-avoided 0
tsfn_guard_events_by_severity_total severity=hang-avoided 0
tsfn_guard_events_by_severity_total severity=info 0
tsfn_guard_events_by_severity_total severity=leak 0
tsfn_guard_events_by_severity_total severity=warn 0
tsfn_guard_finalized_total 0
tsfn_guard_handles state=closed 0
tsfn_guard_handles state=closing 0
tsfn_guard_handles state=in_use 0
tsfn_guard_handles state=leaked 0
tsfn_guard_handles state=open 0
tsfn_guard_info runtime=RUNTIME version=VERSION 1
tsfn_guard_queued_items 0
tsfn_guard_reports_not_logged_total 0
tsfn_guard_running 0'

# event CODE KIND SEVERITY ACTION COUNT: prints the sample of this event.
event() {
  echo "tsfn_guard_events_total action=$4 addon=$TEST_ADDONS/script.node code=$1 kind=$2 severity=$3 $5"
}

# without_versions: replaces the versions by words, after a check of the runtime's version.
without_versions() {
  sed "s/runtime=node $("$TG_NODE" -p process.versions.node) version=[0-9.]* /runtime=RUNTIME version=VERSION /"
}

# known ACTION STATUS CASE-ARGS…: runs the known program, and expects all its figures.
known() {
  local action=$1 status_expected=$2
  shift 2
  measured known "$@"
  assert_equal "$status" "$status_expected"
  run samples "$METRICS"
  assert_success
  # exit() has closed all open functions.
  assert_equal "$(without_versions <<<"$output")" "tsfn_guard_created_total 5
tsfn_guard_events_by_severity_total severity=fatal-avoided 3
tsfn_guard_events_by_severity_total severity=hang-avoided 0
tsfn_guard_events_by_severity_total severity=info 0
tsfn_guard_events_by_severity_total severity=leak 0
tsfn_guard_events_by_severity_total severity=warn 2
$(event TSG007 stale-handle fatal-avoided "$action" 3)
$(event TSG012 over-release warn "$action" 2)
tsfn_guard_finalized_total 2
tsfn_guard_handles state=closed 0
tsfn_guard_handles state=closing 3
tsfn_guard_handles state=in_use 0
tsfn_guard_handles state=leaked 1
tsfn_guard_handles state=open 0
tsfn_guard_info runtime=RUNTIME version=VERSION 1
tsfn_guard_queued_items 8
tsfn_guard_reports_not_logged_total 0
tsfn_guard_running 0"
}

@test "a known program: every figure, at process.exit" {
  known log 0 exit
}

@test "the same after an uncaught exception, and after SIGTERM with a handler" {
  known log 1 throw
  rm "$METRICS"
  known log 0 sigterm
}

@test "events that are ignored or suppressed are counted, with that action" {
  MORE=on.warn=ignore:on.fatal-avoided=ignore known ignore 0 exit
  assert_equal "$stderr" ''
  echo '*:script.node' >"$BATS_TEST_TMPDIR/suppressions"
  MORE=suppressions=$BATS_TEST_TMPDIR/suppressions known suppressed 0 exit
  assert_equal "$stderr" ''
}

@test "mode=diagnose counts the same" {
  MORE=mode=diagnose measured known exit
  assert_success
  run samples "$METRICS"
  assert_line 'tsfn_guard_created_total 5'
  assert_line 'tsfn_guard_finalized_total 2'
  assert_line "$(event TSG007 stale-handle fatal-avoided log 3)"
  assert_line "$(event TSG012 over-release warn log 2)"
}

@test "on.EVENT=abort: the event that ended the process is in the file" {
  MORE=on.stale-handle=abort measured known exit
  assert_equal "$status" 134
  run samples "$METRICS"
  assert_success
  assert_line "$(event TSG007 stale-handle fatal-avoided abort 1)"
  assert_line 'tsfn_guard_created_total 4'
}

@test "a program without thread-safe functions has metrics too, all 0" {
  measured nothing
  assert_success
  assert_equal "$stderr" ''
  run samples "$METRICS"
  assert_success
  assert_equal "$(without_versions <<<"$output")" "$NONE"
}

# Seen to fail: without the families that are 0 from the start; without tsfn_guard_running, while
# the process runs and after its end.
@test "before anything happens every severity has its 0, so that the first event is a rise" {
  measured before
  assert_success
  for severity in fatal-avoided hang-avoided warn leak info; do
    assert_line "tsfn_guard_events_by_severity_total{severity=\"$severity\"} 0"
  done
  assert_line 'tsfn_guard_running{} 1'
  run samples "$METRICS"
  assert_line 'tsfn_guard_events_by_severity_total severity=fatal-avoided 1'
  assert_line 'tsfn_guard_running 0'
}

@test "publish=1: calls by their answer; without it there is no such family" {
  MORE=publish=1 measured calls
  assert_success
  run samples "$METRICS"
  assert_success
  assert_line 'tsfn_guard_calls_total answer=napi_ok 5'
  assert_line 'tsfn_guard_calls_total answer=napi_queue_full 2'
  assert_line 'tsfn_guard_calls_total answer=napi_closing 3'
  measured calls
  run samples "$METRICS"
  refute_output --partial calls_total
}

@test "promtool finds nothing to complain about, nor after events, with labels, and with calls" {
  promtool=$TG_SOURCE/build/deps/promtool/promtool
  [[ -x $promtool ]] || skip "no promtool here; scripts/deps.sh promtool fetches it"
  MORE=publish=1 METRICS=$BATS_TEST_TMPDIR/%p.prom measured known exit
  assert_success
  run "$promtool" check metrics <"$(echo "$BATS_TEST_TMPDIR"/*.prom)"
  assert_success
  assert_output ''
  # Otherwise promtool would not have looked.
  run "$promtool" check metrics <<<'tsfn_guard_info 1'
  assert_failure
}

# Seen to fail: without the rule, because both files stay.
@test "%p: a process at its start removes what a process has left that is gone, five minutes after its end" {
  local TEMPLATE=$BATS_TEST_TMPDIR/p/guard-%p.prom left
  mkdir "$BATS_TEST_TMPDIR/p"
  echo 'someone'"'"'s' >"$BATS_TEST_TMPDIR/p/guard-1.txt"
  METRICS=$TEMPLATE measured nothing
  left=$(echo "$BATS_TEST_TMPDIR"/p/*.prom)
  METRICS=$TEMPLATE measured nothing
  assert [ -e "$left" ]
  touch -d '6 minutes ago' "$left"
  METRICS=$TEMPLATE measured nothing
  assert [ ! -e "$left" ]
  run ls "$BATS_TEST_TMPDIR/p"
  assert_equal "${#lines[@]}" 3
}

@test "deliveries alone keep the file current" {
  measured deliveries
  assert_success
  assert_output $'by waiting: false\nby a delivery: true'
}

# The reader fails if it sees a file that is not whole, or two versions less than a second apart
# (less one tick of the clock). The last version, at exit, may come at any time.
@test "for seconds of work: never half a file, at most one version a second, and the last one is complete" {
  TSFN_GUARD_OPTIONS=summary=never:log_path=/dev/null:metrics_path=$METRICS guarded metrics.js busy 5 \
    >"$BATS_TEST_TMPDIR/out" 3>&- &
  run /usr/bin/python3 "$BATS_TEST_DIRNAME/../metrics.py" watch "$METRICS" $!
  wait $!
  assert_success
  assert_output --regexp '^[3-7] versions in [0-9]+ readings$'
  local count
  count=$(tail -n 1 "$BATS_TEST_TMPDIR/out")
  assert [ "$count" -gt 10 ]
  run samples "$METRICS"
  assert_line "tsfn_guard_created_total $count"
  assert_line "tsfn_guard_finalized_total $count"
  # Each of these is a misuse, and so an event.
  assert_line "$(event TSG007 stale-handle fatal-avoided log "$count")"
  run ls -A "$BATS_TEST_TMPDIR"
  refute_output --partial .tmp
}

@test "%p: a file for each process, and no series occurs twice in all of them" {
  local TEMPLATE=$BATS_TEST_TMPDIR/p/guard-%p.prom
  mkdir "$BATS_TEST_TMPDIR/p"
  METRICS=$TEMPLATE measured known exit
  METRICS=$TEMPLATE measured known exit
  run ls "$BATS_TEST_TMPDIR/p"
  assert_equal "${#lines[@]}" 2
  local first=${lines[0]//[^0-9]/}
  run samples "$BATS_TEST_TMPDIR"/p/*
  assert_success
  assert_line "tsfn_guard_created_total pid=$first 5"
  refute_line --regexp 'created_total [0-9]'
}

@test "a percent sign in the path does not become a label" {
  METRICS=$BATS_TEST_TMPDIR/%%p.prom measured nothing
  assert_success
  run samples "$BATS_TEST_TMPDIR/%p.prom"
  assert_success
  assert_line 'tsfn_guard_created_total 0'
}

@test "another user may read it, whatever the umask is" {
  umask 077
  measured nothing
  assert_equal "$(stat -c %a "$METRICS")" 644
}

# unwritable PATH REASON: expects one line, whatever happens, that the program runs to its end, and
# that nothing is left behind.
unwritable() {
  rm -rf "$BATS_TEST_TMPDIR/log"
  MORE=log_path=$BATS_TEST_TMPDIR/log METRICS=$1 measured known exit
  assert_success
  assert_regex "$stderr" "^tsfn-guard\[[0-9]+\]: metrics_path: needed a file that can be written and \
replaced, found $1: $2; no metrics are written until that changes; name a file in a directory that this user can \
write to$"
  run find "$BATS_TEST_TMPDIR" -name '*.tmp'
  assert_output ''
}

@test "a path that cannot be written: one line, and nothing left behind" {
  mkdir "$BATS_TEST_TMPDIR/directory"
  unwritable "$BATS_TEST_TMPDIR/none/guard.prom" 'No such file or directory'
  unwritable "$BATS_TEST_TMPDIR/directory" 'Is a directory'
  unwritable /proc/guard.prom 'No such file or directory'
  unwritable "$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..250})" 'File name too long'
}

@test "a symbolic link is replaced, not followed: in the place of the file, and where the file is made" {
  echo mine >"$BATS_TEST_TMPDIR/victim"
  ln -s "$BATS_TEST_TMPDIR/victim" "$METRICS"
  measured planted "$BATS_TEST_TMPDIR/victim"
  assert_success
  assert_equal "$(<"$BATS_TEST_TMPDIR/victim")" mine
  assert [ ! -L "$METRICS" ]
  run samples "$METRICS"
  assert_line 'tsfn_guard_created_total 1'
  run find "$BATS_TEST_TMPDIR" -name '*.tmp'
  assert_output ''
}

@test "a relative path is relative to the directory in which the program was started" {
  cd "$BATS_TEST_TMPDIR"
  METRICS=guard.prom measured elsewhere
  assert_success
  run samples "$BATS_TEST_TMPDIR/guard.prom"
  assert_line 'tsfn_guard_created_total 1'
}
