# Tests what tsfn-guard top shows of known programs, what it prints if there is nothing to see, and
# the live view in a terminal (tmux), whose state it must restore.

bats_require_minimum_version 1.5.0
load helper

TOP=$TG_BUILD/tsfn-guard

setup() {
  TG_NODE=$("$TG_SOURCE/test/runtimes.sh" | sed -n 's/^node-22\t//p')
  TG_NODE=${TG_NODE:-$(command -v node || true)}
  [[ -n $TG_NODE ]] || skip "no node"
  watched=() options=publish=1
  tmux=(tmux -L "top$BATS_TEST_NUMBER.$$" -f /dev/null)
}

teardown() {
  local process
  for process in "${watched[@]}"; do kill -9 "$process" 2>/dev/null || true; done
  "${tmux[@]}" kill-server 2>/dev/null || true
}

# watch CASE ARGS…: starts a case of top.js, guarded, and waits until it is ready. $pid is its
# process. end_watched ends it.
watch() {
  local fifo=$BATS_TEST_TMPDIR/stdin said=$BATS_TEST_TMPDIR/said
  rm -f "$fifo" "$said"
  mkfifo "$fifo"
  LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=$options "$TG_NODE" "$PROGRAMS/top.js" "$@" \
    <"$fifo" >"$said" 2>"$BATS_TEST_TMPDIR/stderr" 3>&- &
  pid=$!
  watched+=("$pid")
  exec 8>"$fifo"
  until grep -q ready "$said"; do
    kill -0 "$pid" || fail "it has ended: $(cat "$BATS_TEST_TMPDIR/stderr")"
    sleep 0.05
  done
}

end_watched() {
  exec 8>&-
  wait "$pid"
}

# top ARGS…: runs tsfn-guard top.
top() {
  run --separate-stderr timeout -k 5 "$TG_TIMEOUT" "$TOP" top "$@"
}

# field FILTER VALUE: expects that jq's filter finds this value in the JSON.
field() {
  assert_equal "$(jq -c "$1" <<<"$output")" "$2"
}

# complains STATUS NEEDED FOUND DO
complains() {
  assert_equal "$output" ''
  assert_equal "$stderr" "tsfn-guard: needed: $2
  found: $3
  do: $4"
  assert_equal "$status" "$1"
}

@test "a known program: every figure, as JSON" {
  watch known
  top --once --json --interval 0.2 "$pid"
  assert_success
  assert_equal "$stderr" ''
  field '[.version, .type, .process, .mode, .ended]' "[1,\"top\",$pid,\"protect\",false]"
  field .runtime "\"node $("$TG_NODE" -p process.versions.node)\""
  field .handles '{"open":2,"closing":1,"closed":0,"leaked":1,"not_shown":0}'
  field .queued_items 9
  field .totals '{"created":5,"finalized":2,"calls":9,"delivered":0,"queue_full":4,"closing":1}'
  field '.per_second | add' 0
  field '.events' '[{"code":"TSG007","kind":"stale-handle","severity":"fatal-avoided","seen":3,"per_second":0}]'
  field '[.functions[] | [.name, .state, .counts, .queue, .queue_limit, .calls, .calls_per_second, .env]]' \
    '[["open","open",2,5,8,5,0,1],["closing","closing",0,3,0,3,0,1],["full","open",1,1,1,1,0,1],["finalized 2","leaked",2,0,0,0,0,1]]'
  field '[.functions[].addon] | unique' "[\"$TEST_ADDONS/script.node\"]"
  field '.functions_not_listed' 0
  end_watched
}

@test "the same as a table, for people" {
  options=mode=diagnose:publish=1:metrics_path=$BATS_TEST_TMPDIR/metrics.prom watch known
  top --once --interval 0.2 "$pid"
  assert_success
  assert_line --regexp "^tsfn-guard [0-9.]+  process $pid, node [0-9.]+, guarded for [0-9]+s, mode=diagnose$"
  assert_line 'handles  2 open, 1 closing, 0 closed, 1 leaked; 9 items queued'
  assert_line 'totals   5 created, 2 finalized, 9 calls, 0 delivered, 4 full, 1 closing'
  assert_line --regexp '^ +2 +0 +5 +8 +2 open +[0-9]+s +1 open +script.node$'
  refute_output --partial $'\033'
  end_watched
  # The observers of mode=diagnose and of the metrics have seen the same.
  run grep -E '^tsfn_guard_(created|finalized)_total' "$BATS_TEST_TMPDIR/metrics.prom"
  assert_line 'tsfn_guard_created_total{} 5'
  assert_line 'tsfn_guard_finalized_total{} 2'
}

