# tsfn-guard PROGRAM: the program runs as without the command, but guarded. The options are the
# library's. Programs that cannot be guarded are refused.
#
# Seen to fail: "first in LD_PRELOAD" with ours appended; "not added twice" without removing copies;
# "decoy" with a bare file name in LD_PRELOAD; "quoted" with every value written unquoted;
# "set-user-ID" without the check of the owner or of no_new_privs; "what is not there" if PATH's
# first match was taken, executable or not. With the first version of the code that reads a script's
# first line: "env's own options" (four of the six refused), "CRLF", "forge no line" (a real line
# end).

bats_require_minimum_version 1.5.0
load helper
load fake

GUARD=$TG_BUILD/tsfn-guard

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  unset LD_PRELOAD TSFN_GUARD_OPTIONS
}

# script NAME LINES: makes an executable file here.
script() {
  printf '%s\n' "${@:2}" >"$1"
  chmod +x "$1"
}

# complains STATUS NEEDED FOUND DO: expects that the command has ended with this status, and has
# printed exactly this message on stderr.
complains() {
  assert_equal "$stderr" "tsfn-guard: needed: $2
  found: $3
  do: $4"
  assert_equal "$output" ''
  assert_equal "$status" "$1"
}

# refused PROGRAM NEEDED FOUND DO: expects status 126 and this message, which must also name
# --best-effort.
refused() {
  run --separate-stderr "$GUARD" "$1"
  complains 126 "$2" "$3" "$4; --best-effort runs it unguarded"
}

# environment VARIABLE OPTIONS…: puts the value that this variable has under the command into
# `output`.
environment() {
  run --separate-stderr "$GUARD" "${@:2}" -- sh -c "printf '%s\n' \"\$$1\""
  assert_success
  assert_equal "$stderr" ''
}

# --- The program runs as without the command

@test "exit status, arguments, output, standard input" {
  run --separate-stderr "$GUARD" sh -c 'cat; echo "$0|$1|$2" >&2; exit 7' zero '--mode' 'a b' < <(echo input)
  assert_equal "$status" 7
  assert_equal "$output" input
  assert_equal "$stderr" 'zero|--mode|a b'
  run "$GUARD" -- true
  assert_success
}

@test "a signal kills the program, not something in between" {
  run "$GUARD" sh -c 'kill -TERM $$'
  assert_equal "$status" 143
  run "$GUARD" sh -c 'kill -KILL $$'
  assert_equal "$status" 137
}

@test "the process number and the parent are those of the command" {
  runtime node-20
  # shellcheck disable=SC2016
  run sh -c 'echo "$$ $PPID"; exec "$@"' - "$GUARD" "$node" -p 'process.pid + " " + process.ppid'
  assert_success
  assert_equal "${#lines[@]}" 2
  assert_equal "${lines[0]}" "${lines[1]}"
}

@test "the program's own options are its own, also before --" {
  runtime node-20
  run "$GUARD" "$node" --version
  assert_output 'v20.20.2'
  run "$GUARD" "$node" --no-warnings -p '[process.execArgv, process.argv.slice(1)].join()' -- --mode off
  assert_output '--no-warnings,-p,[process.execArgv, process.argv.slice(1)].join(),--mode,off'
}

@test "the case of nodejs/node#55706 dies without the guard and ends well under the command" {
  runtime node-20
  one_dies timeout -k 5 20 "$node" "$PROGRAMS/issue55706.js"
  run timeout -k 5 20 "$GUARD" "$node" "$PROGRAMS/issue55706.js"
  assert_success
  assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
}

# --- What children inherit

