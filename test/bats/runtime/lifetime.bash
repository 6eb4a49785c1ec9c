# What the lifetime tests share, on top of helper.bash.

natively_survives() {
  local status case
  while read -r status case; do
    [[ $status == 0 ]] || fail "natively, $case ended with $status"
  done < <(native_each "$TG_TIMEOUT" "$@")
}

# native_may_die PROGRAM CASE…: only prints what became of it, where chance decides.
native_may_die() {
  native_each 3 "$@" | sed "s/^/# $TG_RUNTIME natively: /" >&3
}

# transcript: what a program said, less the guard's own lines (they hold pids).
transcript() {
  grep -v '^tsfn-guard\[' <<<"$output"
}

# expect_guarded PROGRAM ARGS… <<<TRANSCRIPT: exit status 0 and exactly that. Where the transcript
# says delivered=N drained=N, chance decides how many; that none is lost is said on another line.
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

# functions COUNT / threads COUNT / threads_without_closing COUNT: the lines of a run in which all
# went well.
functions() {
  echo "functions=$1 finalized_once=$1 foreign=0 disordered=0 late=0 lost=0"
}

threads() {
  echo "threads=$1 told=$1 told_once=$1 wrong=0"
}

threads_without_closing() {
  echo "threads=$1 told=0 told_once=0 wrong=0"
}
