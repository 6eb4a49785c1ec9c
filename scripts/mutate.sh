#!/usr/bin/env bash
# Puts small faults into a copy of the source, one at a time, and reports which of them the tests
# did not notice.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/mutate.sh [--list | --check] [NAME…]
       scripts/mutate.sh --random N [--seed S]

Applies the faults of test/mutations.txt (or only those that are named), builds, and
runs the tests that should notice, on one runtime (node-22, or else the last one that
is installed). Prints a line for each fault and "N passed, N failed". Passed means that
the fault was noticed, failed means that it survived. The output of the tests is in
build/mutate/NAME.log.

  --list   prints their names
  --check  only checks whether each fault can still be put into the source, and whether
           --random can still make each block of test/equivalent-mutants.txt

--random instead puts N generated faults into src/core/*.c: a relation, a condition, a sign
or a truth value is inverted, a statement or a field is dropped, a number is off by one, a
memory order is relaxed. The same seed gives the same faults (the default is 1). It runs the
unit tests of the core, under TSan if the fault is a memory order. If these notice nothing,
it runs a few Bats files on node-20. It prints each survivor as a diff, and how many there
were. The result of each fault is in build/mutate/random.txt. Faults that are marked in
test/equivalent-mutants.txt change nothing that a test could notice. They do not count as
survivors.
END
}

LIST=$ROOT/test/mutations.txt
WORK=$BUILD/mutate
TREE=$WORK/tree
BUILT=build # the build of the copy that is tested

names() { sed -n 's/^\([a-z][a-z0-9-]*\) [^ ]* [^ ]*$/\1/p' "$LIST"; }

tests_of() { sed -n "s/^$1 [^ ]* \([^ ]*\)$/\1/p" "$LIST"; }

# faults DIRECTORY [NAME]: puts the fault NAME into the source in DIRECTORY, and prints the path of
# the file. Without NAME, it only checks that each fault can be put in.
faults() {
  python3 - "$LIST" "$@" <<'END'
import sys
listing, tree, wanted = (sys.argv + [None])[1:4]
blocks = [b.splitlines() for b in open(listing).read().split("\n\n")]
stale = 0
for block in blocks:
    head = block[0].split(" ") if block else []
    if len(head) != 3 or head[0] == "#" or wanted not in (None, head[0]):
        continue
    name, path, _ = head
    old, new = (line[2:].replace("\\n", "\n") if len(line) > 2 else "" for line in block[1:3])
    text = open(f"{tree}/{path}").read()
    if text.count(old) != 1:
        print(f"mutate.sh: needed: the text of {name} once in {path}\n  found: {text.count(old)} times\n"
              f"  do: bring test/mutations.txt up to date", file=sys.stderr)
        stale += 1
    elif wanted:
        open(f"{tree}/{path}", "w").write(text.replace(old, new))
        print(path)
sys.exit(stale != 0)
END
}

mutants() { python3 "$ROOT/test/helpers/mutants.py" "$@"; }

check() {
  local failed=0
  faults "$ROOT" || failed=1
  mutants check "$ROOT" || failed=1
  return $failed
}

# noticed TESTS: whether one of them fails.
noticed() {
  local test
  for test in ${1//,/ }; do
    if [[ $test == unit ]]; then
      timeout 300 ctest --test-dir "$WORK/$BUILT" -L unit -j4 >"$LOG" 2>&1 || return 0
    else
      TG_BUILD=$WORK/$BUILT TG_SOURCE=$TREE TG_RUNTIME=$RUNTIME TG_NODE=$NODE NODE_API_HEADERS=$HEADERS \
        timeout 300 bats "$TREE/test/bats/$test.bats" >"$LOG" 2>&1 || return 0
    fi
  done
  return 1
}

# Makes the copy into which the faults are put.
prepare_tree() {
  rm -rf "$TREE"
  mkdir -p "$TREE"
  # The files get new times, because the build of the last run still contains its last fault.
  (cd "$ROOT" && tar -c --exclude=./build --exclude=./.git .) | tar -x -m -C "$TREE"
}

# configure_copy NAME CMAKE-ARGUMENT…: configures build/mutate/NAME, a build of the copy.
configure_copy() {
  local generator=()
  [[ -e $WORK/$1 ]] || ! have ninja || generator=(-G Ninja)
  cmake -S "$TREE" -B "$WORK/$1" "${generator[@]}" -DCMAKE_BUILD_TYPE=Debug "-DNODE_API_HEADERS=$HEADERS" \
    "-DNODE_ADDON_API=$DEPS/npm/addon-api/node_modules/node-addon-api" "${@:2}" >/dev/null
}

# choose_runtime NAME: chooses that runtime, or else the last one that is installed.
choose_runtime() {
  local line
  line=$("$ROOT/test/runtimes.sh" | sed -n "/^$1\t/p;\$p" | head -n 1)
  [[ -n $line ]] || die "a runtime to test on" "none" "run scripts/deps.sh runtimes"
  RUNTIME=${line%%$'\t'*} NODE=${line#*$'\t'}
}

# --- The random mode.

# The unit tests that notice most faults. The others that run the core come after them.
FIRST_TESTS=(test_bookkeeping test_events test_guard test_handle_table test_queue test_environment test_threads)

# Bats files that do not need a build of type Release.
RANDOM_BATS=runtime/probes,runtime/clean,runtime/hooks,runtime/blocked

core_tests() {
  local test
  printf '%s\n' "${FIRST_TESTS[@]}"
  for test in $(cd "$ROOT/test/unit" && grep -lE '"(guard_fixture|fake_runtime)\.h"' test_*.c); do
    [[ " ${FIRST_TESTS[*]} " == *" ${test%.c} "* ]] || echo "${test%.c}"
  done
}

# builds BUILD TARGET…
builds() { cmake --build "$WORK/$1" -j2 --target "${@:2}" >"$LOG" 2>&1; }

# unit_notices BUILD: whether a test of $core fails or hangs there. Each test is built just before
# it runs, because one of the first tests notices most faults.
unit_notices() {
  local test patience=20
  [[ $1 != *tsan ]] || patience=120
  for test in "${core[@]}"; do
    builds "$1" "$test" && timeout -k 1 $patience "$WORK/$1/test/$test" >"$LOG" 2>&1 || return 0
  done
  return 1
}

bats_notices() { BUILT=random noticed "$RANDOM_BATS"; }

# judge KIND: prints which tests notice the fault that is in the copy now (unit or bats), or broken
# if it does not compile, or survived.
judge() {
  local build=random
  [[ $1 != order ]] || build=random-tsan
  if ! builds $build "${core[0]}"; then
    echo broken
  elif unit_notices $build; then
    echo unit
  elif builds random tsfnguard && bats_notices; then
    echo bats
  else
    echo survived
  fi
}

prepare_random() {
  "$ROOT/scripts/deps.sh" test-tools
  HEADERS=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
  choose_runtime node-20
  prepare_tree
  configure_copy random
  configure_copy random-tsan -DTSFN_GUARD_SANITIZERS=thread
  quietly "a build of the copy" cmake --build "$WORK/random" -j2 --target "${core[@]}" tsfnguard test_addons
  quietly "a build of the copy with TSan" cmake --build "$WORK/random-tsan" -j2 --target "${core[@]}"
  LOG=$WORK/random.log
  if unit_notices random || unit_notices random-tsan || bats_notices; then
    die "tests that pass without a fault" "one that fails:"$'\n'"$(tail -n 30 "$LOG")" "mend it first"
  fi
}

# random COUNT SEED
random() {
  local left=$1 seed=$2 number path line kind equivalent old new fate core
  local -A fates=([unit]=0 [bats]=0 [equivalent]=0 [survived]=0)
  mapfile -t core < <(core_tests)
  prepare_random
  : >"$WORK/random.txt"
  while ((left > 0)) && IFS=$'\t' read -r number path line kind equivalent old new; do
    fate=equivalent
    if ((!equivalent)); then
      mutants apply "$ROOT" "$TREE" "$number"
      fate=$(judge "$kind")
      cp "$ROOT/$path" "$TREE/$path" # gets a new time, so it is built again
    fi
    [[ $fate != broken ]] || continue
    fates[$fate]=$((fates[$fate] + 1))
    left=$((left - 1))
    printf '%s\t%s:%d\t%s\t%s\t%s\n' "$fate" "$path" "$line" "$kind" "$old" "$new" >>"$WORK/random.txt"
    [[ $fate != survived ]] || printf 'SURVIVED  %s:%d (%s)\n- %s\n+ %s\n' "$path" "$line" "$kind" "$old" "$new"
  done < <(mutants list "$ROOT" "$seed")
  report_random $(($1 - left))
}

# report_random COUNT
report_random() {
  local thousandths=$((fates[survived] * 1000 / $1))
  printf '%d faults of seed %d: %d noticed by the unit tests, %d by Bats, %d equivalent, %d survived (%d.%d %%)\n' \
    "$1" "$seed" "${fates[unit]}" "${fates[bats]}" "${fates[equivalent]}" "${fates[survived]}" \
    $((thousandths / 10)) $((thousandths % 10))
  ((fates[survived] == 0))
}

case ${1:-} in
  -h | --help) usage; exit ;;
  --list) names; exit ;;
  --check) check; exit ;;
  --random)
    [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "how many faults" "${2:-nothing}" "give a number: --random 300" 2
    [[ ${3:---seed} == --seed && ${4:-1} =~ ^[0-9]+$ ]] || die "--seed and a number" "${*:3}" "give both, or neither" 2
    random "$2" "${4:-1}"
    exit
    ;;
esac

"$ROOT/scripts/deps.sh" test-tools
HEADERS=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
choose_runtime node-22

if (($#)); then chosen=("$@"); else mapfile -t chosen < <(names); fi
for name in "${chosen[@]}"; do
  names | grep -qx -- "$name" || die "a fault of test/mutations.txt" "$name" "see scripts/mutate.sh --list" 2
done

prepare_tree
configure_copy build
quietly "a build of the copy" cmake --build "$WORK/build" -j2

# A test that fails without a fault would seem to notice every fault.
LOG=$WORK/without.log
all=$(for name in "${chosen[@]}"; do tests_of "$name" | tr , '\n'; done | sort -u)
! noticed "$all" || die "tests that pass without a fault" "one that fails:"$'\n'"$(tail -n 30 "$LOG")" "mend it first"

passed=0 failed=0
for name in "${chosen[@]}"; do
  LOG=$WORK/$name.log
  path=$(faults "$TREE" "$name")
  tests=$(tests_of "$name")
  if ! cmake --build "$WORK/build" -j2 >"$LOG" 2>&1; then
    die "a fault that compiles" "$name does not: $(grep -m1 error "$LOG")" "mend test/mutations.txt"
  elif noticed "$tests"; then
    passed=$((passed + 1))
    echo "noticed   $name ($tests)"
  else
    failed=$((failed + 1))
    echo "SURVIVED  $name ($tests)"
  fi
  cp "$ROOT/$path" "$TREE/$path" # gets a new time, so it is built again
done
echo "$passed passed, $failed failed"
((failed == 0))