@test "a script for node is guarded, and so are npm's scripts and npx" {
  local node npm
  runtime node-24.21
  npm=$(command -v npm) || skip "no npm here"
  export PATH=${node%/*}:$PATH
  export npm_config_update_notifier=false
  script app '#!/usr/bin/env node' 'console.log("app", process.pid)'
  run --separate-stderr "$GUARD" --verbosity ./app
  assert_success
  assert_equal "${stderr%%: *}" "tsfn-guard[${output#app }]"
  assert_regex "$stderr" 'armed: node 24\.21\.0'

  mkdir -p node_modules/.bin
  cp app node_modules/.bin/app
  echo '{"scripts": {"start": "app"}}' >package.json
  local arguments
  for arguments in start 'exec app'; do
    # shellcheck disable=SC2086
    run --separate-stderr "$GUARD" --verbosity "$npm" --silent $arguments
    assert_success
    assert_regex "$output" '^app [0-9]+$'
    # npm itself, and the program that it starts.
    assert_equal "$(grep -c 'armed: node ' <<<"$stderr")" 2
    assert_regex "$stderr" "tsfn-guard\[${output#app }\]: .* armed: node 24\.21\.0"
  done
  run --separate-stderr "$GUARD" --verbosity npx --no app
  assert_success
  assert_regex "$stderr" "tsfn-guard\[${output#app }\]: .* armed: node 24\.21\.0"
}

@test "env -S, and a script for a script" {
  runtime node-20
  export PATH=${node%/*}:$PATH
  script one '#!/usr/bin/env -S -u NOTHING A=b node --no-warnings' 'console.log(process.execArgv[0], process.env.A)'
  run "$GUARD" ./one
  assert_output '--no-warnings b'
  script two "#!$BATS_TEST_TMPDIR/three" 'console.log("two")'
  script three "#!$node" 'console.log("three")'
  run "$GUARD" ./two
  assert_success
  assert_output three
}

@test "env's own options, quotes and variables: what only env can read is left to env" {
  runtime node-20
  export PATH=${node%/*}:$PATH
  local line
  # shellcheck disable=SC2016
  for line in '-Snode ./one' '--split-string=node ./one' "-S 'node' --no-warnings" '-S A=${PATH} node' $'-S node\r' \
    '-S-i -u X A=b node --no-warnings'; do
    script one "#!/usr/bin/env $line" 'console.log("ran")'
    run "$GUARD" ./one
    assert_output ran
    assert_success
  done
  script one '#!/usr/bin/env -Sno-such-node'
  run --separate-stderr "$GUARD" ./one
  assert_equal "$status" 126
}

@test "yarn is guarded, and what it starts" {
  local yarn
  runtime node-24.21
  yarn=$(command -v yarn) || skip "no yarn here"
  export PATH=${node%/*}:$PATH
  echo '{"license": "MIT", "scripts": {"start": "node -p process.pid"}}' >package.json
  run --separate-stderr "$GUARD" --verbosity "$yarn" --silent start
  assert_success
  assert_equal "$(grep -c 'armed: node 24\.21\.0' <<<"$stderr")" 2
  assert_regex "$stderr" "tsfn-guard\[$output\]: "
}

@test "next is guarded" {
  local next=$TG_SOURCE/build/deps/npm/apps/node_modules/.bin/next
  runtime node-24.21
  [[ -x $next ]] || skip "no next was fetched"
  export PATH=${node%/*}:$PATH
  export NEXT_TELEMETRY_DISABLED=1
  run --separate-stderr "$GUARD" --verbosity "$next" --version
  assert_success
  assert_regex "$output" '^Next\.js v[0-9]+'
  assert_regex "$stderr" 'armed: node 24\.21\.0'
}

# --- LD_PRELOAD

@test "ours is first in LD_PRELOAD, other entries stay, in their order" {
  environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so"
  LD_PRELOAD="$HELPERS/libplugin.so:$HELPERS/libpointers.so" environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so:$HELPERS/libplugin.so:$HELPERS/libpointers.so"
  LD_PRELOAD=" $HELPERS/libplugin.so  $HELPERS/libpointers.so " environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so:$HELPERS/libplugin.so:$HELPERS/libpointers.so"
}

@test "ours is not added twice, and no other copy of it stays" {
  LD_PRELOAD=$TG_LIB environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so"
  cp "$TG_LIB" .
  LD_PRELOAD=$HELPERS/libplugin.so:$PWD/libtsfnguard.so:$TG_LIB environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so:$HELPERS/libplugin.so"
  run "$GUARD" "$GUARD" sh -c "echo \$LD_PRELOAD"
  assert_output "$TG_BUILD/libtsfnguard.so"
}

@test "a decoy in the current directory is not used" {
  printf '#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { _Exit(99); }\n' >decoy.c
  cc -shared -fPIC -o libtsfnguard.so decoy.c
  LD_PRELOAD=$PWD/libtsfnguard.so run env true
  assert_equal "$status" 99 # otherwise the test would show nothing
  environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so"
  PATH=.:$PATH environment LD_PRELOAD
  assert_output "$TG_BUILD/libtsfnguard.so"
}

@test "installed, the library is found from the command's own place, through links too" {
  local place arch
  arch=$(uname -m)-linux-gnu
  for place in bin lib/tsfn-guard "lib/$arch/tsfn-guard" lib64/tsfn-guard; do
    rm -rf prefix
    mkdir -p prefix/bin "prefix/$place"
    cp "$GUARD" prefix/bin/
    cp "$TG_LIB" "prefix/$place/"
    ln -sf "$PWD/prefix/bin/tsfn-guard" link
    run ./link sh -c "echo \$LD_PRELOAD"
    assert_output "$PWD/prefix/$place/libtsfnguard.so"
  done
}

@test "a library that is missing, unreadable, or has a space or a colon in its path" {
  mkdir bin 'a b' a:b
  cp "$GUARD" bin/
  run --separate-stderr bin/tsfn-guard true
  complains 126 'libtsfnguard.so beside this program, or in ../lib/tsfn-guard' "$PWD/bin" \
    'install the complete tsfn-guard, or build it'
  echo 'no library' >bin/libtsfnguard.so
  run --separate-stderr bin/tsfn-guard true
  complains 126 'the library' "$PWD/bin/libtsfnguard.so" 'make it readable, or install it again'
  local place
  for place in 'a b' a:b; do
    cp "$GUARD" "$TG_LIB" "$place/"
    run --separate-stderr "$place/tsfn-guard" true
    complains 126 'a library whose path has no space, colon or dollar sign, which LD_PRELOAD cannot hold' \
      "$PWD/$place/libtsfnguard.so" 'move tsfn-guard to another directory'
  done
}

# --- Options

@test "without options TSFN_GUARD_OPTIONS stays as it is" {
  run "$GUARD" sh -c "echo \${TSFN_GUARD_OPTIONS-unset}"
  assert_output unset
  TSFN_GUARD_OPTIONS=pin=0 environment TSFN_GUARD_OPTIONS
  assert_output pin=0
}

@test "every option of the library's table is one of the command's" {
  runtime node-20
  local key given=() expected='' values value
  while read -r key values; do
    case $values in
      FILE | 'stderr|FILE|fd:N') value=name ;;
      N) value=1 ;;
      *) value=${values##*|} ;;
    esac
    [[ $key != help ]] || continue
    given+=("--${key//_/-}=$value")
    expected+=:$key=$value
  done < <(TSFN_GUARD_OPTIONS=help=1:mode=off LD_PRELOAD=$TG_LIB "$node" -e 0 2>&1 |
    sed -n 's/^tsfn-guard\[[0-9]*\]: \([a-z_]*\)=\(.*\) (default .*/\1 \2/p')
  assert [ "${#given[@]}" -ge 17 ]
  environment TSFN_GUARD_OPTIONS "${given[@]}" --on leak=ignore --on=TSG007=log
  assert_output "${expected#:}:on.leak=ignore:on.TSG007=log"
  # And the library understands all of them.
  TSFN_GUARD_OPTIONS=$output LD_PRELOAD=$TG_LIB run --separate-stderr timeout 20 "$node" -e 0
  refute_regex "$stderr" 'TSFN_GUARD_OPTIONS: '
}

@test "a switch without a value is 1, and a value may be a separate argument" {
  environment TSFN_GUARD_OPTIONS --require --pin=0 --mode diagnose
  assert_output require=1:pin=0:mode=diagnose
}

@test "options of the environment are kept, and those of the command line win" {
  runtime node-20
  TSFN_GUARD_OPTIONS=mode=off:verbosity=1 run --separate-stderr "$GUARD" --mode=protect "$node" \
    -p process.env.TSFN_GUARD_OPTIONS
  assert_output mode=off:verbosity=1:mode=protect
  assert_regex "$stderr" ' armed: '
}

@test "values are quoted if TSFN_GUARD_OPTIONS needs it, and arrive as they were given" {
  runtime node-20
  environment TSFN_GUARD_OPTIONS --log-path=/a:b --metrics-path="it's:x" --suppressions "'q" --log-path=fd:2
  assert_output "log_path='/a:b':metrics_path=\"it's:x\":suppressions=\"'q\":log_path=fd:2"
  run --separate-stderr "$GUARD" --log-path="'\":" true
  complains 2 "a value without a colon, or without one of the quotes ' and \"" "log_path='\":" 'use another name'
  mkdir a:b
  run --separate-stderr "$GUARD" --mode diagnose --summary always --log-path "a:b/log" "$node" \
    "$PROGRAMS/issue55706.js"
  assert_success
  assert_regex "$(<a:b/log)" 'summary'
}

@test "a wrong value is refused in the library's words, before anything runs" {
  run --separate-stderr "$GUARD" --mode=of touch ran
  complains 2 'mode=protect|diagnose|off' mode=of 'correct it; see tsfn-guard --help'
  run --separate-stderr "$GUARD" --dump-signal 65 touch ran
  complains 2 'dump_signal=N from 0 to 64' dump_signal=65 'correct it; see tsfn-guard --help'
  run --separate-stderr "$GUARD" --log-path= touch ran
  complains 2 'log_path=stderr|FILE|fd:N of 1 to 1023 bytes' log_path= 'correct it; see tsfn-guard --help'
  run --separate-stderr "$GUARD" --pin=2 touch ran
  complains 2 'pin=0|1|GLOB[,GLOB...], a GLOB with one of *?./, of 1 to 1023 bytes' pin=2 'correct it; see tsfn-guard --help'
  local event
  for event in nothing=log leak leak=die; do
    run --separate-stderr "$GUARD" --on "$event" touch ran
    local key=${event%%=*} value=${event#*=}
    [[ $event == *=* ]] || value=
    complains 2 "on.EVENT=log|ignore|abort|stop with an event's code or name (help=1 lists them), or a severity: fatal-avoided, \
hang-avoided, warn, leak, info" "on.$key=$value" 'correct it; see tsfn-guard --help'
  done
  assert [ ! -e ran ]
}

@test "a wrong option, an option without its value, no program" {
  local remedy='see tsfn-guard --help; options of the program come after its name' option
  for option in --nonsense --version=3 -x --p=0; do
    run --separate-stderr "$GUARD" "$option" true
    complains 2 'an option of tsfn-guard' "$option" "$remedy"
  done
  run --separate-stderr "$GUARD" --mode
  complains 2 'a value after the option' --mode "$remedy"
  run --separate-stderr "$GUARD"
  complains 2 'a program to run' none 'name one: tsfn-guard node app.js; see tsfn-guard --help'
  run --separate-stderr "$GUARD" --pin=0 --
  assert_equal "$status" 2
}

# Seen to fail: "run" was taken for the name of a program that is not in PATH.
@test "run before the options and the program says the same as without it" {
  local options word
  for options in '' '--pin=0'; do
    for word in '' run; do
      # shellcheck disable=SC2086 # a word or none
      run "$GUARD" $word $options sh -c 'echo "$LD_PRELOAD $TSFN_GUARD_OPTIONS"; exit 7'
      assert_equal "$status" 7
      [[ -n $word ]] || expected=$output
      assert_output "$expected"
    done
  done
  run "$GUARD" run --help
  assert_output "$("$GUARD" --help)"
  run "$GUARD" help run
  assert_output "$("$GUARD" --help)"
  run --separate-stderr "$GUARD" run
  complains 2 'a program to run' none 'name one: tsfn-guard node app.js; see tsfn-guard --help'
}

# --- Refusals

# Seen to fail: the remedy was "check its name, or PATH".
@test "a file of this directory is named with ./" {
  echo >app.js
  run -127 --separate-stderr "$GUARD" app.js
  complains 127 'a program to run' 'app.js, which is not in PATH' 'put ./ before the name of a file in this directory'
}

@test "what is not there is 127, what may not be executed 126, as in shells" {
  run -127 --separate-stderr "$GUARD" no-such-program
  complains 127 'a program to run' 'no-such-program, which is not in PATH' 'check its name, or PATH'
  run -127 --separate-stderr "$GUARD" --best-effort ./no-such-program
  complains 127 'a program to run' './no-such-program, which does not exist' 'check its path'
  run -127 --separate-stderr "$GUARD" ''
  complains 127 'a program to run' 'an empty name, which is not in PATH' 'check its name, or PATH'
  run --separate-stderr "$GUARD" --best-effort ./
  complains 126 'a program that may be executed' './, a directory' 'name a program'
  echo >file
  run --separate-stderr "$GUARD" ./file
  complains 126 'a program that may be executed' './file, which is not executable' \
    'make it executable (chmod +x), or name its runtime before it'
  # A program that may be executed but not read is not examined.
  if ((EUID == 0)); then
    chmod 755 .
    install -m 711 "$(type -P echo)" unreadable
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$GUARD" ./unreadable said
    [[ $output == *'ermission denied'* ]] || assert_output said
  fi
  # PATH is searched to its end. The current directory is searched only if it is in PATH.
  mkdir bin other
  touch other/tool
  script bin/tool '#!/bin/sh' 'echo tool'
  PATH=$PWD/other:$PWD/bin:$PATH run "$GUARD" tool
  assert_output tool
  PATH=$PWD/other:$PATH run --separate-stderr "$GUARD" tool
  assert_equal "$status" 126
  touch only-here
  run -127 --separate-stderr "$GUARD" only-here
}

@test "a file that is neither a program nor a script" {
  script file 'echo run by sh'
  refused ./file 'a program, or a script whose first line names its runtime (#!)' './file, which is neither' \
    'name its runtime: tsfn-guard -- node FILE'
  run --separate-stderr "$GUARD" --best-effort ./file
  assert_success
  assert_output 'run by sh'
  assert_regex "$stderr" 'it is run unguarded$'
  script empty '#!'
  run "$GUARD" ./empty
  assert_failure 126
  script circle "#!$PWD/circle"
  run "$GUARD" ./circle
  assert_failure 126
}

@test "a script whose runtime is missing" {
  local remedy='install it, or name another: tsfn-guard -- RUNTIME SCRIPT' needed
  needed="the runtime that the script's first line names"
  script one '#!/usr/bin/env no-such-node'
  refused ./one "$needed" './one, which needs no-such-node: No such file or directory' "$remedy"
  script two '#!/no/such/node --flag'
  refused ./two "$needed" './two, which needs /no/such/node: No such file or directory' "$remedy"
}

@test "a script with CRLF, and names with control characters, which forge no line" {
  script crlf $'#!/usr/bin/env sh\r'
  refused ./crlf "the runtime that the script's first line names" \
    './crlf, which needs sh?: No such file or directory' "save the script with line ends that have no carriage return (LF, not CRLF)"
  run -127 --separate-stderr "$GUARD" $'x\n  do: sleep\e[2J'
  complains 127 'a program to run' 'x?  do: sleep?[2J, which is not in PATH' 'check its name, or PATH'
}

@test "a FIFO and a device are not opened" {
  mkfifo -m 755 fifo
  run --separate-stderr timeout 20 "$GUARD" --best-effort ./fifo
  complains 126 'a program that may be executed' './fifo, which is not a regular file' 'name a program'
  run --separate-stderr timeout 20 "$GUARD" /dev/zero
  complains 126 'a program that may be executed' '/dev/zero, which is not a regular file' 'name a program'
}

@test "a static program" {
  [[ -x $HELPERS/static ]] || skip "no static C library to build one with"
  refused "$HELPERS/static" 'a dynamically linked program, because the loader does the preloading' \
    "$HELPERS/static, which is linked statically" \
    'use a dynamically linked build, like the official builds of Node.js, Bun and Deno'
  run --separate-stderr "$GUARD" --best-effort "$HELPERS/static"
  assert_equal "$status $output" '3 static'
}

# Seen to fail: it was reported as a static program.
@test "the dynamic linker, which may start any program" {
  local linker
  linker=$(readelf -lW "$HELPERS/plain" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
  refused "$linker" 'a program, because the command does not look into what the dynamic linker starts' "$linker, the dynamic linker" \
    'name only the program, or set LD_PRELOAD by hand'
  run "$GUARD" --best-effort --verbosity=1 "$linker" "$HELPERS/fake-versioned"
  assert_success
  assert_line --partial "redirected the seven functions of $HELPERS/fake-versioned"
}

@test "a program for another architecture, and of another class" {
  local own other
  read -r own other < <(case $(uname -m) in x86_64) echo 'x86-64 arm64' ;; *) echo 'arm64 x86-64' ;; esac)
  cp "$HELPERS/plain" plain
  # e_machine, at offset 18: EM_AARCH64 is 183, EM_X86_64 62.
  printf "$([[ $other == arm64 ]] && echo '\xb7' || echo '\x3e')\0" | dd of=plain bs=1 seek=18 conv=notrunc status=none
  refused ./plain "a program for $own, like the library" "./plain, which is for $other" \
    'use the tsfn-guard of that architecture'
  cp "$HELPERS/plain" plain32
  printf '\1' | dd of=plain32 bs=1 seek=4 conv=notrunc status=none
  refused ./plain32 "a program for $own, like the library" './plain32, which is for a 32-bit or big-endian machine' \
    'use the tsfn-guard of that architecture'
}

@test "a program for musl is started, too" {
  [[ -x $TG_SOURCE/build/deps/musl/bun ]] || skip "no Bun on musl here; scripts/deps.sh musl-runtime fetches it"
  # This Bun is a script that starts such a program. npm.bats has a real one, where musl is
  # installed.
  run --separate-stderr "$GUARD" --verbosity "$TG_SOURCE/build/deps/musl/bun" -p 1+1
  assert_output 2
  assert_regex "$stderr" ' armed: '
}

@test "a set-user-ID and a set-group-ID program, and one with capabilities" {
  ((EUID == 0)) || skip "needs root"
  local needed='a program that gains no privileges, because for one that does the loader ignores LD_PRELOAD' remedy
  remedy='run a copy without them; for a port below 1024 give the service the ambient capability CAP_NET_BIND_SERVICE
instead'
  remedy=${remedy//$'\n'/ }
  cp "$(command -v env)" env
  chown 65534:65534 env
  chmod u+s env
  refused ./env "$needed" './env, which is set-user-ID' "$remedy"
  # The refusal is right: the loader removes LD_PRELOAD.
  LD_PRELOAD=$TG_LIB run ./env
  refute_output --partial LD_PRELOAD=
  chmod u-s,g+s env
  refused ./env "$needed" './env, which is set-group-ID' "$remedy"
  # No privileges are gained if the file belongs to this user, or if new privileges are forbidden.
  chown 0:0 env
  chmod u+s,g+s env
  run "$GUARD" ./env
  assert_output --partial "LD_PRELOAD=$TG_BUILD/libtsfnguard.so"
  chown 65534:65534 env
  chmod u+s env
  run setpriv --no-new-privs "$GUARD" ./env
  assert_success
  assert_output --partial "LD_PRELOAD=$TG_BUILD/libtsfnguard.so"
  # Root gains nothing from capabilities.
  chmod u-s env
  command -v setcap >/dev/null && setcap cap_net_bind_service=ep env || skip "setcap is missing, or may not"
  run "$GUARD" ./env
  assert_success
  chmod 755 . "$BATS_TEST_TMPDIR" env
  run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$GUARD" ./env
  [[ $stderr != *'ermission denied'* ]] || skip "nobody may not come here"
  complains 126 "$needed" './env, which has file capabilities' "$remedy; --best-effort runs it unguarded"
}

@test "damaged ELF files are refused, whatever is cut off or overwritten" {
  local size
  for size in 4 16 63 64 100 200; do
    head -c "$size" "$HELPERS/plain" >cut
    chmod +x cut
    run --separate-stderr "$GUARD" --best-effort ./cut
    complains 126 'a program' './cut, an ELF file that is damaged or is not a program' 'install it again'
  done
  cp "$HELPERS/plain" plain
  # e_phoff, e_phentsize and e_phnum: far away, too large, too many.
  local at
  for at in 32 54 56; do
    cp "$HELPERS/plain" plain
    printf '\xff\xff' | dd of=plain bs=1 seek=$at conv=notrunc status=none
    [[ $at != 32 ]] || printf '\xff\xff\xff\xff\xff\xff\xff\xff' | dd of=plain bs=1 seek=32 conv=notrunc status=none
    run --separate-stderr "$GUARD" ./plain
    complains 126 'a program' './plain, an ELF file that is damaged or is not a program' 'install it again'
  done
}

# --- --help and --version

@test "--help fits a screen of 24 lines and 80 columns, and names every option and three examples" {
  local option
  for option in --help -h; do
    run --separate-stderr "$GUARD" "$option"
    assert_success
    assert_equal "$stderr" ''
    assert [ "${#lines[@]}" -le 24 ]
    assert [ "$(wc -L <<<"$output")" -le 80 ]
    assert_equal "$(sed -n '/^examples:/,$p' <<<"$output" | grep -c '^  tsfn-guard ')" 3
  done
  while read -r option; do
    assert_output --partial " --${option//_/-}"
  done < <(sed -n 's/^| `\([a-z_]*\)=.*/\1/p' "$TG_SOURCE/README.md")
}

# Seen to fail: two swapped letters counted as two mistakes, so "tpo" was not near "top".
@test "a word that resembles a subcommand: did you mean that?" {
  local word
  for word in docter dcotor reprot repor triag statsu scna tpo explian; do
    run -127 --separate-stderr "$GUARD" "$word" x
    assert_regex "$stderr" '  do: did you mean: tsfn-guard (doctor|report|triage|status|scan|top|explain)\? Otherwise check its name, or PATH'
  done
  run -127 --separate-stderr "$GUARD" statsu
  complains 127 'a program to run' 'statsu, which is not in PATH' 'did you mean: tsfn-guard status? Otherwise check its name, or PATH'
  for word in nope nodejs2 ./docter no-such-program; do
    run -127 --separate-stderr "$GUARD" "$word"
    refute_regex "$stderr" 'did you mean'
  done
  # A program of that name is run.
  script docter '#!/bin/sh' 'echo ran'
  PATH=$PWD:$PATH run "$GUARD" docter
  assert_output ran
}

@test "help SUBCOMMAND is SUBCOMMAND --help" {
  local word plain
  for word in doctor explain report scan status top triage; do
    run --separate-stderr "$GUARD" help "$word"
    assert_success
    plain=$output
    run --separate-stderr "$GUARD" "$word" --help
    assert_equal "$output" "$plain"
    assert_regex "$plain" "^usage: tsfn-guard $word"
  done
  run --separate-stderr "$GUARD" help
  assert_success
  assert_line --partial 'usage: tsfn-guard [run] [options] [--] PROGRAM'
  run --separate-stderr "$GUARD" help nothing
  complains 2 'a subcommand of tsfn-guard' nothing 'list the subcommands: tsfn-guard --help'
  run --separate-stderr "$GUARD" help top x
  complains 2 'one subcommand' x 'run it as: tsfn-guard help SUBCOMMAND'
}

# Seen to fail: top did not accept -o, no subcommand accepted -V, and only some accepted -h.
@test "all subcommands have the same options: -h, -V, -o, and -j but for explain" {
  local word argument
  cd "$BATS_TEST_TMPDIR"
  echo 'Segmentation fault' >crash
  : >log
  for word in doctor explain report scan status triage; do
    argument=$(case $word in doctor) echo ./nothing ;; explain) echo 7 ;; report) echo log ;; triage) echo crash ;; esac)
    run --separate-stderr "$GUARD" "$word" -h
    assert_success
    assert_line --partial '-o, --output FILE'
    assert_equal "$output" "$("$GUARD" "$word" --help)"
    run --separate-stderr "$GUARD" "$word" -V
    assert_success
    assert_equal "$output" "$("$GUARD" --version)"
    # shellcheck disable=SC2086
    run --separate-stderr "$GUARD" "$word" -o "out.$word" $argument
    assert_equal "$output" ''
    [[ $word == status ]] || assert_equal "$(<"out.$word")" "$("$GUARD" "$word" $argument)"
    [[ -s out.$word ]] || fail "$word wrote nothing: $stderr"
    # shellcheck disable=SC2086
    run --separate-stderr "$GUARD" "$word" -o absent/out $argument
    complains 2 'a file that can be written, after -o' 'absent/out: No such file or directory' 'name another file'
    run --separate-stderr "$GUARD" "$word" -o
    complains 2 'a value for the option' -o "see tsfn-guard $word --help"
    [[ $word != explain ]] || continue
    # shellcheck disable=SC2086
    run --separate-stderr "$GUARD" "$word" -j $argument
    jq -e . <<<"$output" >/dev/null || fail "$word: $output"
  done
  run --separate-stderr "$GUARD" top -j
  complains 2 'the id of one process' none 'run it as: tsfn-guard top PID'
}

