# The docs say what the program says: options and events, from help=1 on a real runtime, and a page for each event.

load helper

setup() {
  [[ -n $("$TG_SOURCE/scripts/runtimes.sh") ]] || skip "no runtime was fetched"
}

@test "the tables in README.md and docs/misuse are those of help=1, and every event has its page" {
  run "$TG_SOURCE/scripts/docs.sh" --check
  assert_success
  assert_output ''
}

@test "a table that is not up to date is noticed" {
  cp -r "$TG_SOURCE/scripts" "$TG_SOURCE/docs" "$TG_SOURCE/README.md" "$BATS_TEST_TMPDIR"
  sed -i 's/^| `pin=.*//' "$BATS_TEST_TMPDIR/README.md"
  TG_NODE=$("$TG_SOURCE/scripts/runtimes.sh" | sed -n '1s/.*\t//p') run "$BATS_TEST_TMPDIR/scripts/docs.sh" --check
  assert_failure 1
  assert_output --partial 'run scripts/docs.sh'
}
