# The redirect, on small programs that stand for the runtime, in every layout that a linker may give
# them. The tests show first why a plain preloaded definition is not enough, then that ours is
# chosen, then that it is all seven or none.
#
# Without the guard every one of these programs answers all calls itself. Each test checks this
# first.

load helper
load maps
load fake

LAZY=$HELPERS/libcalls-lazy.so
NOW=$HELPERS/libcalls-now.so
POINTERS=$HELPERS/libpointers.so

# refused PROGRAM ARGS…: runs it guarded. Expects one line on stderr, which it puts into $refusal
# without the pid, and expects that all seven functions are where they are without the guard. Then
# it runs it with require=1, and expects status 78 and that main did not begin.
refused() {
  run --separate-stderr natively "$@" now "$POINTERS"
  assert_success
  local native=$output
  run --separate-stderr preloaded "$@" now "$POINTERS"
  assert_success
  assert_equal "$output" "$native"
  assert_equal "${#stderr_lines[@]}" 1
  refusal=$(without_pid "$stderr")
  assert_equal "${refusal: -19}" '; it runs unguarded'
  TSFN_GUARD_OPTIONS=require=1 run --separate-stderr preloaded "$@"
  assert_equal "$status" 78
  assert_equal "$output" ''
  assert_equal "$(without_pid "$stderr")" "${refusal/%; it runs unguarded/; require=1, so it does not start}"
}

# everywhere WHO OBJECT ARGS…: prints what the probes of armed_everywhere print if WHO, which is in
# OBJECT, answers.
everywhere() {
  answers "$1"
  answers "$1"
  holders "$2"
  [[ -z ${3:-} ]] || echo "library: 7 in $2"
}

# armed_everywhere PROGRAM OBJECT ARGS…: expects that without the guard OBJECT answers, and that
# with it the guard does, however the addon binds.
armed_everywhere() {
  local program=$1 object=$2
  shift 2
  run --separate-stderr natively "$program" "$@" lazy "$LAZY" now "$NOW" now "$POINTERS"
  assert_success
  assert_equal "$(probed)" "$(everywhere runtime "$object" "$@")"
  run --separate-stderr preloaded "$program" "$@" lazy "$LAZY" now "$NOW" now "$POINTERS"
  assert_success
  assert_equal "$(probed)" "$(everywhere guard libtsfnguard.so "$@")"
  assert_equal "$(without_reports "$stderr")" '' # the calls were misuses, which are reported
  assert_regex "$stderr" 'TSG008 never-a-handle'
}

# same_permissions PROGRAM OBJECT: expects that the object's pages have the same permissions as
# without the guard.
same_permissions() {
  run --separate-stderr natively "$1" maps -
  local native
  native=$(segments "$2" <<<"$output")
  assert [ -n "$native" ]
  run --separate-stderr preloaded "$1" maps -
  assert_equal "$stderr" ''
  # It must be armed. Otherwise the comparison would show nothing.
  assert_equal "$(reservations <<<"$output")" 32
  assert_equal "$(segments "$2" <<<"$output")" "$native"
}

# symbol_pages PROGRAM: prints the name of each of the seven functions and the page of its dynamic
# symbol, in a program that is not a PIE.
symbol_pages() {
  local table number name page_size
  page_size=$(getconf PAGESIZE)
  table=0x$(readelf -SW "$1" | sed -n 's/.* \.dynsym *DYNSYM *\([0-9a-f]*\).*/\1/p')
  readelf --dyn-syms -W "$1" | sed -n 's/^ *\([0-9]*\):.* \(napi_[a-z]*_threadsafe_function[a-z_]*\)$/\1 \2/p' |
    while read -r number name; do printf '%s %x\n' "$name" $(((table + number * 24) / page_size * page_size)); done
}

@test "a plain preloaded definition is never called if the main program exports the name" {
  local program
  for program in "$HELPERS"/fake-{pie,exec}-gnu-separate-now; do
    LD_PRELOAD=$HELPERS/libintruder.so run natively "$program" lazy "$LAZY" now "$NOW"
    assert_success
    assert_equal "$(probed)" "$(answers runtime)"$'\n'"$(answers runtime)"
  done
}

