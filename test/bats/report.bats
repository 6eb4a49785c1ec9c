# tsfn-guard report: logs that real processes wrote, logs that are damaged or hostile, and the page in a real Chromium.

bats_require_minimum_version 1.5.0
TG_TIMEOUT=${TG_TIMEOUT:-120} # the provocations are not what is tested here
load helper

REPORT=$TG_BUILD/tsfn-guard

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

# The node of node-20, in which everything is told that native misuse ends in.
TG_NODE=${TG_NODE:-$TG_SOURCE/build/deps/npm/runtimes/node_modules/node-20/bin/node}

# build ADDON [FLAG…]: test/addons/script.c as ADDON/script.node.
build() {
  mkdir -p "$1"
  (cd "$TG_SOURCE" && cc -O2 -shared -fPIC -D_GNU_SOURCE -DNODE_GYP_MODULE_NAME=script -isystem "$NODE_API_HEADERS" "${@:2}" \
    test/addons/script.c -o "$BATS_TEST_TMPDIR/$1/script.node" -lpthread)
}

# log_of CODE LOG [OPTION]: what a process writes that provokes it.
log_of() {
  TEST_ADDONS=$BATS_TEST_TMPDIR/addons TG_LIB=$TG_BUILD/libtsfnguard.so \
    TSFN_GUARD_OPTIONS=mode=diagnose:format=json:summary=always:finalize_warn_ms=20:log_path=$2${3:+:$3} \
    guarded events.js provoke "$1" >"$2.facts"
}

# line PID SEEN [SECONDS] [CODE] [SEVERITY] [ADDON] [CALLER] [BUILD_ID]: an event as the guard writes it, rate and all.
line() {
  jq -nc --argjson pid "$1" --argjson seen "$2" --arg time "$(printf '%02d' "${3:-1}")" --arg code "${4:-TSG001}" \
    --arg severity "${5:-fatal-avoided}" --arg addon "${6:-/app/x.node}" --arg offset "${7:-0x10}" --arg id "${8:-ab}" '
    {version: 1, type: "event", time: "2026-11-25T07:00:\($time).000Z", code: $code, kind: "some-kind", severity: $severity,
     explanation: "e", runtime: "node 20.20.2", natively: "would", action: "did", addon: $addon, seen: $seen, suppressed: 0,
     call: {function: "napi_call_threadsafe_function", func: "0x1", mode: null, answered: "napi_closing"},
     caller: {file: $addon, offset: $offset, symbol: null, build_id: $id}, thread: {pid: $pid, tid: 1, name: "t"},
     handle: {number: 1, name: "f", state: "closed", finalized: true, age_ms: 500, finalized_ms_ago: 200}, env: {number: 1}}'
}

# of FILTER ARGS…: what jq says of report --json.
of() {
  "$REPORT" report --json "${@:2}" | jq -rc "$1"
}

@test "real logs: counts, functions and source lines, also of functions that were inlined" {
  build addons -g
  log_of TSG001 one.json
  log_of TSG001 two.json
  log_of TSG022 three.json
  run --separate-stderr "$REPORT" report one.json two.json three.json
  assert_success
  assert_equal "$stderr" ''
  assert_line --regexp '^1  fatal-avoided  TSG001 call-after-finalize +2 +2  .* script\.node perform_once \(script\.c:[0-9]+\)'
  assert_line --regexp '^2  warn           TSG022 slow-finalizer +1 +1  '
  assert_line --regexp '^      at         perform_once \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^                 perform \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^      callback   call_function \(test/addons/script\.c:[0-9]+\)$'
  assert_line --regexp '^      created at create \(test/addons/script\.c:[0-9]+\)'
  # As addr2line has it.
  local offset
  offset=$(jq -r 'select(.type == "event") | .caller.offset' one.json)
  assert_output --partial "script.c:$(addr2line -e addons/script.node "$(printf '0x%x' $((offset - 1)))" | sed 's/.*://; s/ .*//'))"
}

@test "a file without debug information gives symbols, one that has changed nothing" {
  build addons
  log_of TSG001 log
  run "$REPORT" report log
  assert_line --regexp '^      at         perform\+0x[0-9a-f]+ in script\.node$'
  build addons -DANOTHER_BUILD -O1 -Wl,--build-id=0x1234567890
  run "$REPORT" report log
  assert_line --regexp '^      at         /.*/addons/script\.node\+0x[0-9a-f]+ \(file changed: build-id 1234567890 now\)$'
  rm addons/script.node
  run "$REPORT" report log
  assert_line --partial '(the file is not here)'
}

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

@test "lines of others, damaged, long and cut ones are counted and passed over" {
  {
    echo 'server listens'
    line 1 1
    echo '{"version":1,"type":"event","time":"2026'
    head -c 70000 /dev/zero | tr '\0' x
    echo
    echo 'tsfn-guard[7]: TSG001 call-after-finalize (fatal-avoided): as text'
    printf '2026-11-25 stderr F '
    line 2 1
    line 3 1 | head -c 100
  } >log
  run --separate-stderr "$REPORT" report - <log
  assert_success
  assert_line --index 0 --partial '1 log, 7 lines, 2 processes'
  assert_line '1 lines passed over: not the guard'\''s'
  assert_line '1 lines passed over: damaged'
  assert_line '1 lines passed over: longer than 64 KiB'
  assert_line '1 last lines passed over: cut off'
  assert_line --partial '1 lines passed over: reports as text'
  assert_equal "$(of '[.groups[].count, .skipped.other, .skipped.broken, .skipped.cut_off]' log)" '[2,1,1,1]'
}

