# Every child process of a guarded program inherits LD_PRELOAD. In a program that is not a runtime
# this must have no effect: no output, no mapping, no thread, no system call beyond those with which
# the dynamic linker loads the library.

load helper
load maps
load fake

# These options must have no effect in such a program either, whatever they ask for.
LOUD=require=1:verbosity=1:help=1:nonsense=1

# same PROGRAM ARGS…: expects the same stdout, stderr and exit status as without the library.
same() {
  run --separate-stderr natively "$@" < <(echo input)
  local native_status=$status native_output=$output native_stderr=$stderr
  TSFN_GUARD_OPTIONS=$LOUD run --separate-stderr preloaded "$@" < <(echo input)
  assert_equal "$status" "$native_status"
  assert_equal "$output" "$native_output"
  assert_equal "$stderr" "$native_stderr"
}

# trace NAME ENVIRONMENT PROGRAM ARGS…: writes the system calls to $BATS_TEST_TMPDIR/NAME.
trace() {
  timeout -k 5 20 strace -f -E "$2" -o "$BATS_TEST_TMPDIR/$1" "${@:3}" >/dev/null
}

# The names of the system calls after the dynamic linker has loaded everything. At that point it
# unmaps its cache.
calls_after_loading() {
  sed -n -e '1,/munmap(/d' -e 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' "$BATS_TEST_TMPDIR/$1"
}

require_strace() {
  command -v strace >/dev/null || skip "needs strace"
  strace -o /dev/null true || skip "strace may not trace here"
}

# as_nobody PROGRAM ARGS…: runs it as the user nobody.
as_nobody() {
  timeout -k 5 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

teardown() {
  [[ -z ${place:-} ]] || rm -rf "$place"
}

@test "the library is loaded in these tests" {
  run preloaded cat /proc/self/maps
  assert_line --partial "$(readlink -f "$TG_LIB")"
}

@test "programs run as without it" {
  same true
  assert_equal "$output$stderr" ''
  same false
  same cat
  assert_equal "$output" input
  same sh -c 'echo out; echo err >&2; cat; exit 5'
  assert_equal "$status" 5
  assert_equal "$stderr" err
  same sh -c 'kill -TERM $$'
  assert_equal "$status" 143
  same sh -c 'sh -c "exec cat" | (cat; exit 7)'
  same "$HELPERS/plain"
}

@test "interpreters run as without it" {
  local interpreter
  for interpreter in python3 perl; do
    command -v "$interpreter" >/dev/null || continue
    same "$interpreter" -c 'print("out")' # perl -c only checks the syntax, and prints on stderr
    same "$interpreter" --version
  done
  [[ ! -x /usr/bin/python3 ]] || same /usr/bin/python3 -c \
    'import subprocess, threading; t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
subprocess.run(["sh", "-c", "echo child"]); raise SystemExit(9)'
  [[ ! -x /usr/bin/perl ]] || same /usr/bin/perl -e 'print "out\n"; system("echo child"); exit 9;'
}

@test "a static binary runs as without it" {
  [[ -x $HELPERS/static ]] || skip "no static C library to build one with"
  run readelf -lW "$HELPERS/static"
  refute_output --partial INTERP
  same "$HELPERS/static"
  assert_equal "$status $output" '3 static'
}

@test "makes no mapping beyond the library's own" {
  run --separate-stderr natively cat /proc/self/maps
  local native=${#lines[@]} ours
  run --separate-stderr preloaded cat /proc/self/maps
  ours=$(grep -c " $(readlink -f "$TG_LIB")\$" <<<"$output")
  # There may be one more: the zeroed end of the library's data, which is anonymous.
  assert [ "${#lines[@]}" -le $((native + ours + 1)) ]
  assert_equal "$(reservations <<<"$output")" ''
  # This check would notice a reservation.
  run --separate-stderr preloaded "$HELPERS/fake-versioned" maps -
  assert_equal "$(reservations <<<"$output")" 32
}

@test "makes no system call: none after loading, and one file opened by the loader" {
  require_strace
  local program
  for program in /bin/true /bin/cat "$HELPERS/plain"; do
    trace native UNRELATED=1 "$program" </dev/null
    trace guarded LD_PRELOAD="$TG_LIB" "$program" </dev/null
    assert [ -n "$(calls_after_loading native)" ]
    assert_equal "$(calls_after_loading guarded)" "$(calls_after_loading native)"
    assert_equal "$(grep -c openat "$BATS_TEST_TMPDIR/guarded")" $(($(grep -c openat "$BATS_TEST_TMPDIR/native") + 1))
    refute grep -E 'clone3?\(|fork\(|write\(2' "$BATS_TEST_TMPDIR/guarded"
  done
  # This comparison would notice system calls.
  trace alone LD_PRELOAD= "$HELPERS/fake-versioned"
  trace armed LD_PRELOAD="$TG_LIB" "$HELPERS/fake-versioned"
  run calls_after_loading armed
  assert_line mprotect
  # A quiet guard that is armed handles no signal, opens no file and starts no thread either.
  local call
  for call in rt_sigaction openat open clone clone3 write; do
    assert_equal "$(calls_after_loading armed | grep -cx "$call")" "$(calls_after_loading alone | grep -cx "$call")"
  done
}

# In such a program the dynamic linker does not preload a library that is named by a path.
@test "a set-user-ID program is left alone" {
  [[ $(id -u) == 0 ]] || skip "only root can make one"
  command -v setpriv >/dev/null || skip "needs setpriv"
  place=$(mktemp -d) # only root may enter Bats' own directories
  chmod 755 "$place"
  cp -L "$TG_LIB" "$place/guard.so"
  cp "$HELPERS/fake-versioned" "$place/plain"
  cp "$HELPERS/fake-versioned" "$place/setuid"
  chmod 4755 "$place/setuid"
  export TSFN_GUARD_OPTIONS=$LOUD
  LD_PRELOAD=$place/guard.so run --separate-stderr as_nobody "$place/plain"
  assert_equal "$status $output" '0 main'
  [[ $stderr == *' armed: '* ]] || fail "not armed, so this shows nothing: $stderr"
  LD_PRELOAD=$place/guard.so run --separate-stderr as_nobody "$place/setuid"
  assert_equal "$status $output" '0 main'
  assert_equal "$stderr" ''
}
