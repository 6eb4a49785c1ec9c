# What the lifetime tests share, on top of helper.bash.

natively_survives() {
  local status case
  while read -r status case; do
    [[ $status == 0 ]] || fail "natively, $case ended with $status"
  done < <(native_each "$TG_TIMEOUT" "$@")
}

# native_may_die PROGRAM CASE…: only prints the result of each case without the guard, because it is
# left to chance.
native_may_die() {
  native_each 3 "$@" | sed "s/^/# $TG_RUNTIME natively: /" >&3
}

# transcript: prints what a program has printed, without the guard's own lines, which contain pids.
transcript() {
  grep -v '^tsfn-guard\[' <<<"$output"
}

# expect_guarded PROGRAM ARGS… <<<TRANSCRIPT: runs it guarded, and expects exit status 0 and exactly
# this transcript. If it says delivered=N drained=N, these two numbers are left to chance. Another
# line of the transcript says that no item was lost.
expect_guarded() {
  local expected actual
  expected=$(cat)
  run guarded "$@"
  assert_success
  actual=$(transcript)
  if [[ $expected == *delivered=N* ]]; then
    actual=$(sed 's/^delivered=.*/delivered=N drained=N/' <<<"$actual")
  fi
  assert_equal "$actual" "$expected"
}

# functions COUNT / threads COUNT / threads_without_closing COUNT: prints the lines of a run in
# which all went well.
functions() {
  echo "functions=$1 finalized_once=$1 foreign=0 disordered=0 late=0 lost=0"
}

threads() {
  echo "threads=$1 closing=$1 closing_once=$1 wrong=0"
}

threads_without_closing() {
  echo "threads=$1 closing=0 closing_once=0 wrong=0"
}