@test "a plain preloaded definition is called if a library exports the name" {
  LD_PRELOAD=$HELPERS/libintruder.so run natively "$HELPERS/linked-gnu-separate" lazy "$LAZY"
  assert_success
  assert_equal "$(probed)" "$(answers runtime | sed 's/^call: .*/call: intruder/')"
}

@test "the layouts match their names" {
  local program=$HELPERS/fake type flags
  type=$(readelf -hW "$program-exec-gnu-separate-now") && [[ $type == *'EXEC ('* ]]
  type=$(readelf -hW "$program-pie-gnu-separate-now") && [[ $type == *'DYN ('* ]]
  run bash -c "readelf -dW $program-pie-gnu-separate-now; readelf -dW $program-pie-sysv-separate-lazy"
  assert_equal "$(grep -c '(GNU_HASH)' <<<"$output") $(grep -c '(HASH)' <<<"$output")" '1 1'
  assert_equal "$(grep -c 'Flags:.*NOW.*PIE' <<<"$output")" 1
  run readelf -dW "$program-exec-both-joined-now"
  assert_output --partial '(GNU_HASH)'
  assert_output --partial '(HASH)'
  # The first segment, which has the dynamic symbols: with the code or without it.
  flags=$(readelf -lW "$program-pie-gnu-joined-now" | grep -m 1 LOAD) && [[ $flags == *' R E '* ]]
  flags=$(readelf -lW "$program-pie-gnu-separate-now" | grep -m 1 LOAD) && [[ $flags != *' R E '* ]]
  # The lazy addon has all seven in its PLT and none elsewhere.
  run readelf -rW "$LAZY"
  assert_equal "$(grep -c 'JUMP_SL.* napi_.*threadsafe' <<<"$output") $(grep -c 'napi_' <<<"$output")" '7 7'
  run readelf -dW "$LAZY"
  refute_output --partial NOW
  run readelf -dW "$NOW"
  assert_output --partial BIND_NOW
}

@test "redirects a PIE, in every layout" {
  local hash code binding program
  for hash in gnu sysv both; do for code in separate joined; do for binding in now lazy; do
    program=fake-pie-$hash-$code-$binding
    armed_everywhere "$HELPERS/$program" "$program"
  done; done; done
}

@test "redirects a program at a fixed address, in every layout" {
  local hash code binding program
  for hash in gnu sysv both; do for code in separate joined; do for binding in now lazy; do
    program=fake-exec-$hash-$code-$binding
    armed_everywhere "$HELPERS/$program" "$program"
  done; done; done
}

@test "redirects a library that the program is linked with, in every layout" {
  local hash code library
  for hash in gnu sysv both; do for code in separate joined; do
    library=libfakenode-$hash-$code.so
    armed_everywhere "$HELPERS/linked-$hash-$code" "$library" library "$library"
  done; done
}

@test "restores the permissions of every page" {
  local program
  for program in "$HELPERS"/fake-{pie,exec}-{gnu,sysv}-{separate,joined}-now "$HELPERS/fake-many-symbols"; do
    same_permissions "$program" "$program"
  done
  for program in gnu-separate gnu-joined sysv-joined; do
    same_permissions "$HELPERS/linked-$program" "$HELPERS/libfakenode-$program.so"
  done
}

@test "redirects if the seven entries are on several pages" {
  run symbol_pages "$HELPERS/fake-many-symbols"
  assert_equal "${#lines[@]}" 7
  [[ $(getconf PAGESIZE) == 4096 ]] || skip "pages are too large here"
  assert [ "$(awk '{ print $2 }' <<<"$output" | sort -u | wc -l)" -gt 1 ]
  armed_everywhere "$HELPERS/fake-many-symbols" fake-many-symbols
}

