# tsfn-guard report: logs of real processes, logs that are damaged or hostile, and the page in a
# real Chromium.

bats_require_minimum_version 1.5.0
TG_TIMEOUT=${TG_TIMEOUT:-120} # how long a provocation takes is not tested here
load helper

REPORT=$TG_BUILD/tsfn-guard

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

# The node of node-20 is used, because every misuse that would end the process without the guard is
# reported there.
TG_NODE=${TG_NODE:-$TG_SOURCE/build/deps/npm/runtimes/node_modules/node-20/bin/node}

# build ADDON [FLAG…]: builds test/addons/script.c as ADDON/script.node.
build() {
  mkdir -p "$1"
  (cd "$TG_SOURCE" && cc -O2 -shared -fPIC -D_GNU_SOURCE -DNODE_GYP_MODULE_NAME=script -isystem "$NODE_API_HEADERS" "${@:2}" \
    test/addons/script.c -o "$OLDPWD/$1/script.node" -lpthread)
}

# log_of CODE LOG [OPTION]: writes the log of a process that provokes this event.
log_of() {
  TEST_ADDONS=$PWD/addons TG_LIB=$TG_BUILD/libtsfnguard.so \
    TSFN_GUARD_OPTIONS=mode=diagnose:format=json:summary=always:log_path=$2${3:+:$3} \
    guarded events.js provoke "$1" >"$2.facts"
}

# Made only once, because compilers and runtimes take the most time here: an addon with debug
# information, and logs of processes that use it.
setup_file() {
  export REAL=$BATS_FILE_TMPDIR
  cd "$REAL" || return
  build addons -g
  log_of TSG001 one.json
  log_of TSG001 two.json
  log_of TSG022 three.json finalize_warn_ms=20
}

# line PID SEEN [SECONDS] [CODE] [SEVERITY] [ADDON] [CALLER] [BUILD_ID] [KIND]: prints an event as
# the guard writes it, with all fields that depend on the rate.
line() {
  jq -nc --argjson pid "$1" --argjson seen "$2" --arg time "$(printf '%02d' "${3:-1}")" --arg code "${4:-TSG001}" \
    --arg severity "${5:-fatal-avoided}" --arg addon "${6:-/app/x.node}" --arg offset "${7:-0x10}" --arg id "${8:-ab}" \
    --arg kind "${9:-some-kind}" '
    {version: 1, type: "event", time: "2026-11-25T07:00:\($time).000Z", code: $code, kind: $kind, severity: $severity,
     explanation: "e", runtime: "node 20.20.2", natively: "would", action: "did", addon: $addon, seen: $seen, suppressed: 0,
     call: {function: "napi_call_threadsafe_function", func: "0x1", mode: null, answered: "napi_closing"},
     caller: {file: $addon, offset: $offset, symbol: null, build_id: $id}, thread: {pid: $pid, tid: 1, name: "t"},
     handle: {number: 1, name: "f", state: "closed", finalized: true, age_ms: 500, finalized_ms_ago: 200}, env: {number: 1}}'
}

# of FILTER ARGS…: prints what jq's filter finds in the output of report --json.
of() {
  "$REPORT" report --json "${@:2}" | jq -rc "$1"
}

@test "real logs: counts, functions and source lines, also of functions that were inlined" {
  cd "$REAL"
  run --separate-stderr "$REPORT" report one.json two.json three.json
  assert_success
  assert_equal "$stderr" ''
  assert_line --regexp '^1  fatal-avoided  TSG001 call-after-finalize +2 +2  .* script\.node perform_once \(script\.c:'
  assert_line --regexp '^2  warn           TSG022 slow-finalizer +1 +1  '
  assert_line --regexp '^      at         perform_once \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^                 perform \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^      callback   call_function \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^      created at create \(test/addons/script\.c:[0-9]+\)'
  # The same line as addr2line prints.
  local offset
  offset=$(jq -r 'select(.type == "event") | .caller.offset' one.json)
  assert_output --partial "script.c:$(addr2line -e addons/script.node "$(printf '0x%x' $((offset - 1)))" | sed 's/.*://; s/ .*//'))"
}

