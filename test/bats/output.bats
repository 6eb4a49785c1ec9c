# Tests the guard's output if there is no reader, if there is no space, and if paths are long. The
# tests use fake runtimes, because these leave the signals at their defaults. No write of the guard
# raises a signal, and no path is cut.
#
# Seen to fail, with the writes from before base/output.c: status 141 (SIGPIPE) and 153 (SIGXFSZ,
# and metrics.prom.PID.tmp was left behind), reports that were lost silently, files with cut names.
# In a program that was started by the dynamic linker, the guard named the linker's path.

load helper
load fake

LAZY=$HELPERS/libcalls-lazy.so
DEAF=$TG_SOURCE/test/helpers/deaf.py

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

# deaf KIND N OPTIONS PROGRAM ARGS…: runs it guarded, with these options. Its descriptor N is a pipe
# or a socket (KIND) without a reader.
deaf() {
  TSFN_GUARD_OPTIONS=$3 run --separate-stderr timeout -k 5 20 /usr/bin/python3 "$DEAF" "$1" "$2" \
    env LD_PRELOAD="$TG_LIB" "${@:4}"
}

# is_guarded STATUS: expects that the program has run to its end, and that the guard has answered.
is_guarded() {
  assert_equal "$status" "$1"
  assert_equal "$(probed)" "$(answers guard)"
}

@test "stderr without a reader: the program runs, whatever the guard prints" {
  local kind options
  for kind in pipe socket; do
    for options in '' nonsense=1 verbosity=1 help=1 summary=always:rate=0 format=json:summary=always \
      mode=diagnose:help=1:verbosity=1 log_path=/none/log metrics_path=/none/metrics suppressions=/none dump_signal=11; do
      deaf "$kind" 2 "$options" "$HELPERS/fake-versioned" lazy "$LAZY"
      is_guarded 0
    done
    deaf "$kind" 2 exitcode=77 "$HELPERS/fake-versioned" lazy "$LAZY"
    is_guarded 77
    deaf "$kind" 2 '' "$HELPERS/lacks-napi_ref_threadsafe_function"
    assert_equal "$status $output" '0 main'
    deaf "$kind" 2 require=1 "$HELPERS/lacks-napi_ref_threadsafe_function"
    assert_equal "$status $output" '78 '
    deaf "$kind" 2 '' bash -c 'ulimit -v $((6 << 20)); exec "$0"' "$HELPERS/fake-versioned"
    assert_equal "$status $output" '0 main'
  done
}

@test "the program's own writes raise their signals as without the guard" {
  local preload
  for preload in '' "$TG_LIB"; do
    run /usr/bin/python3 "$DEAF" pipe 1 env LD_PRELOAD="$preload" TSFN_GUARD_OPTIONS=verbosity=1 "$HELPERS/fake-versioned"
    assert_equal "$status" 141
    run bash -c 'ulimit -f 0; "$@" >out' - env LD_PRELOAD="$preload" "$HELPERS/fake-versioned"
    assert_equal "$status" 153
  done
}

@test "a log of fd:N without a reader: one line, reports on stderr, and they are counted" {
  local kind
  for kind in pipe socket; do
    deaf "$kind" 5 log_path=fd:5:rate=0 "$HELPERS/fake-versioned" lazy "$LAZY"
    is_guarded 0
    assert_equal "$(grep -c 'log_path: needed a descriptor that accepts reports, found descriptor 5: Broken pipe; stderr is' \
      <<<"$stderr")" 1
    assert_regex "$stderr" 'TSG008 never-a-handle'
    assert_regex "$stderr" 'process: .*, not_logged [1-9][0-9]*, log descriptor 5'
  done
}

# limited KIB PROGRAM ARGS…: runs it guarded, with this limit on the size of files. stdout and
# stderr go through a pipe, which has no size, to $output.
limited() {
  run bash -c 'set -o pipefail; (ulimit -f "$0" && exec "$@") 2>&1 | cat' "$1" env LD_PRELOAD="$TG_LIB" "${@:2}"
}

@test "a limit on the size of files: no signal, nothing left behind, one line, and reports on stderr" {
  export TSFN_GUARD_OPTIONS=log_path=$PWD/log:metrics_path=$PWD/metrics.prom:publish=1:verbosity=1
  limited 0 "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_equal "$(grep -c "log_path: needed a file that accepts reports, found $PWD/log: File too large; stderr is" \
    <<<"$output")" 1
  assert_equal "$(grep -c "metrics_path: needed .* found $PWD/metrics.prom: File too large" <<<"$output")" 1
  assert_equal "$(grep -c 'publish: needed .* found File too large' <<<"$output")" 1
  assert_regex "$output" 'TSG008 never-a-handle'
  assert_regex "$output" ', not_logged [1-9]'
  run ls -A
  assert_output log
}

@test "a log that is full" {
  TSFN_GUARD_OPTIONS=log_path=/dev/full:rate=0:format=json run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
  is_guarded 0
  assert_equal "$(grep -vc '^{' <<<"$stderr")" 1
  assert_regex "$stderr" 'log_path: needed a file that accepts reports, found /dev/full: No space left on device; stderr is'
  grep '^{' <<<"$stderr" >log
  assert_equal "$(jq -r 'select(.type == "summary").process.not_logged' log)" $(($(wc -l <log) - 1))
  matches_schema log
}