@test "rates: of calls at a known pace, and none for a function that nobody calls" {
  watch calling
  top --once --json --interval 2 "$pid"
  field '[.functions[].name]' '["calling","idle"]'
  # 500 a second if the machine is idle; never more.
  field '.functions[0].calls_per_second | . > 50 and . < 520' true
  field '.functions[1].calls_per_second' 0
  field '(.per_second.calls - .functions[0].calls_per_second) | fabs < 0.2' true
  field '.interval_ms >= 2000' true
  end_watched
}

@test "names that would control a terminal, forge a line or break JSON" {
  watch names
  top --once --json --interval 0.1 "$pid"
  field '[.functions[].name]' '["?[31mred","two?lines","quote \" \\","grün€","??2J","x???edon.???",null]'
  top --once --interval 0.1 "$pid"
  assert_line --partial ' ?[31mred '
  assert_line --partial ' two?lines '
  assert_line --partial ' x???edon.??? '
  refute_output --partial $'\033'
  end_watched
}

@test "100,000 handles; and more than there are records for are counted" {
  watch many 100000
  top --once --json --interval 0.1 "$pid"
  field '[.handles.open, .handles.not_shown, (.functions | length), .functions_not_listed]' '[100000,0,1000,99000]'
  end_watched
}

@test "functions that come and go as fast as they can: sums that add up, while it reads" {
  watch churn
  local i moves='.per_second.created > 0 and .per_second.finalized > 0 and .per_second.calls > 0'
  for i in 1 2 3; do
    # Beside two runs of all tests the process had no processor for a whole interval.
    for _ in {1..20}; do
      top --once --json --interval 0.3 "$pid"
      ! jq -e "$moves" <<<"$output" >/dev/null || break
    done
    field "$moves" true
    # The totals are read one after the other. In between more calls may come, but no more than in a
    # second.
    field '.totals.created >= .totals.finalized and .totals.calls <= .totals.created + 2000 + .per_second.created' true
    field '[.functions[] | select(.name != "churn" or .counts > 1 or .calls > 1)]' '[]'
  done
  end_watched
}

@test "workers: one env each, which is gone when the worker has ended" {
  watch workers 5
  top --once --json --interval 0.1 "$pid"
  field '[.functions[].env] | sort' '[1,2,3,4,5]'
  field '[.functions[].name] | sort' '["worker 0","worker 1","worker 2","worker 3","worker 4"]'
  end_watched
}

# watch_to_its_end ARGS…: watches a process that is killed after the first sample. The samples are
# in $output.
watch_to_its_end() {
  local samples=$BATS_TEST_TMPDIR/samples top
  rm -f "$samples"
  watch end
  timeout -k 5 "$TG_TIMEOUT" "$TOP" top --interval 0.2 "$@" "$pid" >"$samples" 3>&- 8>&- &
  top=$!
  until [[ -s $samples ]]; do
    kill -0 "$top" || fail "top has ended"
    sleep 0.05
  done
  kill -9 "$pid"
  wait "$top"
  output=$(cat "$samples")
}

@test "a process that ends while it is watched: says so, status 0" {
  watch_to_its_end
  assert_equal "$(tail -n 1 <<<"$output")" "process $pid has ended"
  watch_to_its_end --json
  assert_equal "$(jq -c .ended <<<"$output" | sort -u)" $'false\ntrue'
}