@test "a library that is loaded only after the start is not a runtime: silent, and as without the guard" {
  local library=$HELPERS/libfakenode-gnu-separate.so
  run --separate-stderr natively "$HELPERS/plain" open "$library" lazy "$LAZY" now "$POINTERS"
  assert_success
  assert_line 'call: runtime'
  assert_line 'default: 7 in libfakenode-gnu-separate.so'
  local native=$output
  TSFN_GUARD_OPTIONS=require=1:verbosity=1 run --separate-stderr preloaded "$HELPERS/plain" open "$library" \
    lazy "$LAZY" now "$POINTERS"
  assert_success
  assert_equal "$output" "$native"
  assert_equal "$stderr" ''
}

@test "says what it redirected: the object, and the runtime's version if it can be known" {
  local prefix
  prefix=$(sed -n 's/^#define TSFN_GUARD_VERSION "\(.*\)"/tsfn-guard[PID]: tsfn-guard \1 armed:/p' \
    "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")
  export TSFN_GUARD_OPTIONS=verbosity=1
  run --separate-stderr preloaded "$HELPERS/fake-versioned"
  assert_equal "$output" main
  assert_equal "$(without_pid "$stderr")" "$prefix fakenode 12.34.56, redirected the seven functions of $HELPERS/fake-versioned"
  run --separate-stderr preloaded "$HELPERS/linked-both-joined"
  assert_equal "$output" main
  assert_equal "$(without_pid "$stderr")" \
    "$prefix runtime of unknown version, redirected the seven functions of $HELPERS/libfakenode-both-joined.so"
  # Like Bare, which has all these functions except this one.
  run --separate-stderr preloaded "$HELPERS/lacks-napi_get_node_version"
  assert_equal "$output" main
  assert_equal "$(without_pid "$stderr")" \
    "$prefix a runtime like node, redirected the seven functions of $HELPERS/lacks-napi_get_node_version"
}

@test "all seven or none: refuses a runtime that lacks one, or another function that it needs" {
  local name
  for name in {get_threadsafe_function_context,{call,acquire,release,ref,unref}_threadsafe_function} \
    get_undefined call_function throw_error get_value_string_utf8 {add,remove}_env_cleanup_hook; do
    refused "$HELPERS/lacks-napi_$name"
    assert_equal "$refusal" "tsfn-guard[PID]: not armed in $HELPERS/lacks-napi_$name: needed the functions of \
Node-API version 4 and newer, found no napi_$name; use an unmodified Node.js 12.22 or newer; it runs unguarded"
  done
}

# A runtime is recognised by this function. Older runtimes lack all seven, and there is nothing to
# report.
@test "a program that lacks napi_create_threadsafe_function is not a runtime: silent" {
  local program=$HELPERS/lacks-napi_create_threadsafe_function
  run --separate-stderr natively "$program" now "$POINTERS"
  local native=$output
  [[ $native == *'default: nothing lacks-'* ]]
  TSFN_GUARD_OPTIONS=require=1:verbosity=1 run --separate-stderr preloaded "$program" now "$POINTERS"
  assert_success
  assert_equal "$output" "$native"
  assert_equal "$stderr" ''
}

@test "all seven or none: refuses a runtime if one of them is not a plain function" {
  local kind
  for kind in object ifunc; do
    refused "$HELPERS/$kind-napi_ref_threadsafe_function"
    [[ $refusal == *', found no napi_ref_threadsafe_function; use an unmodified Node.js '* ]] || fail "$refusal"
  done
}

@test "reads back: refuses if another preloaded library comes first, in whatever order" {
  local order
  for order in "$HELPERS/libintruder.so $TG_LIB" "$TG_LIB $HELPERS/libintruder.so"; do
    LD_PRELOAD=$order run --separate-stderr timeout 20 "$HELPERS/linked-gnu-separate" lazy "$LAZY"
    assert_success
    assert_equal "$(probed)" "$(answers runtime | sed 's/^call: .*/call: intruder/')"
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == *": not armed in $HELPERS/libfakenode-gnu-separate.so: needed that dlsym finds the guard's \
functions, found another definition of napi_call_threadsafe_function in $HELPERS/libintruder.so; remove the other \
preloaded library, "*'; it runs unguarded' ]] ||
      fail "$stderr"
    TSFN_GUARD_OPTIONS=require=1 LD_PRELOAD=$order run --separate-stderr timeout 20 "$HELPERS/linked-gnu-separate"
    assert_equal "$status" 78
    assert_equal "$output" ''
    # If the main program exports the names, it is searched first, so the intruder has no effect.
    LD_PRELOAD=$order run --separate-stderr timeout 20 "$HELPERS/fake-versioned" lazy "$LAZY"
    assert_success
    assert_equal "$(probed)" "$(answers guard)"
  done
}

