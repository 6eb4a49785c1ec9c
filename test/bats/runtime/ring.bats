# ring.gdb: the last events, read from a core dump and from a process. The library is stripped as
# packages strip it, or its file is gone. The tests compare with what the process itself logged. Two
# runtimes are enough, because nothing here depends on the runtime.

bats_require_minimum_version 1.5.0
load ../helper

RING=$BATS_TEST_DIRNAME/../../../scripts/packaging/ring.gdb

# why_not: prints why these tests cannot run here, or nothing if they can.
why_not() {
  case $TG_RUNTIME in
    node-20 | node-26) gdb -nx -batch -ex 'python print(1)' >/dev/null 2>&1 || echo "no gdb with Python here" ;;
    *) echo "as on node-20 and node-26" ;;
  esac
}

setup_file() {
  export STRIPPED=$BATS_FILE_TMPDIR/libstripped.so CORE=$BATS_FILE_TMPDIR/core LOG=$BATS_FILE_TMPDIR/log
  WHY_NOT=$(why_not)
  export WHY_NOT
  [[ -z $WHY_NOT ]] || return 0
  strip -o "$STRIPPED" "$TG_LIB"
  make_core 70
}

setup() {
  [[ -z $WHY_NOT ]] || skip "$WHY_NOT"
}

teardown_file() {
  rm -f "$BATS_FILE_TMPDIR"/core*
}

# make_core TIMES: runs ring.js until it aborts, and dumps what is needed into $CORE. The kernel's
# own dump may go anywhere (core_pattern). gdb writes reserved memory in full, so there is no JIT
# and only one arena.
make_core() {
  rm -f "$CORE" "$LOG"
  (
    echo 1 >/proc/self/coredump_filter
    timeout 100 gdb -nx -batch -iex 'set startup-with-shell off' -ex 'handle all nostop noprint pass' \
      -ex 'handle SIGABRT stop' -ex 'set environment MALLOC_ARENA_MAX=1' -ex "set environment LD_PRELOAD=$STRIPPED" \
      -ex "set environment TSFN_GUARD_OPTIONS=rate=0:format=json:summary=never:log_path=$LOG" \
      -ex run -ex "generate-core-file $CORE" -ex kill --args "$TG_NODE" --jitless "$PROGRAMS/ring.js" "$1"
  ) >"$BATS_FILE_TMPDIR/gdb" 2>&1
  [[ -s $CORE && -s $LOG ]] || fail "$(<"$BATS_FILE_TMPDIR/gdb")"
}

# ring ARGS…: runs the script, and removes the output of gdb itself.
ring() {
  run --separate-stderr timeout 100 gdb -nx -batch -x "$RING" "$@"
  output=$(sed -n '/^tsfn_guard_ring:/,$p' <<<"$output")
  mapfile -t lines <<<"$output"
}

# logged: prints the table's columns except the time, from the process's own log. Control characters
# are '?' in both.
logged() {
  /usr/bin/python3 - "$LOG" <<'END'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
for number, event in list(enumerate(events, 1))[-64:]:
    handle = event.get('handle', {})
    value = event['call']['func'] if event['kind'] in ('never-a-handle', 'null-handle') else handle['number']
    print(number, event['code'], event['kind'], event['thread']['tid'],
          event['caller']['file'] + '+' + event['caller']['offset'], value, handle.get('name') or '-',
          event['call']['answered'])
END
}

# expect_logged: expects that the table in $lines agrees with the log.
expect_logged() {
  assert_equal "${lines[0]}" 'tsfn_guard_ring: 74 events were reported, the last 64 of them are here'
  assert_regex "${lines[1]}" '^# +time +event +thread +caller +handle +name +answered$'
  assert_equal "${#lines[@]}" 66
  local expected
  expected=$(logged)
  assert_equal "$(printf '%s\n' "${lines[@]:2}" | awk '{ $2 = ""; gsub("  +", " "); print }')" "$expected"
  # This shows that the compared text is not empty.
  assert_regex "$expected" '71 TSG007 stale-handle [0-9]+ .*/script.node\+0x[0-9a-f]+ 0 Zlib\?\[2J napi_ok'
  assert_regex "$expected" '72 TSG009 null-handle [0-9]+ .*/script.node\+0x[0-9a-f]+ 0x0 - napi_invalid_arg'
  assert_regex "$expected" '73 TSG012 over-release [0-9]+ .*/script.node\+0x[0-9a-f]+ 1 empty napi_invalid_arg'
  assert_regex "$expected" '74 TSG008 never-a-handle [0-9]+ .*/script.node\+0x[0-9a-f]+ 0xdead0 - napi_invalid_arg'
}

