# Provokes every kind of event, each in a fresh process, and checks what it reports, field by field,
# with mode=diagnose and without. test/programs/events.js has both the code that provokes an event
# and what the event must report. TSG027 takes at least 2^28 creates: test/unit/test_report.c.
# TSG028 and TSG029 need C++: exceptions.bats. TSG030: unthrowable.bats. TSG031 and TSG032:
# quirks.bats.
#
# A process with an event of severity fatal-avoided or hang-avoided dies or hangs without the guard.
# This was seen on every runtime, and with the oracle (test/helpers/oracle.c) in every run. There is
# one exception: Node >= 24.14 keeps a function as long as counts are out. So TSG001 to TSG006 are
# not a misuse there, and are not reported.

bats_require_minimum_version 1.5.0
load ../helper

setup_file() {
  load ../helper
  ADDON_SYMBOLS=$(nm "$TEST_ADDONS/script.node")
  ADDON_BUILD_ID=$(readelf -n "$TEST_ADDONS/script.node" | sed -n 's/.*Build ID: //p')
  export ADDON_SYMBOLS ADDON_BUILD_ID
}

# provoke MODE CODE [OPTION]: runs guarded. The log is in $BATS_FILE_TMPDIR/CODE.MODE, and the facts
# are beside it.
provoke() {
  local log=$BATS_FILE_TMPDIR/$2.$1
  TSFN_GUARD_OPTIONS=mode=$1:format=json:summary=never:on.leak=log:on.info=log:log_path=$log${3:+:$3} \
    guarded events.js provoke "$2" >"$log.facts"
}

# is_reported CODE [OPTION]: expects the report that events.js describes, in both modes.
is_reported() {
  local mode log=$BATS_FILE_TMPDIR/$1
  for mode in diagnose protect; do
    run provoke $mode "$@"
    assert_success
  done
  run native events.js check "$1" diagnose "$log.diagnose" "$log.diagnose.facts" protect "$log.protect" "$log.protect.facts"
  assert_success
}

# faults_natively CODE: expects that the case dies without the guard. The oracle makes this certain.
faults_natively() {
  LD_PRELOAD=$ORACLE natively_dies events.js "provoke $1"
}

# answers_natively CODE ANSWER: expects that the case gets this answer without the guard, and
# survives.
answers_natively() {
  run --separate-stderr watched native events.js provoke "$1"
  assert_success
  assert_output --partial "\"answer\":\"$2\""
}

hangs_natively() {
  TG_TIMEOUT=1.5 run native events.js provoke "$1"
  assert_equal "$status" 124
}

# after_finalize CODE ANSWER: tests an event of a finalized function. ANSWER is what Node >= 24.14
# returns.
after_finalize() {
  is_reported "$1"
  if runtime_frees_closed; then
    faults_natively "$1"
  else
    answers_natively "$1" "$2"
  fi
}

@test "TSG001 call-after-finalize" {
  after_finalize TSG001 closing
}

@test "TSG002 acquire-after-finalize" {
  after_finalize TSG002 closing
}

@test "TSG003 release-after-finalize" {
  after_finalize TSG003 ok
}

@test "TSG004 get-context-after-finalize" {
  after_finalize TSG004 'ok mine'
}

@test "TSG005 ref-after-finalize" {
  after_finalize TSG005 ok
}

@test "TSG006 unref-after-finalize" {
  after_finalize TSG006 ok
}

@test "TSG007 stale-handle" {
  is_reported TSG007
  faults_natively TSG007
}

@test "TSG008 never-a-handle" {
  is_reported TSG008
  faults_natively TSG008
}

@test "TSG009 null-handle" {
  is_reported TSG009
  faults_natively TSG009
}

@test "TSG010 null-result" {
  is_reported TSG010
  faults_natively TSG010
}

@test "TSG011 release-after-closing" {
  is_reported TSG011
  answers_natively TSG011 invalid_arg
}

@test "TSG012 over-release" {
  is_reported TSG012
  answers_natively TSG012 invalid_arg
}

@test "TSG013 more-threads-than-counts" {
  is_reported TSG013
  answers_natively TSG013 ok
}

@test "TSG014 call-without-count" {
  is_reported TSG014
  answers_natively TSG014 ok
}

@test "TSG015 blocking-call-on-own-loop" {
  is_reported TSG015
  hangs_natively TSG015
}

@test "TSG016 blocked-callers-at-close" {
  is_reported TSG016
  hangs_natively TSG016
}

@test "TSG017 foreign-ref" {
  is_reported TSG017
  answers_natively TSG017 ok
}

@test "TSG018 items-undelivered" {
  is_reported TSG018
}

# let_go MAIN_OR_WORKER PLACE…: prints which functions are reported as never released.
let_go() {
  local log=$BATS_TEST_TMPDIR/log
  rm -f "$log"
  TSFN_GUARD_OPTIONS=mode=diagnose:rate=0:format=json:summary=never:log_path=$log run guarded let-go.js "$@"
  assert_success
  run "$TG_NODE" -p 'require("fs").readFileSync(process.argv[1], "utf8").split("\n").filter(Boolean).map(JSON.parse)
    .filter((e) => e.code === "TSG019").map((e) => e.handle.name).join(" ")' "$log"
}

# Seen to fail, on all runtimes: it was reported for all functions except the first two, and for the
# others too late.
@test "TSG019 is not reported for counts that the end of the env brings back" {
  local where
  for where in main worker; do
    let_go $where hook wrap-before wrap-after instance finalizer
    assert_output ''
    let_go $where wrap-before never wrap-after hook finalizer never instance
    assert_output 'never never'
  done
}

@test "TSG019 never-released" {
  is_reported TSG019
}

@test "TSG020 keeps-alive" {
  is_reported TSG020
}

@test "TSG021 long-queue" {
  is_reported TSG021 queue_warn=3
}

@test "TSG022 slow-finalizer" {
  is_reported TSG022 finalize_warn_ms=20
}

@test "TSG023 pending-exception" {
  is_reported TSG023
}

@test "TSG024 javascript-forbidden" {
  is_reported TSG024
}

@test "TSG025 addon-pinned" {
  is_reported TSG025
}

# A process that has enough space for node also has space for handles. So a helper refuses exactly
# the space for handles.
@test "TSG026 not-armed" {
  TG_LIB="$TG_LIB:$TG_BUILD/helpers/libnospace.so" is_reported TSG026
}

@test "the events of all these tests match docs/event.schema.json" {
  matches_schema "$BATS_FILE_TMPDIR"/TSG*.{diagnose,protect}
  assert_line --regexp '^event=[1-9][0-9]+$'
}
