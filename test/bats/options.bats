# Tests TSFN_GUARD_OPTIONS on a fake runtime. Options that are understood are silent. Each other
# option gives one line, and the program runs all the same. test_options.c tests the values. The
# effects of deadlock= and pin= are tested in runtime/.

load helper
load fake

LAZY=$HELPERS/libcalls-lazy.so

# with OPTIONS PROGRAM ARGS…: runs it guarded, with these options.
with() {
  TSFN_GUARD_OPTIONS=$1 run --separate-stderr preloaded "${@:2}"
}

# reported OPTIONS LINES: expects exactly these lines on stderr (without the prefix), and that the
# program is guarded all the same.
reported() {
  with "$1" "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_equal "$(probed)" "$(answers guard)"
  assert_equal "$(without_reports "$stderr" | sed 's/^tsfn-guard\[PID\]: //')" "$2"
}

bad_value() {
  printf "TSFN_GUARD_OPTIONS: '%s' is not understood; needed %s; the default %s is used" "$@"
}

unknown() {
  printf "TSFN_GUARD_OPTIONS: '%s' is not an option and was ignored; the options are mode, deadlock, require, \
verbosity, pin, propagate, log_path, format, rate, suppressions, stack_depth, queue_warn, finalize_warn_ms, summary, \
exitcode, exit, dump_signal, metrics_path, publish, quirks, help, on.EVENT" "$1"
}

@test "without options, with empty ones, and with every default spelt out: silent and guarded" {
  run --separate-stderr preloaded "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_equal "$(probed)" "$(answers guard)"
  reported '' ''
  reported ':' ''
  reported ':::mode=protect::' ''
  reported mode=protect:deadlock=overflow:require=0:verbosity=0:pin=1:help=0 ''
  reported deadlock=status:pin=0 ''
  reported deadlock=hang ''
}

@test "mode=off: as without the library" {
  with mode=off "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_equal "$(probed)" "$(answers runtime)"
  assert_equal "$stderr" ''
}

@test "mode=off wins over require=1 and verbosity=1: nothing was asked for, so nothing is missing" {
  with mode=off:require=1:verbosity=1 "$HELPERS/lacks-napi_ref_threadsafe_function"
  assert_success
  assert_equal "$output" main
  assert_equal "$stderr" ''
}

@test "require=1: status 78 before main if it cannot guard, no difference if it can" {
  reported require=1 ''
  with require=1 "$HELPERS/lacks-napi_ref_threadsafe_function"
  assert_equal "$status" 78
  assert_equal "$output" ''
  assert_equal "${#stderr_lines[@]}" 1
}

@test "require=1 in a program that is not a runtime: silent, and the program runs" {
  with require=1 "$HELPERS/plain"
  assert_success
  assert_equal "$output" main
  assert_equal "$stderr" ''
}

@test "verbosity=1: one line" {
  with verbosity=1 "$HELPERS/fake-versioned"
  assert_success
  assert_equal "$output" main
  assert_equal "${#stderr_lines[@]}" 1
  assert_regex "$stderr" '^tsfn-guard\[[0-9]+\]: tsfn-guard [0-9.]+ armed: '
}

@test "help=1: every option with its values and its default, then the program runs" {
  with help=1 "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_equal "$(probed)" "$(answers guard)"
  local expected
  for expected in 'mode=protect|diagnose|off (default protect): ' 'deadlock=overflow|status|hang (default overflow): ' \
    'require=0|1 (default 0): ' 'verbosity=0|1 (default 0): ' 'pin=0|1|GLOB[,GLOB...] (default 1): ' 'help=0|1 (default 0): '; do
    assert_equal "$(grep -cF "]: $expected" <<<"$stderr")" 1
  done
  assert_equal "$(without_reports "$stderr" | wc -l)" $((22 + 8)) # the options, and the known quirks
  assert_equal "$(grep -cE ': TSG[0-9]{3} [a-z-]+ \((fatal-avoided|hang-avoided|warn|leak|info)(, mode=diagnose)?\): ' \
    <<<"$stderr")" $((32 + 7)) # the catalogue; the misuses of the probe and their summary
}

@test "an unknown key is one line" {
  reported nonsense=1 "$(unknown nonsense=1)"
  reported modes=off "$(unknown modes=off)"
  reported Mode=off "$(unknown Mode=off)"
  reported ' mode=off' "$(unknown ' mode=off')"
  reported '=off' "$(unknown '=off')"
  reported '=' "$(unknown '=')"
  reported 'a:b:' "$(unknown a)"$'\n'"$(unknown b)"
}

@test "a bad value is one line, and the default is used" {
  reported mode=on "$(bad_value mode=on 'mode=protect|diagnose|off' protect)"
  reported mode=of "$(bad_value mode=of 'mode=protect|diagnose|off' protect)"
  reported mode=offf "$(bad_value mode=offf 'mode=protect|diagnose|off' protect)"
  reported mode= "$(bad_value mode= 'mode=protect|diagnose|off' protect)"
  reported mode "$(bad_value mode 'mode=protect|diagnose|off' protect)"
  reported verbosity=2 "$(bad_value verbosity=2 'verbosity=0|1' 0)"
  reported verbosity=1=1 "$(bad_value verbosity=1=1 'verbosity=0|1' 0)"
  reported pin=yes "$(bad_value pin=yes 'pin=0|1|GLOB[,GLOB...], a GLOB with one of *?./, of 1 to 1023 bytes' 1)"
  reported deadlock=never "$(bad_value deadlock=never 'deadlock=overflow|status|hang' overflow)"
  reported mode=on:nonsense "$(bad_value mode=on 'mode=protect|diagnose|off' protect)"$'\n'"$(unknown nonsense)"
  # Seen to fail: nothing said what is wrong with it.
  reported mode=diagnose,format=json \
    "$(bad_value mode=diagnose,format=json 'mode=protect|diagnose|off' protect); options are separated by colons"
}

@test "the last value of a key counts" {
  with mode=off:mode=protect "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_equal "$(probed)" "$(answers guard)"
  with mode=protect:mode=off "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_equal "$(probed)" "$(answers runtime)"
  reported mode=off:mode=bad "$(bad_value mode=bad 'mode=protect|diagnose|off' protect)"
}

@test "control characters cannot forge a line or steer a terminal" {
  reported $'x\ntsfn-guard[1]: all is well\r\e[2J\x7f\t' \
    "$(unknown 'x?tsfn-guard[1]')"$'\n'"$(unknown ' all is well??[2J??')"
  reported $'mode=\noff' "$(bad_value 'mode=?off' 'mode=protect|diagnose|off' protect)"
}

@test "a very long text is cut off, its line is still a line, and what follows is still read" {
  local long
  long=$(printf 'x%.0s' {1..50000})
  with "$long:mode=off" "$HELPERS/fake-versioned" lazy "$LAZY"
  assert_success
  assert_equal "$(probed)" "$(answers runtime)"
  assert_equal "${#stderr_lines[@]}" 1
  assert [ "${#stderr}" -lt 1024 ]
  assert_regex "$stderr" "^tsfn-guard\[[0-9]+\]: TSFN_GUARD_OPTIONS: 'x{900,}$"
  with "$(printf 'a:%.0s' {1..500})verbosity=1" "$HELPERS/fake-versioned"
  assert_success
  assert_equal "${#stderr_lines[@]}" 501
}