@test "rotated files count right in any order, and a file that is named twice once" {
  line 1 1 1 >log.2
  line 1 8 2 >log.1
  line 1 20 3 >log
  ln log same
  assert_equal "$(of '[.groups[] | [.count, .processes, .told]]' log log.1 log.2)" '[[20,1,3]]'
  assert_equal "$(of '[.groups[] | [.count, .processes, .told]]' log.2 log same log.1 ./log)" '[[20,1,3]]'
}

@test "rate: what was not told is counted, by lines and by the summary" {
  build addons
  log_of TSG012 log rate=1
  local events
  events=$(jq -s '[.[] | select(.type == "summary").process.events] | add' log)
  assert_equal "$(of '[.groups[].count] | add' log)" "$events"
}

@test "--diff: new, more, fewer, same and gone, with a log and with what --json wrote" {
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
  echo 'tsfn-guard[7]: TSG001 call-after-finalize (fatal-avoided): as text' >empty
  run --separate-stderr "$REPORT" report --fail-on info empty
  assert_failure 2
  [[ $stderr == *'format=json'* ]]
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
  complains 'needed: a log that the guard wrote with format=json'
  complains 'found: --unknown' --unknown log
  complains 'a value for the option' --diff
  complains 'fatal-avoided, hang-avoided, warn, leak or info' --fail-on terrible log
  complains 'absent: No such file' absent
  complains 'a directory' .
  complains 'zcat FILE' log.gz
  complains 'No such file' --html absent/page.html log
}

# Each line is a process of its own, the worst that there is.
@test "much input is read in little memory" {
  line 4711 1 | sed 's/4711/@/' >template
  awk '{ for (i = 1; i <= 90000; i++) { one = $0; sub(/@/, i, one); print one } }' template >log
  assert [ "$(stat -c %s log)" -gt 50000000 ]
  run bash -c "ulimit -v 120000 && cat log | '$REPORT' report --json - | jq -c '[.groups[] | [.count, .processes]]'"
  assert_success
  assert_output '[[90000,90000]]'
}

# ---- The page ----

# looks_at PAGE SCENARIO: in Chromium; what was seen is in $output.
looks_at() {
  command -v chromium >/dev/null || skip 'there is no chromium'
  run timeout 300 node "$TG_SOURCE/test/helpers/report_page.js" chromium "$1" "$2"
  assert_success
  assert_line 'problems: none'
  assert_line 'requests but for the page: none'
}

@test "page: all is there, and filters work by click and key" {
  { line 1 3 1; line 1 1 2 TSG011 warn; line 2 1 3 TSG022 warn /app/slow.node; line 2 1 4 TSG019 leak; } >log
  sed -i 's/"code":"TSG001","kind":"some-kind"/"code":"TSG001","kind":"call-after-finalize"/; s/"code":"TSG022","kind":"some-kind"/"code":"TSG022","kind":"slow-finalizer"/' log
  run "$REPORT" report --html page.html log
  assert_success
  assert_output ''
  looks_at page.html filters
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
}

@test "page: details open by key, the table sorts, the timeline zooms, a narrow window is enough" {
  build addons -g
  log_of TSG001 one.json
  log_of TSG022 two.json
  "$REPORT" report --html page.html one.json two.json
  looks_at page.html details
  assert_line --partial 'detail: what, addon, build-id, natively, the guard, call, threads, at, created at, finalized at'
  assert_line 'expanded: true'
  assert_line --regexp '^frames: perform_once \(test/addons/script.c:[0-9]+\) \| perform \(.*\) \| .* \| [0-9]+ frames of libc.so.6'
  assert_line 'closed: 0'
  assert_line 'last code first: TSG022 slow-finalizer'
  assert_line 'moments: true'
  assert_line 'dragging zooms: true'
  assert_line 'all again: true'
  assert_line 'light: wider than the window: false'
  assert_line 'dark: wider than the window: false'
}

@test "page: names that try to break out are text" {
  local name="/</script><script>ran=1</script><img src=x onerror='ran=1'>\"&amp;'DATA\"DATA\"/x.node"
  line 1 1 1 TSG001 warn "$name" >log
  "$REPORT" report --html page.html log
  looks_at page.html hostile
  assert_line 'ran: nothing'
  assert_line 'scripts: 2'
  assert_line 'images: 0'
  assert_line "addon: $name"
  assert_line 'images then: 0'
}

@test "page: tens of thousands of events" {
  line 4711 3141 | sed 's/3141/@/; s/"number":1/"number":#/' >template
  awk '{ for (i = 1; i <= 30000; i++) { one = $0; sub(/@/, i, one); sub(/#/, i % 5000, one); print one } }' template >log
  "$REPORT" report --html page.html log
  looks_at page.html many
  assert_line 'groups: 1 of 1 groups, 30,000 events'
  assert_line 'functions: 5,000 of 5,000'
  assert_line 'drawn again within 2 s: true'
}
