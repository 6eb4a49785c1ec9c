# Tests scripts/try-electron.sh, which people with an Electron run. The Electron here is made of
# node (programs/fake-electron.js), so these tests check the logic of the script, not Electron. Only
# the last test uses a real Electron, if one was fetched.
#
# Seen to fail: "a real one", while the script did not put its application into a packaged Electron
# (the window never appeared); "armed", with LD_PRELOAD left out in `with`; "not armed", with the
# script's search for the line left out; "binary", with binary_of printing its argument.

bats_require_minimum_version 1.5.0
load helper

TRY=$TG_SOURCE/scripts/try-electron.sh

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  unset DISPLAY WAYLAND_DISPLAY ELECTRON_RUN_AS_NODE
}

# electron FILE NODE: writes a fake Electron that runs this node.
electron() {
  mkdir -p "$(dirname "$1")"
  cat >"$1" <<END
#!/bin/bash
if [[ \${ELECTRON_RUN_AS_NODE:-} == 1 || \$1 == --version ]]; then
  exec "$2" -r "$PROGRAMS/fake-electron.js" "\$@"
fi
while [[ \${1:-} == --* ]]; do shift; done
exec "$2" -r "$PROGRAMS/fake-electron.js" "\${1:?no application}/main.js"
END
  chmod +x "$1"
}

# try ARGS…: runs the script with the library of this build. Its output is in `lines`.
try() {
  run --separate-stderr timeout -k 5 300 "$TRY" "$@"
}

@test "armed: it counts what ends well, without the guard and with it, and writes the report" {
  runtime node-20
  electron bin/electron "$node"
  try bin/electron
  assert_success
  assert_line --index 0 --regexp "^the guard is armed: node 20\.20\.2, redirected the seven functions of "
  assert_line --index 1 --regexp '^the case of nodejs/node#55706: ended well without the guard [0-5] of 5, with it 5 of 5$'
  assert_line --index 2 --regexp '^a window that is reloaded 10 times: ended well without the guard [01] of 1, with it 1 of 1$'
  assert_equal "$(tail -n 3 electron-report.txt)" "$output"
  run cat electron-report.txt
  assert_line --regexp '^\{.*"electron":"40\.1\.0"'
  assert_line --partial 'ok    redirect: the seven functions lead to the guard'
  assert_line '    window: reloaded 10 times'
  assert_line --regexp '^    the guard reported TSG0[0-9]+ [a-z-]+$'
}

@test "a window whose process dies is reported" {
  runtime node-20
  electron electron "$node"
  FAKE_CRASH=3 try ./electron
  assert_success
  assert_line --index 2 'a window that is reloaded 10 times: ended well without the guard 0 of 1, with it 0 of 1'
  run cat electron-report.txt
  assert_line --regexp '^    window: its process is gone after [12] loads: crashed, exit code SIG(SEGV|ABRT)$'
  assert_line '    window: its process is gone after 2 loads: crashed, exit code SIGSEGV'
}

@test "not armed: it says why" {
  runtime node-20
  electron electron "$node"
  sed -i "2i export LD_PRELOAD=\${LD_PRELOAD:+\$LD_PRELOAD:$TG_BUILD/helpers/libnospace.so}" electron
  try -o other.txt ./electron
  assert_success
  assert_line --index 0 --regexp '^the guard is not armed in .*: needed 32 MiB of address space'
  assert [ -s other.txt ]
  rm electron
  electron electron "$node"
  sed -i '2i unset LD_PRELOAD' electron
  try ./electron
  assert_line --index 0 "the guard is it says nothing: the library was not loaded, or Electron is no runtime"
}

@test "binary: it takes the one that npm's package names, and prefers node_modules to PATH" {
  runtime node-26
  electron node_modules/electron/dist/the-binary "$node"
  printf the-binary >node_modules/electron/path.txt
  printf '#!/usr/bin/env node\n' >node_modules/electron/cli.js
  chmod +x node_modules/electron/cli.js
  mkdir node_modules/.bin
  ln -s ../electron/cli.js node_modules/.bin/electron
  try
  assert_success
  [[ $stderr == *"trying $PWD/node_modules/electron/dist/the-binary;"* ]]
}

@test "wrong arguments and no Electron: says what was needed, what was found, what to do" {
  try one two
  assert_equal "$status" 2
  PATH=/usr/bin:/bin try ./none
  assert_failure 1
  assert_equal "$stderr" $'try-electron.sh: needed: an Electron that can be run\n  found: none: ./none\n  do: name its binary: scripts/try-electron.sh PATH'
}

@test "a real one, 25.1.1, as Node and with a window that is reloaded: dies without the guard, and not with it" {
  local electron=$TG_SOURCE/build/deps/electron/electron
  [[ -x $electron ]] || skip "no Electron here; scripts/deps.sh electron fetches it"
  type xvfb-run >/dev/null || skip "no xvfb-run here; scripts/deps.sh electron installs it"
  try "$electron"
  assert_success
  assert_line --index 0 --regexp '^the guard is armed: .*, redirected the seven functions of .*/electron$'
  assert_line --index 1 --regexp '^the case of nodejs/node#55706: ended well without the guard [0-4] of 5, with it 5 of 5$'
  assert_line --index 2 'a window that is reloaded 10 times: ended well without the guard 0 of 1, with it 1 of 1'
  run cat electron-report.txt
  assert_line 'ok    runtime: electron 25.1.1'
  assert_line --partial 'ok    redirect: the seven functions lead to the guard'
  assert_line --regexp '^    window: its process is gone after [0-9]+ loads: crashed, exit code (6|11)$'
  assert_line '    window: reloaded 10 times'
}