# The file system has 64 KiB, and is full before the program starts.
@test "a file system that is full" {
  [[ $(id -u) == 0 ]] || skip "only root can mount one"
  unshare -m true 2>/dev/null || skip "no mount may be made here"
  mkdir small
  # shellcheck disable=SC2016
  run unshare -m bash -c 'mount -t tmpfs -o size=64k none small && { head -c 65536 /dev/zero >small/rest
    LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=log_path=small/log:metrics_path=small/metrics "$@" 2>&1; ls -A small; }' - \
    "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_line --partial "log_path: needed a file that accepts reports, found $PWD/small/log: No space left on device; stderr"
  assert_line --partial "metrics_path: needed a file that can be written"
  assert_equal "${lines[-2]} ${lines[-1]}" 'log rest'
}

# long_path LENGTH: prints a path of this many bytes below this directory, and makes all of it
# except its last part.
long_path() {
  local path=$PWD part
  part=$(printf 'd%.0s' {1..200})
  while ((${#path} + 202 < $1 - 20)); do path+=/$part; done
  mkdir -p "$path"
  path+=/
  printf '%s%s' "$path" "$(head -c $(($1 - ${#path})) /dev/zero | tr '\0' x)"
}

@test "a path of up to 1023 bytes is not cut" {
  local length path
  for length in 1003 1004 1005 1014 1023; do
    path=$(long_path "$length")
    TSFN_GUARD_OPTIONS=log_path=$path:metrics_path=$path.m run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
    is_guarded 0
    assert [ -s "$path" ]
    if ((length < 1022)); then assert [ -s "$path.m" ]; fi
  done
}

@test "a path that is too long is refused in one line, and no report is lost" {
  local path directory
  path=$(long_path 1021)
  TSFN_GUARD_OPTIONS=log_path=$path%p run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
  is_guarded 0
  assert_equal "$(without_pid "${stderr_lines[0]}")" "tsfn-guard[PID]: log_path: needed a path of at most 1023 bytes (absolute, \
with the process id in it), found one of 1031; give a shorter one; stderr is used instead"
  assert_regex "$stderr" 'TSG008 never-a-handle'
  directory=${path%/*}
  cd "$directory"
  path=$(printf 'x%.0s' {1..250})
  TSFN_GUARD_OPTIONS=metrics_path=$path:log_path=$path run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
  is_guarded 0
  assert_regex "${stderr_lines[0]}" 'log_path: needed a path of at most 1023 bytes .* stderr is used instead$'
  assert_regex "${stderr_lines[1]}" 'metrics_path: needed a path of at most 1023 bytes .*; no metrics are written$'
  run ls -A
  assert_output ''
}

@test "a relative path if the directory no longer exists" {
  mkdir gone
  cd gone
  rmdir "$BATS_TEST_TMPDIR/gone"
  TSFN_GUARD_OPTIONS=log_path=log:metrics_path=m run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
  cd "$BATS_TEST_TMPDIR"
  is_guarded 0
  assert_equal "$(without_pid "${stderr_lines[0]}")" 'tsfn-guard[PID]: log_path: needed a directory from which the relative path log starts, found none: No such file or directory; give an absolute path; stderr is used instead'
  assert_regex "${stderr_lines[1]}" 'metrics_path: .* give an absolute path; no metrics are written$'
}

# loader: prints the path of ld.so on this machine.
loader() {
  readelf -lW "$HELPERS/fake-versioned" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p'
}

@test "started by the dynamic linker: the program is named, not the linker" {
  local linker
  linker=$(loader)
  ln -s "$HELPERS/fake-versioned" 'a program'
  cp "$HELPERS/fake-versioned" $'copied \n it'
  TSFN_GUARD_OPTIONS=verbosity=1 run --separate-stderr preloaded "$linker" './a program' lazy "$LAZY"
  is_guarded 0
  assert_regex "${stderr_lines[0]}" "redirected the seven functions of $HELPERS/fake-versioned$"
  TSFN_GUARD_OPTIONS=verbosity=1 run --separate-stderr preloaded "$linker" $'./copied \n it'
  assert_regex "${stderr_lines[0]}" "of $PWD/copied .*012 it$"
  run --separate-stderr preloaded "$linker" "$HELPERS/lacks-napi_ref_threadsafe_function"
  assert_regex "$stderr" "not armed in $HELPERS/lacks-napi_ref_threadsafe_function: needed"
  run --separate-stderr preloaded "$linker" --argv0 other "$HELPERS/lacks-napi_ref_threadsafe_function"
  assert_regex "$stderr" "not armed in $HELPERS/lacks-napi_ref_threadsafe_function: needed"
}

# Malformed UTF-8, and characters that control a terminal or the direction of text.
@test "no line of the guard turns the direction of text" {
  TSFN_GUARD_OPTIONS=$'x\u202ey\u2066\u061c=1' run --separate-stderr preloaded "$HELPERS/fake-versioned"
  assert_regex "$stderr" "TSFN_GUARD_OPTIONS: 'x\?\?\?y\?\?\?\?\?=1' is not an option"
}