# Seen to fail: triage replaced a core by its answer, and scan an addon by its table.
@test "-o: an input is never overwritten" {
  local word argument
  cd "$BATS_TEST_TMPDIR"
  for word in report 'report --diff input' triage scan doctor; do
    echo precious >input
    ln -sf input output
    argument=$([[ $word == report\ * ]] && echo other || echo input)
    : >other
    # shellcheck disable=SC2086
    run --separate-stderr "$GUARD" $word -o output "$argument"
    complains 2 'a file for the output after -o' 'output, which is an input and would be lost' 'name another file'
    assert_equal "$(<input)" precious
  done
}

# Seen to fail: only report and top had colours.
@test "colours: in all subcommands on a terminal, and never elsewhere or with NO_COLOR" {
  local word argument
  cd "$BATS_TEST_TMPDIR"
  echo 'Segmentation fault' >crash
  mkdir -p app && cp "$TEST_ADDONS/script.node" app
  command -v script >/dev/null || skip "needs script(1)"
  for word in doctor explain scan triage; do
    argument=$(case $word in doctor) echo ./nothing ;; explain) echo 7 ;; scan) echo app ;; triage) echo crash ;; esac)
    run env -u NO_COLOR TERM=xterm script -qc "$GUARD $word $argument" /dev/null
    assert_output --partial $'\e['
    run env NO_COLOR=1 TERM=xterm script -qc "$GUARD $word $argument" /dev/null
    refute_output --partial $'\e['
    run env -u NO_COLOR TERM=dumb script -qc "$GUARD $word $argument" /dev/null
    refute_output --partial $'\e['
    run env -u NO_COLOR TERM=xterm "$GUARD" "$word" "$argument"
    refute_output --partial $'\e['
  done
}

