# Tests the cross-built guard for arm64 on an emulated machine (qemu-system-aarch64) with Debian's
# kernel and npm's node-20. Its pages have 4 KiB, and programs have addresses of 48 bits. The tier
# `full` adds a machine with pages of 16 KiB, where addresses have 47 bits. It also adds node-26 and
# the slow unit tests.
#
# The machine runs test/arm64/cases.sh. Its processors run at the same time, but their memory order
# is that of the host, x86-64, which is stronger. So these tests say nothing about memory orders;
# test/litmus does.
#
# Seen to fail: the unit tests of the handle table, while the guard was not able to make a second
# segment below 2^47 in an address space of 48 bits; everything under the oracle, while the oracle
# used pages of 4 KiB on a kernel with pages of 16 KiB; "without the guard: uses freed memory", when
# libuv aborted all three runs and only the oracle's message was accepted as a sign.

load helper

setup_file() {
  run "$TG_SOURCE/test/arm64/machine.sh" prepare
  [[ $status -ne 3 ]] || skip "${lines[-1]}"
  assert_success
  export MACHINES='4k.node-20'
  [[ -z ${TG_FULL:-} ]] || MACHINES+=' 16k.node-20 4k.node-26 16k.node-26'
  local machine
  for machine in $MACHINES; do
    "$TG_SOURCE/test/arm64/machine.sh" boot "${machine%%.*}" "${machine#*.}" >"$BATS_FILE_TMPDIR/$machine"
  done
}

LIBRARY=${TG_SOURCE:?}/build/arm64/libtsfnguard.so

# on_each COMMAND ARGS…: runs it once for each machine. It sets $runtime, and $said to the file with
# the machine's output.
on_each() {
  local machine runtime said
  for machine in $MACHINES; do
    runtime=${machine#*.} said=$BATS_FILE_TMPDIR/$machine
    "$@"
  done
}

# case_of NAME: sets `output` and `lines` to the output of the case. The last line has its exit
# status.
case_of() {
  run sed -n "/^begin $1\$/,/^end $1: /p" "$said"
  assert_line --index 0 "begin $1"
  assert_line --regexp "^end $1: status "
}

# ended_well NAME [LINE…]: expects that the case ended with status 0, and printed these lines.
ended_well() {
  case_of "$1"
  assert_line "end $1: status 0"
  local line
  for line in "${@:2}"; do assert_line "$line"; done
}

# used_freed NAME: expects that the case died because it used freed memory. If a thread locks the
# destroyed mutex before its memory is freed, libuv aborts (status 134). The oracle prints nothing
# then; a message would mean that the oracle itself has failed.
used_freed() {
  case_of "$1"
  if [[ $output == *"end $1: status 134"* ]]; then
    refute_output --partial 'oracle:'
  else
    assert_line 'oracle: use after free of TSFN memory'
    assert_line "end $1: status 139"
  fi
}

@test "the library is for arm64, and needs only libc.so.6 and nothing newer than GLIBC_2.28" {
  run readelf -hW "$LIBRARY"
  assert_line --regexp 'Machine: +AArch64'
  run bash -c 'readelf -dW "$1" | sed -n "s/.*(NEEDED).*\[\(.*\)\]/\1/p"' - "$LIBRARY"
  assert_output libc.so.6
  run bash -c 'readelf -VW "$1" | sed -n "/version_r/,\$s/.*Name: \([^ ]*\).*/\1/p"' - "$LIBRARY"
  assert_line GLIBC_2.17
  local version
  for version in "${lines[@]}"; do
    assert_equal "$(printf '%s\n' "$version" GLIBC_2.28 | sort -V | tail -n 1)" GLIBC_2.28
  done
}

@test "exports the ring for debuggers, what register.node calls, and nothing else" {
  run bash -c 'readelf --dyn-syms -W "$1" | awk "\$5 != \"LOCAL\" && \$7 ~ /^[0-9]+\$/ { print \$8 }" | sort' - "$LIBRARY"
  assert_success
  assert_output $'tsfn_guard_events\ntsfn_guard_ring\ntsfn_guard_stats'
}

pages() {
  local expected=4
  [[ $machine != 16k.* ]] || expected=16
  run grep -m1 KernelPageSize "$said"
  assert_output --regexp " $expected kB\$"
}

@test "the machines have pages of the size that is wanted" {
  on_each pages
}

unit_tests() {
  local test tests=("$TG_SOURCE"/build/arm64/test/test_*)
  [[ -x ${tests[0]} ]] || skip "no unit tests were built: no libcmocka-dev for arm64"
  [[ $machine != 16k.* ]] || tests=(test_addresses test_image test_publish)
  for test in "${tests[@]##*/}"; do
    [[ $test != test_threads || -n ${TG_FULL:-} ]] || continue
    ended_well "$test"
  done
}

@test "the unit tests" {
  on_each unit_tests
}

doctor() {
  ended_well doctor
  assert_line --regexp "^ok +runtime: node ${runtime#node-}\."
  assert_line --regexp '^ok +redirect: '
}

@test "doctor: this node can be guarded" {
  on_each doctor
}

# Node 26 has the fix, so there it may survive.
issue_native() {
  local n died=0
  for n in 1 2 3; do
    case_of "issue-native-$n"
    ! grep -qE "^oracle: use after free of TSFN memory\$|^end issue-native-$n: status 134\$" <<<"$output" || died=1
  done
  [[ $runtime == node-26 ]] || assert_equal $died 1
}

@test "nodejs/node#55706 without the guard: uses freed memory" {
  on_each issue_native
}

issue_guarded() {
  local n
  for n in 1 2 3; do
    ended_well "issue-guarded-$n" 'threads=32 closing=32 invalid_arg=0 finalized=1'
    assert_line --regexp "armed: node ${runtime#node-}\.[0-9.]+, redirected the seven functions of /bin/node"
  done
  ended_well issue-watched 'threads=32 closing=32 invalid_arg=0 finalized=1' 'oracle: TSFNs made=1 freed=1'
}

@test "nodejs/node#55706 guarded: exit 0, 32 times napi_closing, one finalizer" {
  on_each issue_guarded
}

@test "in workers, without the guard: uses freed memory" {
  on_each used_freed worker-native
}

workers_guarded() {
  ended_well worker-guarded 'functions=5 finalized_once=5 foreign=0 disordered=0 late=0 lost=0' 'oracle: TSFNs made=5 freed=5'
  assert_line --regexp '^threads=20 closing=20 closing_once=[0-9]+ wrong=0$'
}

@test "in workers, guarded: every answer within the contract, one finalizer each" {
  on_each workers_guarded
}

blocked_native() {
  run sed -n '/^blocked-native: /,$p' "$said"
  assert_line --index 0 'blocked-native: hangs'
  refute_output --partial 'threads='
}

@test "blocked callers, without the guard: it hangs" {
  on_each blocked_native
}

blocked_guarded() {
  local ending
  for ending in abort worker; do
    ended_well "blocked-$ending" 'functions=1 finalized_once=1 foreign=0 disordered=0 late=0 lost=0' \
      'delivered=4 drained=4' 'threads=16 closing=16 closing_once=16 wrong=0'
  done
}

@test "blocked callers, guarded: all are woken, when the function is aborted and when its worker ends" {
  on_each blocked_guarded
}

@test "guarded: exit wakes callers blocked on a full queue, which a static destructor joins" {
  on_each ended_well exit 'functions=1 finalized_once=0 foreign=0 disordered=0 late=0 lost=4' 'threads=3 closing=3 closing_once=3 wrong=0'
}
