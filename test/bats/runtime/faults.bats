# Faults outside the guard: no memory, no address space, a cancelled thread, fork, signals, exit()
# from a thread, dlclose, dlopen. (mprotect refused: redirect.bats.) Seen without the guard, where
# the fault is possible there:
#
#   no memory         nothing is refused, because only the guard is refused memory
#   pthread_cancel    every runtime hangs, always (as with any four producers on a queue of two:
#                     nodejs/node#58723)
#   fork              the same as with the guard. If threads of the parent were calling at the
#                     fork, the function's lock may stay taken for ever in the child: about one
#                     of ten children that call hangs, without and with the guard. On Node 26
#                     exit() in a child hangs or faults in Node's own handlers, without and with
#                     the guard; the parent is not affected
#   SIGPROF           blocked threads: hang as without signals. A flood on an unbounded queue: the
#                     same as with the guard
#   exit() in thread  SIGSEGV
#   dlclose           SIGSEGV, in code that is no longer there
#   dlopen            SIGABRT. With mode=diagnose the guard hung while its reports asked dladdr for
#                     symbols

load ../helper

setup() {
  HELPERS=$TG_BUILD/helpers
}

# starved VARIABLE=N: runs guarded, with memory refused to libtsfnguard.so.
starved() {
  local -x "$1"
  TG_LIB="$TG_LIB $HELPERS/libstarve.so" guarded fault-memory.js
}

# A thread that tries again delivers all of its items.
all_delivered='accepted=200 delivered=200 disordered=0 finalized=1'

@test "memory refused at every allocation in turn: a status, and nothing is lost" {
  local at=0 refused=1 at_create
  while [[ $refused == 1 ]]; do
    run starved "STARVE_AT=$((++at))"
    assert_success
    assert_output --partial "$all_delivered"
    assert_output --regexp 'starve: refused ([01]) of'
    refused=${BASH_REMATCH[1]}
    # The addon is refused at most once. It is not refused if the guard can do without the memory
    # (an addon's name for messages).
    assert_output --regexp 'create: status=0 refused=([0-9]+)'
    at_create=${BASH_REMATCH[1]}
    assert_output --regexp 'finalized=1 refused=([0-9]+)'
    assert [ $((at_create + BASH_REMATCH[1])) -le "$refused" ]
  done
  assert [ "$at" -ge 8 ] # env, addon's name, table, five sizes of the queue
}

@test "memory refused every second, every third time: nothing is lost" {
  local every
  for every in 2 3; do
    run starved STARVE_EVERY=$every
    assert_success
    assert_output --partial "$all_delivered"
  done
}

@test "memory refused always: create returns napi_generic_failure" {
  run starved STARVE_EVERY=1
  assert_success
  assert_line 'create: status=9 refused=10'
}

@test "without the guard: no memory is refused" {
  LD_PRELOAD=$HELPERS/libstarve.so STARVE_EVERY=1 run native fault-memory.js
  assert_success
  assert_line 'create: status=0 refused=0'
  assert_output --partial "$all_delivered refused=0"
}

# limited GIB: runs the case of nodejs/node#55706, guarded, under a limit on address space.
limited() {
  (ulimit -v $(($1 << 20)) && guarded issue55706.js)
}

roomless() {
  LD_PRELOAD=$TG_LIB:$TG_BUILD/helpers/libnospace.so native issue55706.js
}

@test "address space for a few handles: guarded. For none: one line, and unguarded, or status 78" {
  for _ in $(seq "$(repetitions 5)"); do
    run limited 6
    assert_success
    assert_line 'threads=32 closing=32 invalid_arg=0 finalized=1'
  done
  if runtime_frees_closed; then
    one_dies roomless
  else
    run roomless
    assert_success
  fi
  assert_line --partial 'not armed in'
  TSFN_GUARD_OPTIONS=require=1 run roomless
  assert_equal "$status" 78
}

@test "a thread is cancelled while it is blocked: a hang without the guard; guarded, the others go on and nothing is lost" {
  natively_dies fault-cancel.js
  for _ in $(seq "$(repetitions 10)"); do
    run guarded fault-cancel.js
    assert_success
    assert_line 'cancelled=1'
    # 500 items of each of three threads, and the items that the cancelled thread had passed by
    # then.
    assert_output --regexp 'accepted=(150[0-9]) delivered='
    assert_line "accepted=${BASH_REMATCH[1]} delivered=${BASH_REMATCH[1]} disordered=0 finalized=1 refused=0 full=0 closing=0"
  done
}

# Seen to fail: with the guard the thread stayed asleep, and its join hung, on all runtimes. The
# objects on its stack are destroyed, so it was unwound through the guard.
@test "a producer that is blocked is cancelled and joined, and the program exits: as without the guard" {
  [[ -e $TEST_ADDONS/cancelled.node ]] || skip "the C++ addons were not built"
  for how in native guarded; do
    for type in deferred asynchronous; do
      run $how fault-cancel-blocked.js exit $type
      assert_success
      assert_output 'cancelled=true accepted=1 delivered=0 objects=0 finalized=0'
    done
    run $how fault-cancel-blocked.js exit disabled
    assert_success
    assert_output 'cancelled=true accepted=2 delivered=2 objects=0 finalized=0'
  done
}

