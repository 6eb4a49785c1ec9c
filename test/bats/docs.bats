# Checks that the docs agree with the output of help=1 on a real runtime (options and events), that
# each event has a page, and that all links have a target.

load helper

setup() {
  [[ -n $("$TG_SOURCE/test/runtimes.sh") ]] || skip "no runtime was fetched"
}

@test "the docs, the manual page and the completion say what help=1 says, and every event has its page" {
  run "$TG_SOURCE/scripts/docs.sh" --check
  assert_success
  assert_output ''
}

# stale FILE PATTERN: deletes the matching lines from a copy of this file, and expects that docs.sh
# --check notices it.
stale() {
  local tree=$BATS_TEST_TMPDIR/${1//\//-}
  mkdir -p "$tree/src/command"
  cp -r "$TG_SOURCE/scripts" "$TG_SOURCE/docs" "$tree"
  cp "$TG_SOURCE"/src/command/completion.* "$tree/src/command"
  sed -i "/$2/d" "$tree/$1"
  TG_NODE=$("$TG_SOURCE/test/runtimes.sh" | sed -n '1s/.*\t//p') run "$tree/scripts/docs.sh" --check
  assert_failure 1
  assert_output --partial "something else in $tree/$1"
  assert_output --partial 'run scripts/docs.sh'
}

@test "a page that is not up to date is noticed" {
  stale docs/options.md '^| `pin='
  stale docs/misuse/README.md '^| .TSG009'
  stale docs/tsfn-guard.1 '^\.It Fl ..rate'
  stale src/command/completion.bash "^  '--pin"
  stale src/command/completion.bash '^  TSG009'
  stale src/command/completion.zsh "^  'report --html"
  stale src/command/completion.fish '^scan which'
}

@test "a link that leads nowhere is noticed, and a page that nothing leads to" {
  cp -r "$TG_SOURCE/docs" "$TG_SOURCE/README.md" "$BATS_TEST_TMPDIR"
  cd "$BATS_TEST_TMPDIR"
  echo '[a](docs/none.md) [b](docs/design.md#none) ![c](none.png) [d](htps://x) `[e](none)`' >>README.md
  echo 'alone' >docs/alone.md
  run "$TG_SOURCE/test/docs/check_links.py" "$BATS_TEST_TMPDIR"
  assert_failure 1
  assert_line --regexp '^README.md:[0-9]+: docs/none.md: there is no such file'
  assert_line --regexp '^README.md:[0-9]+: docs/design.md#none: there is no such heading'
  assert_line --regexp '^README.md:[0-9]+: none.png: there is no such file'
  assert_line --regexp '^README.md:[0-9]+: htps://x: needed an address'
  assert_line 'docs/alone.md: no links lead here from README.md'
  refute_line --partial ': none: '
}

# block FILE LANGUAGE PATTERN: prints the first code block in that language whose text matches.
block() {
  awk -v language="$2" -v pattern="$3" '
    $0 == "```" language { inside = 1; text = ""; next }
    inside && $0 == "```" { inside = 0; if (text ~ pattern) { printf "%s", text; exit } }
    inside { text = text $0 "\n" }' "$1"
}

@test "the drop-in of docs/operations.md: systemd takes it, and the guard gets what it means" {
  command -v systemd-analyze >/dev/null || skip "no systemd-analyze here"
  local units=$BATS_TEST_TMPDIR/units
  mkdir -p "$units/myapp.service.d"
  printf '[Service]\nExecStart=/bin/true\nMemoryDenyWriteExecute=yes\nProtectSystem=strict\n' >"$units/myapp.service"
  block "$TG_SOURCE/docs/operations.md" ini myapp.service.d >"$units/myapp.service.d/tsfn-guard.conf"
  assert grep -q '^Environment=LD_PRELOAD=/usr/lib/tsfn-guard/libtsfnguard.so$' "$units/myapp.service.d/tsfn-guard.conf"
  SYSTEMD_UNIT_PATH=$units: run systemd-analyze verify --recursive-errors=no "$units/myapp.service"
  assert_success
  refute_output --partial tsfn-guard.conf
  # Otherwise systemd-analyze would not have read the drop-in.
  echo 'Environment2=x' >>"$units/myapp.service.d/tsfn-guard.conf"
  SYSTEMD_UNIT_PATH=$units: run systemd-analyze verify --recursive-errors=no "$units/myapp.service"
  assert_output --partial tsfn-guard.conf
}