# Seen to fail: with a schedule that made up for each missed sample (30 came at once).
@test "a stream of samples that was stopped for a while does not make up for missed samples" {
  local samples=$BATS_TEST_TMPDIR/samples top
  watch calling
  timeout -k 5 "$TG_TIMEOUT" "$TOP" top --json --interval 0.1 "$pid" >"$samples" 3>&- 8>&- &
  top=$!
  await test -s "$samples"
  kill -STOP "$(pgrep -P "$top")"
  sleep 3
  kill -CONT "$(pgrep -P "$top")"
  sleep 1
  kill "$top"
  wait "$top" || true
  assert [ "$(grep '}$' "$samples" | jq -c 'select(.interval_ms > 2000)' | wc -l)" -eq 1 ]
  assert [ "$(grep '}$' "$samples" | jq -c 'select(.interval_ms < 5)' | wc -l)" -le 5 ]
  end_watched
}

@test "arguments that are not a process id, and wrong options" {
  top abc
  complains 2 'the id of a process' abc 'give a number, as pgrep -a node prints it'
  top -1
  complains 2 'an option of tsfn-guard top' -1 'see tsfn-guard top --help'
  top 99999999999999999999
  complains 2 'the id of a process' 99999999999999999999 'give a number, as pgrep -a node prints it'
  top
  complains 2 'the id of one process' none 'run it as: tsfn-guard top PID'
  top 1 2
  complains 2 'the id of one process' 'more than one argument' 'run it as: tsfn-guard top PID'
  top --interval 0 1
  complains 2 '--interval with 0.1 to 3600 seconds' 0 'correct it'
  top --interval nan 1
  complains 2 '--interval with 0.1 to 3600 seconds' nan 'correct it'
  top --interval
  complains 2 'a value for the option' --interval 'see tsfn-guard top --help'
  top --help
  assert_success
  assert_line 'usage: tsfn-guard top [--once] [--json] [--interval SECONDS] PID'
}

publishes() { [[ $(ls -l "/proc/$1/fd") == *memfd:tsfn-guard* ]]; }
goes_on() { [[ $(screen) != *PAUSED* ]]; }

START='start it with: tsfn-guard --publish PROGRAM, or with the library in LD_PRELOAD and TSFN_GUARD_OPTIONS=publish=1'

@test "processes that cannot be watched: which one, and what to do" {
  top 4194304
  complains 1 'the id of a process that runs' 'no process 4194304' 'list the running ones: pgrep -a node'

  sleep 100 3>&- &
  watched+=($!)
  await grep -qx sleep "/proc/$!/comm"
  top $!
  complains 1 'a process that is guarded' "process $! (sleep), which has not loaded libtsfnguard.so" "$START"

  LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=publish=1 sleep 100 3>&- &
  watched+=($!)
  await grep -q libtsfnguard "/proc/$!/maps"
  top $!
  complains 1 'a process that publishes' "process $! (sleep), with publish=1, but it publishes nothing" \
    'read what it wrote to stderr when it started; in a program that is not a runtime the guard does nothing'

  options=rate=0 watch end
  top "$pid"
  complains 1 'a process that was started with publish=1' "process $pid (node), with TSFN_GUARD_OPTIONS=rate=0" "$START"
  end_watched

  watch end
  LD_PRELOAD=$TG_LIB "$TG_NODE" -e 'setTimeout(() => {}, 100000)' 3>&- 8>&- &
  watched+=($!)
  await grep -q libtsfnguard "/proc/$!/maps"
  top $!
  complains 1 'a process that was started with publish=1' "process $! (node), started without options" "$START"
  end_watched

  options='' watch end
  top "$pid"
  complains 1 'a process that was started with publish=1' "process $pid (node), with TSFN_GUARD_OPTIONS=" "$START"
  end_watched

  options=mode=off:publish=1 watch end
  top "$pid"
  complains 1 'a process that is guarded' "process $pid (node), which mode=off leaves unguarded" \
    'start it without mode=off and with publish=1'
  end_watched
}

# top_as_nobody PID: runs the command as another user, which only root can do (two_users).
top_as_nobody() {
  local command
  command=$(mktemp) # in a place where the user nobody may execute it
  cp "$TOP" "$command"
  chmod 755 "$command"
  run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$command" top --once "$1"
  rm -f "$command"
}

