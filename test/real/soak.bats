# Runs real addons for a while: lmdb with more than ten thousand TSFNs a second, and a worker that
# is restarted again and again. Each runs for ten seconds. test/soak.sh sets a longer time
# (TG_SOAK_SECONDS).

load real

TG_SOAK_SECONDS=${TG_SOAK_SECONDS:-10}

# soaks PROGRAM.js <<<LINE: runs it once, guarded. Bats shows its figures with
# --show-output-of-passing-tests.
soaks() {
  local expected ok died owned other last
  expected=$(cat)
  TG_TIMEOUT=$((TG_SOAK_SECONDS + 60)) runs 1 never guarded "$1" "$TG_SOAK_SECONDS"
  cat "$BATS_TEST_TMPDIR/stderr"
  hold "$ok"
}

@test "lmdb: a TSFN a transaction, one transaction after the other" {
  needs lmdb
  soaks soak-lmdb.js <<<'wrong=0, memory flat'
}

@test "a worker with three addons is restarted all the time" {
  needs lmdb
  TG_TIMEOUT=20 natively may_die soak-restarts.js 3 <<<'all workers worked, memory flat'
  soaks soak-restarts.js <<<'all workers worked, memory flat'
}