# Seen to fail: without the comparison of build-ids, and if the padding of the last note was
# required, which is missing after this build-id.
@test "a file without debug information gives symbols, one that has changed gives nothing" {
  mkdir addons
  strip -g "$REAL/addons/script.node" -o addons/script.node
  sed "s|$REAL/|$PWD/|g" "$REAL/one.json" >log
  run "$REPORT" report log
  assert_line --regexp '^      at         perform\+0x[0-9a-f]+ in script\.node$'
  build addons -DANOTHER_BUILD -O1 -Wl,--build-id=0x1234567890
  run "$REPORT" report log
  assert_line --regexp '^      at         /.*/addons/script\.node\+0x[0-9a-f]+ \(file changed: build-id 1234567890 now\)$'
  rm addons/script.node
  run "$REPORT" report log
  assert_line --partial '(the file is not here)'
}

# Seen to fail: with the names as they are in the symbol table.
@test "C++ names are demangled" {
  echo 'namespace outer { struct Inner { int method(int); }; int Inner::method(int x) { return x * 3; } }' >cxx.cc
  c++ -shared -fPIC -g -o cxx.node cxx.cc
  local offset id
  offset=$(nm cxx.node | awk '/method/ { print $1 }')
  id=$(readelf -n cxx.node | sed -n 's/.*Build ID: //p')
  line 1 1 1 TSG001 warn "$PWD/cxx.node" "0x$(printf '%x' $((16#$offset + 1)))" "$id" >log
  run "$REPORT" report log
  assert_line --regexp 'outer::Inner::method\(int\) \(.*cxx\.cc:1\)$'
}

# Seen to fail: without the line about lines that were cut off.
@test "lines of other programs, and damaged, long and cut lines are counted and skipped" {
  {
    echo 'server listens'
    line 1 1
    echo '{"version":1,"type":"event","time":"2026'
    head -c 70000 /dev/zero | tr '\0' x
    echo
    echo 'tsfn-guard[7]:   what: the rest of a report'
    printf '2026-11-25 stderr F '
    line 2 1
    line 3 1 | head -c 100
  } >log
  run --separate-stderr "$REPORT" report - <log
  assert_success
  assert_line --index 0 --partial '1 log, 7 lines, 2 processes'
  assert_line '2 processes with events and without a summary: 1, 2; killed, crashed, or still running (or started with summary=never)'
  assert_line '1 line skipped: not written by the guard'
  assert_line '1 line skipped: damaged'
  assert_line '1 line skipped: longer than 64 KiB'
  assert_line '1 line skipped: parts of text reports that cannot be parsed'
  assert_line '1 last line skipped: cut off'
  assert_equal "$(of '[.groups[].count, .skipped.other, .skipped.broken, .skipped.cut_off]' log)" '[2,1,1,1]'
}

# misuse_log FORMAT [OPTION]: writes the log of a process with some misuses. Most of them are not
# reported in full.
misuse_log() {
  local probe=(lazy "$TG_BUILD/helpers/libcalls-lazy.so")
  TSFN_GUARD_OPTIONS=mode=diagnose:summary=always:format=$1:log_path=$1${2:+:$2} LD_PRELOAD=$TG_BUILD/libtsfnguard.so \
    "$TG_BUILD/helpers/fake-versioned" "${probe[@]}" "${probe[@]}" "${probe[@]}" "${probe[@]}" "${probe[@]}" >out
}

# alike FILE…: expects that each file gives the same groups and processes as the log json.
alike() {
  local file filter='[.groups[] | del(.first, .last)], .processes, .unfinished, .skipped.text_reports'
  for file; do assert_equal "$(of "$filter" "$file")" "$(of "$filter" json)"; done
}