@test "explain: each event's page, by its code, its number or its name; and the list" {
  local page code name
  for page in "$TG_SOURCE"/docs/misuse/TSG*.md; do
    read -r _ code name <"$page"
    run --separate-stderr "$GUARD" explain "$code"
    assert_success
    assert_equal "$output" "$(<"$page")"
    run --separate-stderr "$GUARD" explain "$name"
    assert_equal "$output" "$(<"$page")"
  done
  for name in tsg007 007 7 STALE-HANDLE; do
    run "$GUARD" explain "$name"
    assert_line --index 0 '# TSG007 stale-handle'
  done
  run "$GUARD" explain
  assert_success
  assert_equal "$output" "$(sed -sn '1s/^# //p' "$TG_SOURCE"/docs/misuse/TSG*.md)"
  for name in TSG999 TSG 0 '' stale; do
    run --separate-stderr "$GUARD" explain "$name"
    complains 2 'the code or the name of an event' "$name" 'see the list: tsfn-guard explain'
  done
}

@test "--version prints the version, and where the library is" {
  local version
  version=$(sed -n 's/^#define TSFN_GUARD_VERSION "\(.*\)"/\1/p' "$TG_SOURCE/include/tsfn_guard/tsfn_guard.h")
  run --separate-stderr "$GUARD" --version
  assert_success
  assert_equal "$output" "tsfn-guard $version
library: $TG_BUILD/libtsfnguard.so"
  cp "$GUARD" .
  run --separate-stderr ./tsfn-guard -V
  assert_failure 1
  assert_equal "$output" "tsfn-guard $version"
}

@test "output that cannot be written is an error" {
  local option
  for option in --help --version; do
    run --separate-stderr bash -c '"$0" "$1" >/dev/full' "$GUARD" "$option"
    complains 1 'to write to standard output' 'No space left on device' 'check where standard output goes'
    run --separate-stderr bash -c '"$0" "$1" >&-' "$GUARD" "$option"
    complains 1 'to write to standard output' 'Bad file descriptor' 'check where standard output goes'
  done
}

@test "closed descriptors stay closed for the program" {
  # shellcheck disable=SC2016
  run sh -c '"$0" sh -c "for fd in 0 1 2; do [ -e /proc/\$\$/fd/\$fd ] && echo \$fd; done" <&- 2>&-' "$GUARD"
  assert_output 1
}
