# Shared by the Bats files about transcripts: it records everything that a run of a program shows,
# and expects that this is the same without and with the guard.

load ../helper

# Replaces what differs from process to process.
steady() {
  sed -E 's/\(node:[0-9]+\)/(node:PID)/'
}

# transcript native|guarded PROGRAM ARGS…: prints everything that a run shows. Fails if the run dies
# or hangs.
transcript() {
  local status=0
  "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  if died $status; then
    echo "$* died: $status" >&2
    return 1
  fi
  cat "$BATS_TEST_TMPDIR/out"
  echo '--- stderr'
  steady <"$BATS_TEST_TMPDIR/err"
  echo "--- exit $status"
}

# same PROGRAM ARGS…: expects the same output without and with the guard, and that it is not empty.
same() {
  transcript native "$@" >"$BATS_TEST_TMPDIR/native"
  transcript guarded "$@" >"$BATS_TEST_TMPDIR/guarded"
  run diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/guarded"
  assert_output ''
  assert [ "$(wc -l <"$BATS_TEST_TMPDIR/guarded")" -gt 2 ]
}

# same_cases PROGRAM CASE…: the same for each of these cases.
same_cases() {
  local program=$1 case
  for case in "${@:2}"; do same "$program" "$case"; done
}

# shows WORD…: expects this line in the guarded run of the last `same`. It shows that the program
# did its work.
shows() {
  run cat "$BATS_TEST_TMPDIR/guarded"
  assert_line "$*"
}

# differ PROGRAM ARGS…: expects exactly the difference on stdin, and that the guarded run exits with
# 0.
differ() {
  local expected
  expected=$(cat)
  transcript native "$@" >"$BATS_TEST_TMPDIR/native"
  transcript guarded "$@" >"$BATS_TEST_TMPDIR/guarded"
  run grep '^[<>]' <(diff "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/guarded")
  assert_output "$expected"
  shows '--- exit 0'
}