# as_docker FILE, as_journal FILE: prints the lines as docker's driver json-file, and as journalctl
# -o json, writes them.
as_docker() {
  jq -Rc '{log: (. + "\n"), stream: "stderr", time: "2099-11-28T18:00:00.123456789Z"}' "$1"
}

as_journal() {
  jq -Rc '{PRIORITY: "6", MESSAGE: ., __REALTIME_TIMESTAMP: "4099651200000000", _PID: "1"}' "$1"
}

# Seen to fail: for text the result was only "lines skipped: reports as text".
@test "reports as text come to the same as JSON: counts, callers, stacks, processes" {
  local option
  for option in rate=1 rate=0 rate=3 mode=protect; do
    misuse_log json $option
    misuse_log text $option
    [[ $(of '[.groups[].count] | add' json) != 0 ]] || fail "$(<json)"
    alike text
    sed 's/  without the guard: /  without the guard it: /' text >older
    alike older
    rm json text
  done
  misuse_log json
  misuse_log text
  run --separate-stderr "$REPORT" report text
  assert_success
  assert_line --partial 'fatal-avoided  TSG008 never-a-handle'
  refute_output --partial skipped
  run "$REPORT" report --fail-on warn text
  assert_equal "$status" 1
  # The reports of two processes are mixed in one file, with lines of the program between them.
  sed "s/tsfn-guard\\[[0-9]*\\]/tsfn-guard[77]/" text | awk '{ print "server: " NR }; { print }' >other
  paste -d '\n' text other >mixed
  assert_equal "$(of '[.groups[] | [.count, .processes]] | unique' mixed)" "$(of '[.groups[] | [.count * 2, 2]] | unique' json)"
}

# Seen to fail: every line of these logs was skipped.
@test "logs of docker and journald: text and JSON are found in their wrapping" {
  local format
  misuse_log json
  misuse_log text
  for format in json text; do
    as_docker $format >docker.$format
    as_journal $format >journal.$format
    sed 's/^/2099-11-28T18:00:00.123456789Z /' $format >docker-t.$format
    sed 's/^/Nov 28 18:00:00 host node[12]: /' $format >short.$format
    sed 's/$/\r/' $format >crlf.$format
    alike {docker,journal,docker-t,short,crlf}.$format
  done
}

@test "a process with events and without a summary is named: it died" {
  TSFN_GUARD_OPTIONS=summary=always:format=text:log_path=text:on.TSG008=abort LD_PRELOAD=$TG_BUILD/libtsfnguard.so \
    run "$TG_BUILD/helpers/fake-versioned" lazy "$TG_BUILD/helpers/libcalls-lazy.so"
  assert_equal "$status" 134
  local pid
  pid=$(sed -n '1s/^tsfn-guard\[\([0-9]*\)\].*/\1/p' text)
  run "$REPORT" report text
  assert_line "1 process with events and without a summary: $pid; killed, crashed, or still running (or started with summary=never)"
  assert_equal "$(of .unfinished text)" 1
  misuse_log json
  assert_equal "$(of .unfinished json)" 0
}

# Seen to fail: the answer was "No events." for a file that is full of them.
@test "the output of report --json is no log" {
  misuse_log json
  "$REPORT" report --json json >output
  jq . output >laid-out
  for file in output laid-out; do
    run "$REPORT" report $file
    assert_equal "$status" 2
    assert_output --partial "found: $file: the output of tsfn-guard report --json"
    run "$REPORT" report --diff $file json
    assert_success
  done
}

# Seen to fail: the end of long lines, with the source line in it, was cut off at 120 columns.
@test "nothing is cut where the output is piped; COLUMNS says otherwise" {
  local addon
  addon=$(printf '/app/%0100d.node' 7)
  line 1 1 1 TSG001 fatal-avoided "$addon" >log
  run "$REPORT" report log
  assert_line --regexp "^1 .* $(basename "$addon") $(basename "$addon")\\+0x10$"
  COLUMNS=100 run "$REPORT" report log
  assert_line --regexp '^1 .*…$'
}