# Without the guard the thread takes a mutex with it, and the next thread that uses the function
# waits for ever.
@test "guarded, the function of a cancelled producer still works and ends normally" {
  [[ -e $TEST_ADDONS/cancelled.node ]] || skip "the C++ addons were not built"
  for _ in $(seq "$(repetitions 3)"); do
    run guarded fault-cancel-blocked.js go-on
    assert_success
    assert_line --index 0 'cancelled=true released=0 accepted=1 delivered=1 objects=0 finalized=1'
    assert_line --index 2 'cancelled=true released=0 accepted=3 delivered=3 objects=0 finalized=3'
    run guarded fault-cancel-blocked.js worker
    assert_success
    assert_line --index 1 'exit=0 accepted=1 delivered=1 objects=0 finalized=1'
  done
}

# forked RUN HOW WAY TIMES EXPECTED: expects that all children end like this, and that the parent is
# not affected.
forked() {
  run "$1" fault-fork.js "$2" "$3" "$4"
  assert_success
  [[ -z $5 ]] || assert_line "children: $4 $5"
  assert_line 'accepted=40000 delivered=40000 disordered=0 finalized=1 refused=0 full=0 closing=0'
}

# forked_to_exit RUN HOW WAY EXPECTED: the same, if the child ends by exit().
forked_to_exit() {
  if [[ $TG_RUNTIME == node-26 ]]; then
    forked "$1" "$2" "$3" 1 ''
  else
    forked "$1" "$2" "$3" "$(repetitions 10)" "$4"
  fi
}

@test "fork without exec: children exit, the parent is not affected; also without the guard" {
  local run how
  for run in native guarded; do
    for how in idle busy; do
      forked_to_exit $run $how exit 'status 3'
      forked $run $how _exit "$(repetitions 10)" 'status 4'
    done
  done
}

@test "fork without exec: a child that calls gets napi_ok; also without the guard" {
  local run
  for run in native guarded; do
    forked $run idle call "$(repetitions 10)" 'status 50'
    forked_to_exit $run idle callAndExit 'status 50'
  done
}

@test "fork without exec: children that call a busy function do the parent no harm" {
  local run
  for run in native guarded; do
    forked $run busy call 2 ''
    echo "# $TG_RUNTIME $run: ${lines[0]}" >&3
  done
}

@test "SIGPROF storm: blocked threads; a hang without the guard" {
  natively_dies fault-signals.js '4 8 5000'
  for _ in $(seq "$(repetitions 2)"); do
    run guarded fault-signals.js 4 8 5000
    assert_success
    assert_line 'signals: more than 50'
    assert_line 'accepted=40000 delivered=40000 disordered=0 finalized=1 refused=0 full=0 closing=0'
  done
}

@test "SIGPROF storm: a flood; the same without the guard" {
  local run
  for run in native guarded; do
    run $run fault-signals.js 0 8 20000
    assert_success
    assert_line 'signals: more than 50'
    assert_line 'accepted=160000 delivered=160000 disordered=0 finalized=1 refused=0 full=0 closing=0'
  done
}

# With an exit handler that waits for every lock without a limit, about a third of these hang: the
# handler ran on the thread that held a lock. Without the guard all of them end.
@test "exit() in a signal handler in the middle of a call: the process ends, also without the guard" {
  local i
  for i in $(seq "$(repetitions 8)"); do
    TG_TIMEOUT=10 run guarded fault-signal-exit.js $((20000 + i * 137))
    assert_success
  done
  TG_TIMEOUT=10 run native fault-signal-exit.js 20000
  assert_success
}

@test "exit() from a thread while others call: a crash without the guard; guarded, all are rejected" {
  natively_dies fault-exit.js
  for _ in $(seq "$(repetitions 5)"); do
    run guarded fault-exit.js
    assert_success
    assert_output --regexp 'accepted=[0-9]+ delivered=[0-9]+ disordered=0 finalized=0 refused=0 full=0 closing=8'
  done
}

@test "dlclose of a plugin at its environment's end, with a thread in it: a crash without the guard; guarded, it stays mapped" {
  natively_dies fault-dlclose.js "$HELPERS/libplugin.so"
  for _ in $(seq "$(repetitions 2)"); do
    run guarded fault-dlclose.js "$HELPERS/libplugin.so"
    assert_success
    assert_line 'plugin: closing=1'
  done
}

@test "a constructor joins a thread whose fault is reported, while dlopen is under way" {
  natively_dies fault-dlopen.js
  for mode in protect diagnose; do
    TSFN_GUARD_OPTIONS=mode=$mode run guarded fault-dlopen.js
    assert_success
    assert_output --partial 'TSG009 null-handle'
    assert_output --partial 'loaded'
  done
}

# Seen to fail (a hang): when the first create pinned its addon, which waits for any thread in
# dlopen.
@test "an addon's first function is created while another thread is in a constructor that waits for that" {
  run native fault-first-create.js
  assert_success
  assert_output created
  run guarded fault-first-create.js
  assert_success
  assert_output created
}
