# How events are reported: forms, files, rate, suppressions, actions. The tests use a fake runtime
# (fake-versioned of test/helpers) and an "addon" that passes to each of six functions a value that
# was never a handle: six call sites, with one event each for every run of its probe.

load helper
load fake

LAZY=$HELPERS/libcalls-lazy.so

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

# run_probe OPTIONS [TIMES] [ADDON]: runs the probe this many times, without a summary unless an
# option asks for it. stderr is in $stderr, and the status in $status.
run_probe() {
  local arguments=() i
  for ((i = 0; i < ${2:-1}; i++)); do arguments+=(lazy "${3:-$LAZY}"); done
  TSFN_GUARD_OPTIONS=summary=never:$1 run --separate-stderr preloaded "$HELPERS/fake-versioned" "${arguments[@]}"
}

# normalized TEXT: prints the text without what differs between runs and builds.
normalized() {
  sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z/TIME/; s/\b(tsfn-guard\[|pid |tid )[0-9]+/\1N/g
    s/0x[0-9a-f]+/0xN/g; s/build_id [0-9a-f]{40}/build_id ID/; s#(: |file |from | )/[^ ,]*/#\1DIR/#g' <<<"$1"
}

# each FILTER [LOG]: prints what jq's filter finds in each line.
each() {
  jq -rc "$1" "${2:-log}"
}

lines() {
  grep -c '' "$1"
}

# make_package [JSON]: copies the addon into a package, $PACKAGE.
make_package() {
  PACKAGE=$BATS_TEST_TMPDIR/node_modules/acme-sensor
  mkdir -p "$PACKAGE"
  cp "$LAZY" "$PACKAGE/"
  echo "${1:-{\"name\":\"acme-sensor\",\"version\":\"2.1.0\",\"bugs\":{\"url\":\"https://acme.example/bugs\"\}\}}" >"$PACKAGE/package.json"
}

# ---- The text form ----

@test "text: a report" {
  make_package
  run_probe '' 1 "$PACKAGE/libcalls-lazy.so"
  assert_success
  run normalized "$(sed -n 1,12p <<<"$stderr" | sed -E 's/probe\+[0-9]+/probe+N/g')"
  assert_output - <<'END'
tsfn-guard[N]: TSG008 never-a-handle (fatal-avoided): acme-sensor@2.1.0 libcalls-lazy.so: napi_get_threadsafe_function_context, called in probe+N
tsfn-guard[N]:   what: a value that was never a thread-safe function was used as one
tsfn-guard[N]:   the guard: answered napi_invalid_arg
tsfn-guard[N]:   do: update acme-sensor, or report this to its authors: https://acme.example/bugs
tsfn-guard[N]:   see: docs/misuse/TSG008.md, or run: tsfn-guard explain TSG008
tsfn-guard[N]:   without the guard: would have used the value as an address
tsfn-guard[N]:   addon: DIR/libcalls-lazy.so
tsfn-guard[N]:   seen: 1
tsfn-guard[N]:   time: TIME
tsfn-guard[N]:   call: function napi_get_threadsafe_function_context, func 0xN, answered napi_invalid_arg
tsfn-guard[N]:   caller: file DIR/libcalls-lazy.so, offset 0xN, symbol probe+N, build_id ID
tsfn-guard[N]:   thread: pid N, tid N, name fake-versioned
END
  assert_equal "${#stderr_lines[@]}" 72
}

@test "text: without a package, the first line has the path; the update is of \"this addon\"" {
  make_package '{"version":"1.0.0"}'
  run_probe '' 1 "$PACKAGE/libcalls-lazy.so"
  assert_success
  run normalized "$(sed -n '1p;4p' <<<"$stderr" | sed -E 's/probe\+[0-9]+/probe+N/g')"
  assert_output - <<'END'
tsfn-guard[N]: TSG008 never-a-handle (fatal-avoided): DIR/libcalls-lazy.so: napi_get_threadsafe_function_context, called in probe+N
tsfn-guard[N]:   do: update this addon, or report this to its authors
END
}

@test "text: mode=diagnose adds the stack" {
  run_probe mode=diagnose
  assert_success
  run normalized "$stderr"
  assert_line --index 10 "tsfn-guard[N]:   caller: file DIR/libcalls-lazy.so, offset 0xN, symbol $(symbol), build_id ID"
  assert_line --index 12 'tsfn-guard[N]:   stack:'
  assert_line --index 13 'tsfn-guard[N]:     #0 DIR/libcalls-lazy.so+0xN'
  assert_line --index 14 --regexp '#1 DIR/fake-versioned\+0xN$'
}

# symbol: prints the return address of the probe's first call, as a symbol.
symbol() {
  grep -Eo 'symbol probe\+[0-9]+' <<<"$stderr" | sed -n '1s/symbol //p'
}

@test "text: every line begins with our name" {
  run_probe mode=diagnose:summary=always 3
  assert_success
  refute [ "$(grep -cv "^tsfn-guard\[[0-9]*\]: " <<<"$stderr")" -gt 0 ]
}

# ---- The JSON form ----

@test "json: one line for each event, which matches the schema and has all fields" {
  run_probe format=json:log_path=log
  assert_success
  assert_equal "$stderr" ''
  assert_equal "$(lines log)" 6
  matches_schema log
  assert_equal "$(each '[.code, .kind, .severity, .seen, .suppressed, .runtime] | join(" ")' | uniq)" \
    'TSG008 never-a-handle fatal-avoided 1 0 '
  assert_equal "$(each .call.function | sed 's/napi_//')" "$(printf '%s\n' get_threadsafe_function_context \
    call_threadsafe_function acquire_threadsafe_function release_threadsafe_function ref_threadsafe_function \
    unref_threadsafe_function)"
  assert_equal "$(each .call.mode)" $'null\nnapi_tsfn_nonblocking\nnull\nnapi_tsfn_release\nnull\nnull'
  assert_equal "$(each '[.call.answered, .caller.file, .addon, .thread.name] | join(" ")' | uniq)" \
    "napi_invalid_arg $LAZY $LAZY fake-versioned"
  assert_equal "$(each .caller.build_id | uniq)" "$(readelf -n "$LAZY" | sed -n 's/.*Build ID: //p')"
}

# Every byte of a path except NUL and /, in directories so deep that only the end of the path is
# kept, and so that escaping doubles its length.
@test "json: odd and long paths are cut and escaped, and a line has 4096 bytes at most" {
  local odd directory=$BATS_TEST_TMPDIR quotes
  odd=$'new\nline tab\t quote" back\\slash esc\e[2J del\x7f \xff\xc3( \xed\xa0\x80 ü'
  quotes=$(printf '"%.0s' {1..200})
  mkdir -p "$odd" && cp "$LAZY" "$odd/addon.so"
  run_probe mode=diagnose:format=json:log_path=log 1 "$PWD/$odd/addon.so"
  assert_success
  assert_equal "$(lines log)" 6
  matches_schema log
  assert_equal "$(each .caller.file | uniq)" \
    "$PWD/new?line tab? quote\" back\\slash esc?[2J del? ??( ??? ü/addon.so"
  for _ in 1 2 3 4 5 6; do directory+=/$quotes; done
  mkdir -p "$directory" && cp "$LAZY" "$directory/addon.so" && cp "$HELPERS/fake-versioned" "$directory/fake-versioned"
  TSFN_GUARD_OPTIONS=summary=never:mode=diagnose:format=json:log_path=long preloaded "$directory/fake-versioned" lazy "$directory/addon.so"
  assert_equal "$(lines long)" 6
  matches_schema long
  assert [ "$(wc -L <long)" -lt 4096 ]
  assert_equal "$(each .truncated long | uniq)" true
  assert_equal "$(each '.caller.file | length' long | uniq)" 383
  assert_equal "$(each '.addon[-9:]' long | uniq)" /addon.so
  TSFN_GUARD_OPTIONS=summary=never:mode=diagnose:log_path=text preloaded "$directory/fake-versioned" lazy "$directory/addon.so"
  assert_equal "$(grep -c 'TSG008 never' text)" 6
  refute [ "$(grep -cv "^tsfn-guard\[[0-9]*\]: " text)" -gt 0 ]
}

# ---- Where it goes ----

@test "log_path: the file is for its owner only, whatever the umask is, and is appended to" {
  umask 000
  run_probe format=json:log_path=log
  assert_success
  assert_equal "$(stat -c %a log)" 600
  assert_equal "$stderr" ''
  run_probe format=json:log_path=log
  assert_equal "$(lines log)" 12
}

@test "log_path: %p is the process, %% a percent sign" {
  run_probe format=json:log_path=log.%p.100%%
  assert_success
  files=(log.*)
  assert_equal "${#files[@]}" 1
  assert_equal "${files[0]}" "log.$(each .thread.pid "${files[0]}" | uniq).100%"
}

# unusable PATH WHY: expects that one line says why, and that the reports are on stderr.
unusable() {
  run_probe "format=json:log_path='$1'" 2
  assert_success
  assert_equal "$(normalized "${stderr_lines[0]}")" "tsfn-guard[N]: log_path: needed $2; stderr is used instead: correct log_path"
  assert_equal "$(grep -c '"TSG008"' <<<"$stderr")" 12
  assert_equal "${#stderr_lines[@]}" 13
}

@test "log_path: a path that cannot be opened gives one line, and stderr is used" {
  local needed='a file that can be opened for appending, found'
  mkdir directory
  echo precious >target
  ln -s target link
  ln -s nowhere dangling
  unusable link "$needed DIR/link: it is a symbolic link, which is not followed"
  unusable dangling "$needed DIR/dangling: it is a symbolic link, which is not followed"
  unusable directory "$needed DIR/directory: Is a directory"
  unusable no/log "$needed DIR/log: No such file or directory"
  mkfifo pipe
  # The pipe has no reader, and the guard does not wait for one.
  unusable pipe "$needed DIR/pipe: No such device or address"
  assert_equal "$(<target)" precious
  refute [ -e nowhere ]
}

@test "log_path: a directory that may not be written to gives one line, and stderr is used" {
  local as=()
  mkdir locked
  chmod 555 locked
  if ((EUID == 0)); then
    chmod -R a+rX "$BATS_TEST_TMPDIR"
    as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    "${as[@]}" test -r "$TG_LIB" -a -x "$HELPERS/fake-versioned" || skip "user 65534 may not read $TG_BUILD"
  fi
  TSFN_GUARD_OPTIONS=summary=never:log_path=/proc/self/cwd/locked/log LD_PRELOAD=$TG_LIB run --separate-stderr \
    "${as[@]}" "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_line --partial 'call: guard'
  run normalized "$stderr"
  assert_line --index 0 --regexp 'opened for appending, found .*/log: Permission denied; stderr is used instead: correct log_path$'
  assert_equal "$(grep -c 'TSG008 never' <<<"$stderr")" 6
}

@test "log_path: fd:N writes to a descriptor that the program was given" {
  TSFN_GUARD_OPTIONS=summary=never:format=json:log_path=fd:7 run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY" 7>log
  assert_success
  assert_equal "$stderr" ''
  assert_equal "$(lines log)" 6
}

@test "log_path: a descriptor that is not open, or is not a number, gives one line, and stderr is used" {
  local path
  for path in fd:7 fd: fd:x fd:-1 fd:99999999999; do
    unusable "$path" "a descriptor that is open, found $path"
  done
}

@test "log_path: several processes write to one log, and no line is torn" {
  local i
  for i in {1..6}; do
    (run_probe format=json:rate=0:log_path=log 50) 3>&- &
  done
  wait
  assert_equal "$(lines log)" 1800
  matches_schema log
  assert_equal "$(each .thread.pid | sort | uniq -c | awk '{print $1}' | uniq)" 300
}

# ---- How often ----

@test "rate: the first N of each site, then each one whose number is a power of two" {
  run_probe format=json:log_path=log 10
  assert_success
  assert_equal "$(each 'select(.call.mode == "napi_tsfn_release") | [.seen, .suppressed] | join(" ")')" \
    $'1 0\n2 0\n4 1\n8 4'
  assert_equal "$(lines log)" 24
  run_probe format=json:rate=3:log_path=three 10
  assert_equal "$(each 'select(.call.mode == "napi_tsfn_release") | [.seen, .suppressed] | join(" ")' three)" \
    $'1 0\n2 0\n3 0\n4 0\n8 3'
  run_probe format=json:rate=0:log_path=all 10
  assert_equal "$(lines all)" 60
  assert_equal "$(each .suppressed all | sort -u)" 0
}

@test "rate: in text, each report after the first N is one line" {
  run_probe rate=2 4
  assert_success
  assert_equal "$(grep -c 'TSG008 never' <<<"$stderr")" 18
  assert_equal "$(grep -c '  thread: ' <<<"$stderr")" 12
  assert_equal "$(normalized "$(tail -n 1 <<<"$stderr")")" \
    "tsfn-guard[N]: TSG008 never-a-handle (fatal-avoided): a value that was never a thread-safe function was used as one; seen 4 times from DIR/libcalls-lazy.so"
}

# ---- Suppressions ----

# suppresses LINE…: expects that a file with these lines suppresses all reports.
suppresses() {
  printf '%s\n' "$@" >suppressions
  run_probe suppressions=suppressions
  assert_success
  assert_equal "$stderr" ''
}

# does_not_suppress LINE…: expects that such a file is valid, and suppresses nothing.
does_not_suppress() {
  printf '%s\n' "$@" >suppressions
  run_probe suppressions=suppressions
  assert_success
  assert_equal "$(grep -c '' <<<"$stderr")" 72
}

@test "suppressions: by code, name, severity and all; by path and by base name" {
  local kind
  for kind in TSG008 never-a-handle fatal-avoided '*'; do
    suppresses "$kind:libcalls-lazy.so"
    suppresses "$kind:*calls*"
    does_not_suppress "$kind:libcalls-now.so"
  done
  for kind in TSG007 stale-handle hang-avoided warn; do does_not_suppress "$kind:*"; done
  suppresses "*:$LAZY"
  suppresses "*:/*/libcalls-????.so"
  suppresses '*:lib*l*-*.so'
  does_not_suppress '*:libcalls-lazy.s'
  does_not_suppress '*:libcalls-???.so'
  does_not_suppress '*:/libcalls-lazy.so'
}

@test "suppressions: comments, empty lines, spaces and CRLF are skipped; one of many lines is enough" {
  suppresses '# all of it' '' '   ' $'TSG007:*\r' 'warn:*' $'TSG008:libcalls-lazy.so  \r'
}

@test "suppressions: a line that is not understood is reported with its number, and the others count" {
  printf '%s\n' '# first' 'TSG999:*' 'TSG008' ':x' 'warn' "*:$(printf 'x%.0s' {1..128})" 'TSG008:*' >suppressions
  run_probe suppressions=suppressions
  assert_success
  run normalized "$stderr"
  assert_output - <<END
tsfn-guard[N]: suppressions: suppressions:2: needed kind:addon-glob with a kind that help=1 lists, a severity or *, found TSG999:*; the line is ignored: correct or remove it
tsfn-guard[N]: suppressions: suppressions:3: needed kind:addon-glob with a pattern of 1 to 127 bytes, found TSG008; the line is ignored: correct or remove it
tsfn-guard[N]: suppressions: suppressions:4: needed kind:addon-glob with a kind that help=1 lists, a severity or *, found :x; the line is ignored: correct or remove it
tsfn-guard[N]: suppressions: suppressions:5: needed kind:addon-glob with a pattern of 1 to 127 bytes, found warn; the line is ignored: correct or remove it
tsfn-guard[N]: suppressions: suppressions:6: needed kind:addon-glob with a pattern of 1 to 127 bytes, found *:$(printf 'x%.0s' {1..128}); the line is ignored: correct or remove it
END
}

@test "suppressions: a file that cannot be read, or is too large, gives one line" {
  mkdir directory
  head -c 20000 /dev/zero | tr '\0' '#' >large
  for case in 'absent needed a file that can be read, found No such file or directory' \
    'directory needed a file that can be read, found Is a directory' \
    'large needed a file of less than 16 KiB, found a larger one'; do
    run_probe "suppressions=${case%% *}"
    assert_success
    assert_equal "$(normalized "${stderr_lines[0]}")" \
      "tsfn-guard[N]: suppressions: ${case%% *}: ${case#* }; nothing is suppressed: correct the file or the option"
    assert_equal "${#stderr_lines[@]}" 73
  done
}

# ---- What is done ----

@test "on.EVENT=ignore: by code, name and severity; the kind's counts before its severity's" {
  local word
  for word in TSG008 never-a-handle fatal-avoided; do
    run_probe on.$word=ignore
    assert_success
    assert_equal "$stderr" ''
  done
  run_probe on.fatal-avoided=ignore:on.TSG008=log
  assert_equal "${#stderr_lines[@]}" 72
  run_probe on.TSG007=ignore:on.warn=ignore
  assert_equal "${#stderr_lines[@]}" 72
}

@test "on.EVENT=abort: the first event is reported, and the process aborts" {
  run_probe on.never-a-handle=abort:format=json:log_path=log
  assert_equal "$status" 134
  assert_equal "$(lines log)" 1
  matches_schema log
  assert_equal "$(each .then)" 'on.EVENT=abort ends the process (SIGABRT); its core has all stacks: gdb PROGRAM CORE'
}

# Seen to fail: no message said why the process had ended, or had stopped.
@test "on.EVENT=abort and stop: the text says so, and how to go on" {
  local pid state=''
  run_probe on.never-a-handle=abort
  assert_equal "$status" 134
  assert_equal "$(grep -c '  then: on.EVENT=abort ends the process (SIGABRT); ' <<<"$stderr")" 1
  TSFN_GUARD_OPTIONS=summary=never:on.TSG008=stop:log_path=log LD_PRELOAD=$TG_LIB "$HELPERS/fake-versioned" lazy "$LAZY" >out 3>&- &
  pid=$!
  until [[ $state == T ]]; do state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status"); done
  run grep -c "  then: on.EVENT=stop stops the process (SIGSTOP); inspect it: gdb -p $pid; continue it: kill -CONT $pid\$" log
  assert_output 1
  kill -KILL "$pid"
  wait "$pid" || true
}

# There are six call sites, with three events each. Seen to fail: with rate=1 the third event of
# each site was not reported.
@test "on.EVENT=stop: each stop is reported, even if the rate would skip it" {
  local pid stops=0 state=''
  TSFN_GUARD_OPTIONS=summary=never:on.TSG008=stop:log_path=log LD_PRELOAD=$TG_LIB "$HELPERS/fake-versioned" lazy "$LAZY" lazy "$LAZY" lazy "$LAZY" >out 3>&- &
  pid=$!
  for _ in {1..2000}; do
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || break
    [[ -n $state && $state != Z ]] || break
    if [[ $state == T ]]; then
      stops=$((stops + 1))
      assert_equal "$(grep -c "kill -CONT $pid\$" log)" "$stops"
      kill -CONT "$pid"
    fi
    sleep 0.005
  done
  wait "$pid"
  assert_equal "$stops" 18
}

@test "on.EVENT=abort: not if the event is suppressed" {
  echo 'TSG008:*' >suppressions
  run_probe on.never-a-handle=abort:suppressions=suppressions
  assert_success
  assert_equal "$stderr" ''
}

@test "on.EVENT=stop: the process stops after each, and goes on with SIGCONT" {
  local pid stops=0 state=''
  TSFN_GUARD_OPTIONS=summary=never:on.TSG008=stop:format=json:log_path=log LD_PRELOAD=$TG_LIB "$HELPERS/fake-versioned" lazy "$LAZY" >out 3>&- &
  pid=$!
  for _ in {1..2000}; do
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || break
    [[ -n $state && $state != Z ]] || break
    if [[ $state == T ]]; then
      stops=$((stops + 1))
      assert_equal "$(lines log)" "$stops"
      kill -CONT "$pid"
    fi
    sleep 0.005
  done
  wait "$pid"
  assert_equal "$stops" 6
  matches_schema log
  assert_equal "$(each .then | sort -u)" \
    "on.EVENT=stop stops the process (SIGSTOP); inspect it: gdb -p $pid; continue it: kill -CONT $pid"
  assert_equal "$(tail -n 1 out)" 'unref: guard'
}

@test "exitcode: if something worse than a leak was reported, and not ignored or suppressed" {
  echo 'TSG008:*' >suppressions
  run_probe exitcode=77
  assert_equal "$status" 77
  assert_line 'unref: guard' # main has returned, and its output is flushed
  run_probe exitcode=77:suppressions=suppressions
  assert_success
  run_probe exitcode=77:on.TSG008=ignore
  assert_success
  run_probe exitcode=77:mode=off
  assert_success
  run_probe exitcode=77:rate=1:log_path=log
  assert_equal "$status" 77
}

# ---- The summary (more in runtime/summary.bats) ----

@test "summary: events by kind and addon, and where the log is" {
  echo 'TSG008:libcalls-now.so' >suppressions
  TSFN_GUARD_OPTIONS=summary=errors:rate=1:suppressions=suppressions:log_path=log preloaded "$HELPERS/fake-versioned" \
    lazy "$LAZY" lazy "$LAZY" lazy "$LAZY" now "$HELPERS/libcalls-now.so"
  run normalized "$(grep -A 99 ' summary: TSG' log)"
  assert_output - <<'END'
tsfn-guard[N]: summary: TSG008 never-a-handle (fatal-avoided): 18 seen, 6 not reported, action log, addon DIR/libcalls-lazy.so
tsfn-guard[N]: summary: TSG008 never-a-handle (fatal-avoided): 6 seen, 6 not reported, action suppressed, addon DIR/libcalls-now.so
tsfn-guard[N]: summary
tsfn-guard[N]:   process: guard 0.1.0, events 24, live 0, leaked 0, in_use 0, log DIR/log, read_with less
tsfn-guard[N]: summary: DIR/libcalls-lazy.so: 18 crashes avoided; update it or report it
END
}

# Seen to fail: the summary named no package, and did not say what to do.
@test "summary: in text it ends with a verdict on each guilty addon" {
  make_package
  echo 'TSG008:libcalls-now.so' >suppressions
  TSFN_GUARD_OPTIONS=summary=errors:suppressions=suppressions:log_path=log preloaded "$HELPERS/fake-versioned" \
    lazy "$PACKAGE/libcalls-lazy.so" lazy "$PACKAGE/libcalls-lazy.so" now "$HELPERS/libcalls-now.so"
  assert_equal "$(normalized "$(tail -n 1 log)")" \
    'tsfn-guard[N]: summary: libcalls-lazy.so (acme-sensor@2.1.0): 12 crashes avoided; update it or report it: https://acme.example/bugs'
  assert_equal "$(grep -c 'crashes avoided' log)" 1
  TSFN_GUARD_OPTIONS=format=json:log_path=json preloaded "$HELPERS/fake-versioned" lazy "$PACKAGE/libcalls-lazy.so"
  matches_schema json
  assert_equal "$(each 'select(.type == "tally").events.package' json | uniq)" acme-sensor@2.1.0
  assert_equal "$(each 'select(.type == "event") | [.package, .remedy, .page] | join(" ")' json | uniq)" \
    'acme-sensor@2.1.0 update acme-sensor, or report this to its authors: https://acme.example/bugs docs/misuse/TSG008.md'
}

@test "summary: errors, always and never" {
  local option
  echo 'TSG008:*' >suppressions
  for option in summary=errors summary=always; do
    run_probe $option
    assert_equal "$(grep -c ' summary$' <<<"$stderr")" 1
  done
  run_probe summary=never
  refute [ "$(grep -c ' summary$' <<<"$stderr")" -gt 0 ]
  for option in suppressions=suppressions on.TSG008=ignore mode=off; do
    run_probe summary=errors:$option
    assert_equal "$stderr" ''
  done
  run_probe summary=always:on.TSG008=ignore
  assert_equal "$(normalized "$stderr" | grep -c ' 6 seen, 6 not reported, action ignore, addon ')" 1
}

# ---- Not armed ----

@test "a program that cannot be guarded is an event too" {
  TSFN_GUARD_OPTIONS=format=json:log_path=log run --separate-stderr preloaded "$HELPERS/lacks-napi_get_undefined"
  assert_success
  assert_equal "$stderr" ''
  matches_schema log
  assert_equal "$(each '[.code, .severity, .addon, .detail] | join(" ")')" \
    "TSG026 warn  not armed in $HELPERS/lacks-napi_get_undefined: needed the functions of Node-API version 4 and newer, found no napi_get_undefined; use an unmodified Node.js 12.22 or newer; it runs unguarded"
  TSFN_GUARD_OPTIONS=on.not-armed=abort run preloaded "$HELPERS/lacks-napi_get_undefined"
  assert_equal "$status" 134
  assert_output --partial '; it runs unguarded; on.EVENT=abort ends the process (SIGABRT); '
  TSFN_GUARD_OPTIONS=on.TSG026=ignore run --separate-stderr preloaded "$HELPERS/lacks-napi_get_undefined"
  assert_success
  assert_equal "$stderr" ''
}

# ---- AT_SECURE ----

# In a set-user-ID program the loader ignores a preloaded path, so here the program is linked with
# the library.
@test "a set-user-ID program ignores the environment" {
  ((EUID == 0)) || skip 'only root can make a program that belongs to another user'
  local directory
  directory=$(mktemp -d /tmp/tg-test.XXXXXX)
  chmod 755 "$directory"
  cp "$TG_LIB" "$directory/"
  cc -rdynamic -o "$directory/fake-versioned" -DFAKE_NODE_METADATA -isystem "$NODE_API_HEADERS" \
    "$TG_SOURCE/test/helpers/program.c" "$TG_SOURCE/test/helpers/fake_node.c" -Wl,--no-as-needed \
    "$directory/libtsfnguard.so" "-Wl,-rpath,$directory"
  TSFN_GUARD_OPTIONS=verbosity=1 run --separate-stderr "$directory/fake-versioned"
  local plain_status=$status plain_stderr=$stderr
  chown 65534 "$directory/fake-versioned"
  chmod 4755 "$directory/fake-versioned"
  TSFN_GUARD_OPTIONS=verbosity=1:log_path=$directory/log run --separate-stderr "$directory/fake-versioned"
  rm -rf "$directory"
  assert_equal "$plain_status" 0
  [[ $plain_stderr == *' armed: '* ]] || fail "without the bit: $plain_stderr"
  assert_success
  assert_output main
  assert_equal "$stderr" ''
}