# If a program that is not a PIE takes the address of one of the seven, it has its own definition of
# that function.
@test "reads back: refuses if the main program, which is searched before the library, has an entry of its own" {
  run natively "$HELPERS/takes-address" now "$POINTERS"
  assert_success
  [[ $output == *' takes-address '* ]] || skip "this linker gives the program no definition of its own"
  refused "$HELPERS/takes-address"
  [[ $refusal == *", found another definition of napi_ref_threadsafe_function in $HELPERS/takes-address; "* ]] ||
    fail "$refusal"
}

@test "refuses if mprotect is refused, and leaves every page as it was" {
  local program
  for program in fake-versioned fake-exec-sysv-joined-lazy linked-gnu-separate; do
    refused "$HELPERS/deny_mprotect" any "$HELPERS/$program"
    [[ $refusal == *": needed to write to the in-memory symbol table, found that mprotect refuses it: \
Permission denied; allow it in the security policy (SELinux: execmod); it runs unguarded" ]] || fail "$refusal"
  done
  run natively "$HELPERS/fake-versioned" maps -
  local native
  native=$(segments "$HELPERS/fake-versioned" <<<"$output")
  run --separate-stderr preloaded "$HELPERS/deny_mprotect" any "$HELPERS/fake-versioned" maps -
  assert_equal "$(segments "$HELPERS/fake-versioned" <<<"$output")" "$native"
}

@test "all seven or none: undoes what it did if mprotect is refused half way" {
  # mprotect is refused on each page in turn. If this is the page of the first entry, nothing is
  # done. Otherwise, what was done is undone.
  local page pages
  pages=$(symbol_pages "$HELPERS/fake-many-symbols" | awk '{ print $2 }' | sort -u)
  [[ $(getconf PAGESIZE) == 4096 ]] || skip "pages are too large here"
  assert [ "$(wc -l <<<"$pages")" -gt 1 ]
  for page in $pages; do
    refused "$HELPERS/deny_mprotect" "$page" "$HELPERS/fake-many-symbols"
    [[ $refusal == *' mprotect refuses it: Permission denied;'* ]] || fail "$refusal"
  done
}

# Seen to fail: an eighth of the whole limit, or 4 GiB, was reserved, and below 8 GiB the guard did
# not arm.
@test "the reservation is small, with a limit on address space and without" {
  local limit
  for limit in 64 1000 4000 8000 100000 unlimited; do
    [[ $limit == unlimited ]] || limit=$((limit << 10))
    run --separate-stderr preloaded bash -c 'ulimit -v "$0"; exec "$@"' $limit "$HELPERS/fake-versioned" maps - now "$POINTERS"
    assert_success
    assert_equal "$stderr" ''
    assert_line 'default: 7 in libtsfnguard.so'
    assert_equal "$(reservations <<<"$output")" 32
  done
}

@test "refuses if there is too little address space" {
  local limit
  for limit in 20 30; do
    refused bash -c 'ulimit -v "$0"; exec "$@"' $((limit << 10)) "$HELPERS/fake-versioned"
    [[ $refusal == "tsfn-guard[PID]: not armed in $HELPERS/fake-versioned: needed 32 MiB of address space for handles"*", found "*\
"; raise the limit on virtual memory"*"(ulimit -v, RLIMIT_AS); it runs unguarded" ]] || fail "$refusal"
  done
}

@test "two copies of the library do not disturb each other" {
  cp "$TG_LIB" "$BATS_TEST_TMPDIR/copy.so"
  LD_PRELOAD="$TG_LIB $BATS_TEST_TMPDIR/copy.so" run --separate-stderr timeout 20 "$HELPERS/fake-versioned" now "$NOW"
  assert_success
  assert_equal "$(probed)" "$(answers guard)"
}