@test "rotated files are counted correctly in any order, and a file that is named twice only once" {
  line 1 1 1 >log.2
  line 1 8 2 >log.1
  line 1 20 3 >log
  ln log same
  assert_equal "$(of '[.groups[] | [.count, .processes, .told]]' log log.1 log.2)" '[[20,1,3]]'
  assert_equal "$(of '[.groups[] | [.count, .processes, .told]]' log.2 log same log.1 ./log)" '[[20,1,3]]'
}

# Seen to fail: when only the first 64 KiB of a file were read for this.
@test "rotated files are sorted even if their first report comes late" {
  local file
  line 1 1 1 >reports.2
  line 1 8 2 >reports.1
  for file in 2 1; do
    { yes 'the program'\''s own output' | head -c 200000; cat reports.$file; } >log.$file
  done
  assert_equal "$(of '[.groups[] | [.count, .processes]]' log.1 log.2)" '[[8,1]]'
}

# Seen to fail, in a run by hand over such a log: when each line counted as one event and tallies
# were ignored, the result was 273 instead of 16,387.
@test "rate: thousands of events, of which few were reported, are counted by lines and by the summary" {
  TEST_ADDONS=$TG_BUILD/addons TSFN_GUARD_OPTIONS=mode=diagnose:format=json:summary=always:log_path=log \
    guarded stress.js 1 1 >/dev/null
  local events lines
  events=$(jq -s '[.[] | select(.type == "summary").process.events] | add' log)
  lines=$(wc -l <log)
  assert [ "$events" -gt $((3 * lines)) ]
  assert_equal "$(of '[.groups[].count] | add' log)" "$events"
  jq -c 'select(.type != "tally")' log >untallied
  assert [ "$(of '[.groups[].count] | add' untallied)" -gt $((events / 2)) ]
}

@test "--diff: new, more, fewer, same and gone, with a log and with the output of --json" {
  local kind
  { line 1 5 1 TSG001 warn; line 1 5 1 TSG002 warn; line 1 5 1 TSG003 warn; line 1 5 1 TSG004 leak; } >old
  { line 9 6 1 TSG001 warn; line 9 4 1 TSG002 warn; line 9 5 1 TSG003 warn; line 9 5 1 TSG005 info; } >new
  "$REPORT" report --json old >old.json
  jq . old.json >pretty.json
  for kind in old old.json pretty.json; do
    assert_equal "$(of '[.groups[] | .code[5:] + .change + "\(.before)"] + [.gone[].code] | sort | join(" ")' new --diff $kind)" \
      '1more5 2fewer5 3same5 5new0 TSG004'
  done
  run "$REPORT" report --diff old new
  assert_success
  assert_line --regexp '^[0-9]  warn +TSG001 some-kind +6  more '
  assert_line '  leak TSG004 some-kind, 5 times, /app/x.node'
  run "$REPORT" report --diff old --fail-on warn new
  assert_failure 1
  run "$REPORT" report --diff new --fail-on info new
  assert_success
  echo '{"no": "report"}' >other
  run --separate-stderr "$REPORT" report --diff other new
  assert_failure 2
  [[ $stderr == *'needed: --diff with an older log'* ]]
}

# Seen to fail: a log that was written only by a newer guard passed with status 0.
@test "--fail-on: that severity or worse" {
  line 1 1 1 TSG019 leak >log
  run "$REPORT" report --fail-on leak log
  assert_failure 1
  run "$REPORT" report --fail-on info log
  assert_failure 1
  run "$REPORT" report --fail-on warn log
  assert_success
  : >empty
  run "$REPORT" report --fail-on info empty
  assert_success
  assert_line 'No events.'
  echo 'a line of the program' >foreign
  run "$REPORT" report foreign
  assert_success
  assert_line '1 log, 1 line, 0 processes'
  assert_line 'No events, and no line that the guard wrote.'
  echo 'tsfn-guard[7]: TSG001 call-after-finalize (fatal-avoided): as text' >empty
  run --separate-stderr "$REPORT" report --fail-on info empty
  assert_failure 2
  assert_line 'No events.'
  [[ $stderr == *'parts of text reports that cannot be parsed'* ]]
  line 1 1 | sed 's/"version":1/"version":2/' >newer
  run --separate-stderr "$REPORT" report --fail-on info newer
  assert_failure 2
  [[ $stderr == *'newer guard'* ]]
}

# Seen to fail: status 0, as if the line had been checked.
@test "--fail-on: a log with a line that cannot be read does not pass" {
  local damage
  for damage in 'head -c -100' 'tr , ;' "sed s/TSG/$(printf %066000d 0)/"; do
    { line 1 1 1 TSG019 leak; line 2 1 | $damage; } >log
    run --separate-stderr "$REPORT" report --fail-on warn log
    assert_failure 2
    [[ $stderr == *'whole lines for --fail-on to judge'* ]]
    run "$REPORT" report --fail-on leak log
    assert_failure 1
  done
}

# complains PATTERN ARGS…
complains() {
  run --separate-stderr "$REPORT" report "${@:2}"
  assert_failure 2
  assert_output ''
  [[ $stderr == 'tsfn-guard: needed: '*$'\n  found: '*$'\n  do: '* ]] || fail "not a complaint: $stderr"
  [[ $stderr == *$1* ]] || fail "$stderr has no $1"
}

@test "bad input: what was needed, what was found, what to do" {
  line 1 1 >log
  gzip -k log
  complains 'needed: a log that the guard wrote'
  complains 'found: --unknown' --unknown log
  complains 'found: -x' -xy log
  complains 'a value for the option' --diff
  complains 'fatal-avoided, hang-avoided, warn, leak or info' --fail-on terrible log
  complains 'absent: No such file' absent
  complains 'a directory' .
  complains 'zcat FILE' log.gz
  complains 'No such file' --html absent/page.html log
}

# Seen to fail: a file with the name - was written.
@test "--html - writes the page to the standard output, or where -o says" {
  line 1 1 >log
  run "$REPORT" report --html - log
  assert_success
  assert_line --index 0 '<!doctype html>'
  run "$REPORT" report --html - -o page log
  assert_success
  assert_output ''
  assert_equal "$(head -n 1 page)" '<!doctype html>'
  assert [ ! -e ./- ]
  complains 'found: --json and --html -' --json --html - log
}

# Seen to fail: the first log was replaced by a page, with status 0.
@test "--html without its FILE does not overwrite a log" {
  line 1 1 | tee log >other
  complains 'found: log, which exists and is not such a page' --html log
  complains 'do: give another, before the logs: --html FILE LOG…' --html log other
  complains 'log, which exists' --html log log
  assert_equal "$(cat log)" "$(cat other)"
  : >page
  for _ in empty page; do
    run "$REPORT" report --html page log
    assert_success
    assert_equal "$(head -n 1 page)" '<!doctype html>'
  done
}

# Each line is from another process, which is the worst case.
@test "much input is read in little memory" {
  line 4711 1 | awk -F 4711 '{ for (i = 1; i <= 90000; i++) print $1 i $2 }' >log
  assert [ "$(stat -c %s log)" -gt 50000000 ]
  run bash -c "ulimit -v 120000 && cat log | '$REPORT' report --json - | jq -c '[.groups[] | [.count, .processes]]'"
  assert_success
  assert_output '[[90000,90000]]'
}

@test "output that cannot be written, input that is closed" {
  line 1 1 >log
  run --separate-stderr bash -c "'$REPORT' report --json log >/dev/full"
  assert_failure 1
  [[ $stderr == *'No space left'* ]]
  complains 'No space left' --html /dev/full log
  run --separate-stderr bash -c "'$REPORT' report - <&-"
  assert_failure 2
  [[ $stderr == *'found: -: Bad file descriptor'* ]]
}

# The input pauses for more than a second, because the progress is shown only then.
@test "progress: shown on a terminal, and removed at the end" {
  command -v script >/dev/null || skip 'there is no script(1)'
  line 1 1 >log
  run script -qec "{ cat log; sleep 3; cat log; } | '$REPORT' report --json - >out" /dev/null </dev/null
  assert_success
  assert_output --partial '0 MB, 2 lines, 0 MB/s'
  [[ $output == *$'\r\033[K' ]]
}

# ---- The page ----

# Seen to fail: an age that no date can have made the page's script throw, so problems were
# reported; the last label of the axis made the narrow page wider than its window.
@test "the page in Chromium: filters, details, names that try to break out, tens of thousands of events" {
  command -v chromium >/dev/null || skip 'there is no chromium'
  local name="/</script><script>ran=1</script><img src=x onerror='ran=1'>\"&amp;'DATA\"DATA\"/x.node" page
  {
    line 1 3 1 TSG001 fatal-avoided /app/x.node 0x10 ab call-after-finalize
    line 1 1 2 TSG011 warn
    line 2 1 3 TSG022 warn /app/slow.node 0x10 ab slow-finalizer
    line 2 1 4 TSG019 leak
  } >filters
  cat "$REAL"/{one,three}.json >details
  # This age leads to a date that does not exist.
  line 1 1 1 TSG001 warn "$name" | sed 's/"age_ms":500/"age_ms":9007199254740992/' >hostile
  line 1 3141 | sed 's/"number":1/"number":#/' |
    awk -F '3141|#' '{ for (i = 1; i <= 30000; i++) print $1 i $2 i % 5000 $3 }' >many
  for page in filters details hostile many; do
    run "$REPORT" report --html $page.html $page
    assert_success
    assert_output ''
  done
  run timeout 300 node "$TG_SOURCE/test/helpers/report_page.js" chromium filters.html details.html hostile.html many.html
  assert_success
  assert_line 'problems: none'
  assert_line 'requests but for the pages: none'

  assert_line 'groups: 4 rows, 4 of 4 groups, 6 events'
  assert_line 'functions: 2 lanes, 2 of 2'
  assert_line 'marks created: true'
  assert_line 'marks finalized: true'
  assert_line 'marks late: true'
  assert_line 'without fatal-avoided: 3 of 4 groups, 3 events'
  assert_line 'late marks then: 0'
  assert_line 'after reset: 4 of 4 groups, 6 events'
  assert_line 'text: 1 of 4 groups, 1 events'
  assert_line 'first kind by key: TSG001, 1 of 4 groups, 3 events'
  assert_line 'first process by key: 2 of 4 groups, 4 events'

  assert_line --partial 'detail: what, addon, build-id, unguarded, the guard, call, threads, at, created at, finalized at'
  assert_line 'expanded: true'
  assert_line --regexp '^frames: perform_once \(test/addons/script.c:[0-9]+\) \| perform \(.*\) \| .* \| [0-9]+ frames of libc.so.6'
  assert_line 'closed: 0'
  assert_line 'last code first: TSG022 slow-finalizer'
  assert_line 'moments: true'
  assert_line 'dragging zooms: true'
  assert_line 'all again: true'
  assert_line 'zoomed out for ever is all: true'
  assert_line 'light: wider than the window: false'
  assert_line 'dark: wider than the window: false'

  assert_line 'ran: nothing'
  assert_line 'scripts: 2'
  assert_line 'images: 0'
  assert_line "addon: $name"
  assert_line 'images then: 0'

  assert_line 'groups: 1 of 1 groups, 30,000 events'
  assert_line 'functions: 5,000 of 5,000'
  assert_line 'note: the timeline has the newest 20,000 lines of functions; 10,000 older ones are only counted'
  assert_line 'drawn again within 2 s: true'
}
