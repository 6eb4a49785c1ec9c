# The log of a program that changes its directory, closes its descriptors, or is started in another
# way. Also the signals that can write a dump.
#
# Seen to fail: with the library before base/output.h and diag/path.h, the reports were in the
# program's file in both tests of reused numbers, and in another directory; dump_signal=2 and seven
# other signals were accepted, and no dump came.

bats_require_minimum_version 1.5.0
load ../helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

@test "the number of stderr, reused by the program: its file has only what the program wrote, and the reports are counted" {
  TSFN_GUARD_OPTIONS=metrics_path=metrics run --separate-stderr guarded log.js reused data
  assert_success
  assert_output DATAMORE
  assert_equal "$stderr" ''
  assert_equal "$(<data)" DATAMORE
  grep -qx 'tsfn_guard_reports_not_logged_total{} [2-9]' metrics
  TSFN_GUARD_OPTIONS=summary=never:log_path=log run --separate-stderr guarded log.js reused data
  assert_output DATAMORE
  assert [ "$(grep -c "TSG007 stale-handle (" log)" = 2 ]
}

@test "a stderr that was closed: before the start, and by the program" {
  run guarded log.js reused data 2>&-
  assert_success
  assert_output DATAMORE
  run guarded log.js closed 2>&-
  assert_output lives
  run --separate-stderr guarded log.js closed
  assert_output lives
  assert_equal "$stderr" ''
}

@test "the number of fd:N, reused: one line, and stderr from then on" {
  TSFN_GUARD_OPTIONS=log_path=fd:7:format=json run --separate-stderr guarded log.js numbered 7 data 7>given
  assert_success
  assert_output DATA
  assert_equal "$(grep -c TSG007 given)" 1
  assert_regex "${stderr_lines[0]}" 'log_path: needed a descriptor that accepts reports, found descriptor 7: it is closed, or has become another file; stderr is used instead: correct log_path$'
  assert_regex "${stderr_lines[1]}" '"code":"TSG007"'
  assert_regex "${stderr_lines[-1]}" '"not_logged":[1-9]'
}

@test "a relative log_path is relative to the directory in which the program was started" {
  mkdir elsewhere
  TSFN_GUARD_OPTIONS=log_path=log.%p:format=json run --separate-stderr guarded log.js moved elsewhere
  assert_success
  assert_equal "$output$stderr" ''
  assert_equal "$(jq -r .type log.* | uniq | tr '\n' ' ')" 'event tally summary '
  assert_equal "$(jq -r 'select(.type == "summary").process.log' log.*)" "$(echo "$PWD"/log.*)"
}

# SIGUSR1 and similar signals. Node takes some of them for itself at its start, and some with a
# child process or a terminal.
@test "every number of dump_signal is refused in one line, or writes a dump" {
  local number refused=
  export TSFN_GUARD_OPTIONS
  for number in {1..64}; do
    TSFN_GUARD_OPTIONS=dump_signal=$number:format=json:log_path=$PWD/log:summary=never
    LD_PRELOAD=$TG_LIB run --separate-stderr "$TG_BUILD/helpers/fake-versioned"
    assert_success
    if [[ $stderr ]]; then
      assert_regex "$stderr" "dump_signal: needed a signal that can be handled, found $number: .*; no signal will write a dump: correct dump_signal$"
      refused+=" $number"
      continue
    fi
    run --separate-stderr guarded log.js dumped "$number" log
    assert_equal "$output$stderr" dumped
  done
  assert_equal "$refused" ' 2 4 5 7 8 9 10 11 13 15 17 19 25 27 28 31 32 33'
}

@test "started by the dynamic linker: node is named in reports, not the linker" {
  local linker
  linker=$(readelf -lW "$TG_NODE" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
  [[ $linker ]] || skip "a script, or a static program"
  LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=verbosity=1:mode=diagnose:format=json run --separate-stderr \
    timeout -k 5 "$TG_TIMEOUT" "$linker" "$(readlink -f "$TG_NODE")" "$PROGRAMS/log.js" moved .
  assert_success
  refute grep -qF "$linker+0x" <<<"$stderr"
  assert_regex "$stderr" "$(readlink -f "$TG_NODE")"
}