two_users() {
  [[ $(id -u) == 0 ]] || skip "only root can be two users"
  command -v setpriv >/dev/null || skip "needs setpriv"
}

@test "another user's process is not inspected" {
  two_users
  watch end
  top_as_nobody "$pid"
  complains 1 'a process that this user may inspect' "process $pid (node) of user 0, and this is user 65534" \
    'run it as that user, or as root'
  end_watched
}

# For the kernel both processes belong to user 65534, but neither may inspect the other.
@test "a process that has changed its user is not inspected, and the advice is not to run as that user" {
  two_users
  local said=$BATS_TEST_TMPDIR/said
  "$TG_NODE" -e 'process.setuid(65534); console.log(1); setTimeout(() => {}, 100000)' >"$said" 3>&- &
  watched+=($!)
  await test -s "$said"
  top_as_nobody "$!"
  complains 1 'a process that this user may inspect' "process ${watched[-1]} (node), which has changed its user or has more privileges than this user" \
    'run it as root, with the capability to trace it (CAP_SYS_PTRACE)'
}

@test "nothing is published and no descriptor is opened unless an option asks for it; never a file" {
  options=verbosity=0 watch end
  run ls -l "/proc/$pid/fd"
  refute_output --partial memfd
  end_watched
  watch end
  run ls -l "/proc/$pid/fd"
  assert_line --partial '/memfd:tsfn-guard (deleted)'
  assert_equal "$(find /dev/shm /tmp -maxdepth 1 -name '*tsfn-guard*' -newer "$BATS_TEST_TMPDIR/said")" ''
  end_watched
}

@test "a limit on the size of files: one line, and the program runs" {
  run --separate-stderr bash -c 'ulimit -f 1000; LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=publish=1 "$0" -p 1' "$TG_NODE"
  assert_success
  assert_equal "$output" 1
  assert_regex "$stderr" '^tsfn-guard\[[0-9]+\]: publish: needed 33 MiB of sealed shared memory that only this process writes, found File too large; tsfn-guard top will see nothing; use Linux 4.14 or newer, and allow memfd_create \(seccomp\) and files of that size \(ulimit -f, -v\)$'
}

@test "the stress test runs as usual while it publishes and is watched" {
  LD_PRELOAD=$TG_LIB TSFN_GUARD_OPTIONS=publish=1:on.warn=ignore:on.fatal-avoided=ignore:on.hang-avoided=ignore:summary=never \
    "$TG_NODE" "$PROGRAMS/stress.js" 7 6 >"$BATS_TEST_TMPDIR/said" 3>&- &
  pid=$!
  watched+=("$pid")
  await publishes "$pid"
  top --json --interval 0.1 "$pid"
  assert_success
  assert_equal "$(tail -n 1 <<<"$output" | jq .ended)" true
  wait "$pid"
  assert_regex "$(tail -n 1 "$BATS_TEST_TMPDIR/said")" '^unbalanced=0 foreign=0 disordered=0 late=0 .* lost=0 '
}

# --- The live view

# terminal COLUMNS ROWS: a shell in tmux.
terminal() {
  command -v tmux >/dev/null || skip "needs tmux"
  "${tmux[@]}" new-session -d -x "$1" -y "$2" "PS1='shell> ' TERM=screen bash --norc --noprofile" 3>&- 8>&-
  shows 'shell>'
  "${tmux[@]}" send-keys "stty -a >$BATS_TEST_TMPDIR/before" Enter
}

screen() {
  "${tmux[@]}" capture-pane -p
}

# shows TEXT: waits until the screen shows it.
shows() {
  await on_screen "$1"
}

on_screen() { [[ $(screen) == *"$1"* ]]; }

# given_back: expects the shell's screen again, with a cursor, and the terminal in its former state.
given_back() {
  shows 'status='
  assert_equal "$("${tmux[@]}" display -p '#{alternate_on} #{cursor_flag} #{wrap_flag}')" '0 1 1'
  "${tmux[@]}" send-keys "stty -a >$BATS_TEST_TMPDIR/after; echo done'='" Enter
  shows 'done='
  run diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  assert_success
}