@test "a core of the stripped library: the last 64 events that the process logged" {
  run nm "$STRIPPED"
  assert_output --partial 'no symbols'
  ring "$TG_NODE" "$CORE"
  assert_success
  expect_logged
  local written
  written=$(tail -n 1 "$LOG" | grep -o '"time":"[^."]*')
  # The table's time is in the same second as the log's, or in the second before.
  assert_regex "${lines[65]}" "^74  20[0-9-]+T[0-9:]+\.[0-9]{3}Z  "
  local delay=$(($(date -d "${written#*\"time\":\"}Z" +%s) - $(date -d "$(awk '{ print $2 }' <<<"${lines[65]}")" +%s)))
  assert [ "$delay" -ge 0 ]
  assert [ "$delay" -le 1 ]
}

@test "the same when the library's file is gone, or has become another" {
  mv "$STRIPPED" "$STRIPPED.gone"
  ring "$TG_NODE" "$CORE"
  assert_success
  expect_logged
  cp "$TG_BUILD/helpers/libplugin.so" "$STRIPPED"
  ring "$TG_NODE" "$CORE"
  mv "$STRIPPED.gone" "$STRIPPED"
  assert_success
  expect_logged
}

@test "a running process" {
  LD_PRELOAD=$STRIPPED "$TG_NODE" -e 'console.log(1); setInterval(() => {}, 1000)' >"$BATS_TEST_TMPDIR/started" 3>&- &
  local process=$!
  await test -s "$BATS_TEST_TMPDIR/started"
  ring -p "$process"
  kill "$process"
  [[ $stderr != *ptrace* ]] || skip "no permission to attach to a process here"
  assert_success
  assert_line 'tsfn_guard_ring: 0 events were reported, the last 0 of them are here'
}

# refused REASON: expects status 1, nothing on stdout, and this reason.
refused() {
  assert_equal "$status" 1
  assert_output ''
  assert_regex "$stderr" "ring\.gdb: needed: $1"
}

@test "no core, a process without the guard, another version: a clear message" {
  ring "$TG_NODE"
  refused $'a core dump or a process\n  found: neither\n  do: gdb -batch -x ring.gdb NODE CORE'

  sleep 100 &
  ring -p $!
  kill $!
  [[ $stderr == *ptrace* ]] || refused 'the symbol tsfn_guard_ring, or the ring itself in the core'

  # The version is the word after the magic number. It is patched in the core.
  cp "$CORE" "$CORE.other"
  /usr/bin/python3 - "$CORE.other" <<'END'
import mmap, sys
with open(sys.argv[1], 'r+b') as file, mmap.mmap(file.fileno(), 0) as core:
    at = core.find(b'tsfn-guard ring\0')
    while at >= 0:
        if core[at + 16:at + 20] == b'\1\0\0\0':
            core[at + 16:at + 20] = b'\2\0\0\0'
        at = core.find(b'tsfn-guard ring\0', at + 1)
END
  ring "$TG_NODE" "$CORE.other"
  rm "$CORE.other"
  refused $'version 1 of the ring, with records of 160 bytes\n  found: version 2, 160 bytes'
}

@test "the script has the catalogue's kinds and Node-API's statuses" {
  run bash -c 'TSFN_GUARD_OPTIONS=help=1 LD_PRELOAD=$TG_LIB "$TG_NODE" -e 0 2>&1 |
    sed -n "s/^[^ ]* TSG[0-9]* \([a-z-]*\) (.*/\1/p"'
  assert_equal "$output" "$(sed -n "/^KINDS = /,/split()/p" "$RING" | grep -oE '[a-z]+(-[a-z]+)+')"
  run bash -c 'sed -n "/^  napi_ok,/,/^} napi_status/p" "$NODE_API_HEADERS/js_native_api_types.h" | grep -o "napi_[a-z_]*,"'
  assert_equal "${output//,/}" "$(sed -n "/^STATUSES = /,/split()/p" "$RING" | grep -oE 'napi_[a-z_]+')"
}
