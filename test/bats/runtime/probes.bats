# The USDT probes fire when bpftrace asks for them, with the arguments of docs/diagnostics.md.
# Skipped if the kernel or the user's rights do not allow it, or if the library was built without
# probes. Two runtimes are enough, because the probes do not depend on the runtime.

load ../helper

setup() {
  case $TG_RUNTIME in
    node-20 | node-26) ;;
    *) skip "as on node-20 and node-26" ;;
  esac
  [[ -n $(readelf -n "$TG_LIB" | grep stapsdt) ]] || skip "the library is built without probes (no sys/sdt.h)"
  command -v bpftrace >/dev/null || skip "no bpftrace here"
  # A separate file, because a probe fires in every process that has the file.
  TG_LIB=$BATS_TEST_TMPDIR/libprobed.so
  cp "$TG_BUILD/libtsfnguard.so" "$TG_LIB"
}

teardown() {
  [[ -z ${TRACER:-} ]] || kill "$TRACER" 2>/dev/null || true
}

# trace: starts bpftrace, and waits until it has attached. Each probe prints a line. It uses no maps
# of bpftrace, because these are printed at the end only if tracefs is mounted.
trace() {
  sed "s#LIB#$TG_LIB#" >"$BATS_TEST_TMPDIR/script" <<'END'
BEGIN { printf("attached\n"); }
usdt:LIB:tsfn_guard:create { printf("create %lx limit=%d counts=%d name=%s\n", arg0, arg1, arg2, str(arg3)); }
usdt:LIB:tsfn_guard:call { printf("call %lx status=%d queue=%d\n", arg0, arg1, arg2); }
usdt:LIB:tsfn_guard:dispatch { printf("dispatch %lx queue=%d\n", arg0, arg1); }
usdt:LIB:tsfn_guard:release { printf("release %lx status=%d counts=%d\n", arg0, arg1, arg2); }
usdt:LIB:tsfn_guard:finalize { printf("finalize %lx queue=%d\n", arg0, arg1); }
usdt:LIB:tsfn_guard:misuse { printf("misuse %lx kind=%d status=%d\n", arg0, arg1, arg2); }
END
  bpftrace "$BATS_TEST_TMPDIR/script" >"$BATS_TEST_TMPDIR/trace" 2>&1 3>&- &
  TRACER=$!
  local patience
  for ((patience = 0; patience < 300; patience++)); do
    ! grep -q '^attached$' "$BATS_TEST_TMPDIR/trace" || return 0
    kill -0 "$TRACER" 2>/dev/null || break
    sleep 0.1
  done
  skip "bpftrace cannot attach here: $(tail -n 1 "$BATS_TEST_TMPDIR/trace")"
}

@test "bpftrace sees every create, call, dispatch, release, finalize and misuse of a known program" {
  trace
  TSFN_GUARD_OPTIONS=log_path=/dev/null run guarded probes.js
  assert_success
  local handle=${lines[0]} expected
  # The order of lines from several processors is not kept. A call that finds memory for its item
  # takes the fast path, which does not read the queue's length. These are all calls except the
  # first.
  expected=$(sort <<END
create $handle limit=100 counts=1 name=probed
$(for queue in 1 -1 -1 -1 -1 -1 -1 -1 -1; do echo "call $handle status=0 queue=$queue"; done)
$(for queue in 6 5 4 3 2 1 0; do echo "dispatch $handle queue=$queue"; done)
release $handle status=0 counts=0
finalize $handle queue=2
call $handle status=16 queue=0
call $handle status=1 queue=0
call $handle status=1 queue=0
misuse $handle kind=7 status=16
misuse $handle kind=7 status=1
misuse $handle kind=7 status=1
END
)
  all_traced() { (($(grep -c " $handle " "$BATS_TEST_TMPDIR/trace") >= $(wc -l <<<"$expected"))); }
  await all_traced || true
  assert_equal "$(grep " $handle " "$BATS_TEST_TMPDIR/trace" | sort)" "$expected"
}