# type_top: runs it in the terminal. The shell then prints its status.
type_top() {
  "${tmux[@]}" send-keys "$1 $TOP top --interval 0.2 $pid; echo status'='\$?" Enter
  shows 'HANDLE CALLS/S'
  assert_equal "$("${tmux[@]}" display -p '#{alternate_on} #{cursor_flag}')" '1 0'
}

@test "live: the view moves; s sorts, p pauses, h helps, q quits; the terminal is restored" {
  watch calling
  terminal 100 20
  type_top
  shows 'by calls/s'
  shows ' calling '
  local before
  before=$(screen | grep '^totals')
  sleep 1
  assert [ "$(screen | grep '^totals')" != "$before" ]
  assert_equal "$("${tmux[@]}" capture-pane -pe | grep -c $'\033\[7m')" 1
  "${tmux[@]}" send-keys s
  shows 'by queue'
  "${tmux[@]}" send-keys h
  shows 'change the sort order (now queue'
  "${tmux[@]}" send-keys h p
  shows PAUSED
  sleep 0.3 # for the rest of the screen
  before=$(screen)
  sleep 1
  assert_equal "$(screen)" "$before"
  refute [ "$(grep -c 'change the sort order' <<<"$before")" != 0 ]
  "${tmux[@]}" send-keys p
  await goes_on
  "${tmux[@]}" send-keys q
  shows 'status=0'
  given_back
  end_watched
}

# Seen to fail: at 80 columns the column ADDON was beyond the edge.
@test "live: 80 columns are enough to see the addon" {
  watch calling
  terminal 80 20
  type_top
  shows ' ADDON'
  shows ' script.node'
  "${tmux[@]}" send-keys q
  given_back
  end_watched
}

@test "live: a terminal whose size changes, down to a tiny one" {
  watch many 50
  terminal 100 20
  type_top
  shows 'and 40 more'
  "${tmux[@]}" resize-window -x 60 -y 30
  shows 'and 30 more'
  assert [ "$(screen | awk '{ if (length > most) most = length } END { print most }')" -le 60 ]
  "${tmux[@]}" resize-window -x 10 -y 3
  shows $'\nrates/s'
  "${tmux[@]}" resize-window -x 100 -y 20
  shows 'and 40 more'
  "${tmux[@]}" send-keys q
  given_back
  end_watched
}

@test "live: the terminal is restored after SIGINT, SIGTERM, SIGTSTP and the process's end" {
  watch calling
  terminal 100 24
  type_top
  "${tmux[@]}" send-keys C-c
  shows $'\nshell>' # the shell discards the rest of that line
  "${tmux[@]}" send-keys "echo status'='\$?" Enter
  shows 'status=130'
  given_back
  "${tmux[@]}" send-keys clear Enter
  type_top
  kill -TERM "$(pgrep -f "^$TOP top --interval 0.2 $pid\$")"
  shows 'status=143'
  given_back
  "${tmux[@]}" send-keys clear Enter
  type_top
  "${tmux[@]}" send-keys C-z
  shows Stopped
  assert_equal "$("${tmux[@]}" display -p '#{alternate_on} #{cursor_flag}')" '0 1'
  "${tmux[@]}" send-keys fg Enter
  shows 'HANDLE CALLS/S'
  assert_equal "$("${tmux[@]}" display -p '#{alternate_on} #{cursor_flag}')" '1 0'
  kill -9 "$pid"
  shows "process $pid has ended"
  "${tmux[@]}" send-keys "echo status'='\$?" Enter
  shows 'status=0'
  given_back
}

@test "live: no colour with NO_COLOR; no live view if TERM is dumb or stdout is a pipe" {
  watch calling
  terminal 100 20
  type_top NO_COLOR=1
  refute [ "$("${tmux[@]}" capture-pane -pe | grep -c $'\033\[')" != 0 ]
  "${tmux[@]}" send-keys q
  given_back
  "${tmux[@]}" send-keys "clear; TERM=dumb $TOP top --once --interval 0.2 $pid | cat -v" Enter
  shows ' calling '
  refute [ "$(screen | grep -c '\^\[')" != 0 ]
  end_watched
}
