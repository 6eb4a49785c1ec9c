# shellcheck shell=sh disable=SC2030,SC2031
# The emulated machine of machine.sh runs this in busybox's sh. test/bats/arm64.bats reads the
# output.

# The console is a terminal, but its output is read by a program.
export PATH=/bin TEST_ADDONS=/build/addons NO_COLOR=1
LIBRARY=/build/libtsfnguard.so
ORACLE=/build/helpers/liboracle.so

# ran NAME SECONDS COMMAND…: runs it. Prints "begin NAME" before its output, and "end NAME: status
# N" after it.
ran() {
  name=$1 seconds=$2
  shift 2
  echo "begin $name"
  timeout -s KILL "$seconds" "$@" </dev/null 2>&1
  echo "end $name: status $?" # the next line shows what takes long
  echo "at $(cut -d ' ' -f 1 /proc/uptime)"
}

# native, guarded: NAME PROGRAM.js ARGS…; watched_native, watched_guarded: the same with the oracle,
# where each use of a freed function is a fault.
native() {
  case=$1 program=/programs/$2
  shift 2
  ran "$case" 60 node "$program" "$@"
}

guarded() {
  (export LD_PRELOAD=$LIBRARY TSFN_GUARD_OPTIONS=verbosity=1 && native "$@")
}

watched_native() {
  (export LD_PRELOAD=$ORACLE && native "$@")
}

watched_guarded() {
  (export ORACLE_TELL=1 LD_PRELOAD="$LIBRARY $ORACLE" && native "$@")
}

pages=$(grep -m1 KernelPageSize /proc/self/smaps)
echo "$pages"

# Without the guard this program hangs. It must still be alive when all others have ended.
node /programs/lifetime-blocked.js abort 16 </dev/null >/tmp/hangs 2>&1 &
hangs=$!

# With larger pages only the unit tests run that depend on the size of a page.
case $pages in
  *' 4 kB') tests=$(echo /build/test/test_*) ;;
  *) tests='/build/test/test_addresses /build/test/test_image /build/test/test_publish' ;;
esac
for test in $tests; do
  case $test in
    *'*') continue ;;                         # no unit tests were built
    */test_threads) [ -e /full ] || continue ;; # takes as long here as all the others
  esac
  ran "${test##*/}" 240 "$test"
done
for n in 1 2 3; do watched_native "issue-native-$n" issue55706.js; done
for n in 1 2 3; do guarded "issue-guarded-$n" issue55706.js; done
watched_guarded issue-watched issue55706.js
watched_native worker-native lifetime-worker.js 5 4 300
watched_guarded worker-guarded lifetime-worker.js 5 4 300
guarded blocked-abort lifetime-blocked.js abort 16
guarded blocked-worker lifetime-blocked.js worker 16
guarded exit lifetime-exit.js blocked
ran doctor 120 /build/tsfn-guard doctor /bin/node

if kill -0 $hangs 2>/dev/null; then echo 'blocked-native: hangs'; else echo 'blocked-native: ended'; fi
cat /tmp/hangs
