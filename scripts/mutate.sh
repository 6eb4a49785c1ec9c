#!/usr/bin/env bash
# Puts small named faults into a copy of the source, one at a time, and tells which of them the tests did not notice.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/mutate.sh [--list | --check] [NAME…]

Applies the faults of test/mutations.txt (or only those named), builds, and runs the
tests that should notice, on one runtime (node-22, or the first there is). Prints a
line a fault and "N passed, N failed": passed is noticed, failed is survived.
What the tests said of each is in build/mutate/NAME.log.

  --list   prints their names
  --check  only tells whether each can still be put into the source
END
}

LIST=$ROOT/test/mutations.txt
WORK=$BUILD/mutate
TREE=$WORK/tree

names() { sed -n 's/^\([a-z][a-z0-9-]*\) [^ ]* [^ ]*$/\1/p' "$LIST"; }

tests_of() { sed -n "s/^$1 [^ ]* \([^ ]*\)$/\1/p" "$LIST"; }

# apply NAME: changes the copy; prints the file.
apply() {
  python3 - "$LIST" "$TREE" "$1" <<'END'
import sys
listing, tree, wanted = sys.argv[1:]
blocks = [b.splitlines() for b in open(listing).read().split("\n\n")]
block = next(b for b in blocks if b and b[0].split(" ")[0] == wanted)
_, path, _ = block[0].split(" ")
old, new = (line[2:].replace("\\n", "\n") if len(line) > 2 else "" for line in block[1:3])
text = open(f"{tree}/{path}").read()
if text.count(old) != 1:
    sys.exit(f"mutate.sh: needed: the text of {wanted} once in {path}\n  found: {text.count(old)} times\n"
             f"  do: bring test/mutations.txt up to date")
open(f"{tree}/{path}", "w").write(text.replace(old, new))
print(path)
END
}

check() {
  local name path failed=0
  TREE=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$TREE'" EXIT
  cp -r "$ROOT/src" "$TREE/"
  for name in $(names); do
    if path=$(apply "$name"); then cp "$ROOT/$path" "$TREE/$path"; else failed=1; fi
  done
  return $failed
}

# noticed TESTS: whether one of them fails.
noticed() {
  local test
  for test in ${1//,/ }; do
    if [[ $test == unit ]]; then
      timeout 300 ctest --test-dir "$WORK/build" -L unit -j2 >"$LOG" 2>&1 || return 0
    else
      TG_BUILD=$WORK/build TG_SOURCE=$TREE TG_RUNTIME=$RUNTIME TG_NODE=$NODE NODE_API_HEADERS=$HEADERS \
        timeout 300 bats "$TREE/test/bats/$test.bats" >"$LOG" 2>&1 || return 0
    fi
  done
  return 1
}

case ${1:-} in
  -h | --help) usage; exit ;;
  --list) names; exit ;;
  --check) check; exit ;;
esac

"$ROOT/scripts/deps.sh" test-tools
HEADERS=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
line=$("$ROOT/test/runtimes.sh" | sed -n '/^node-22/p;$p' | head -n 1)
[[ -n $line ]] || die "a runtime to test on" "none" "run scripts/deps.sh runtimes"
RUNTIME=${line%%$'\t'*} NODE=${line#*$'\t'}

if (($#)); then chosen=("$@"); else mapfile -t chosen < <(names); fi
for name in "${chosen[@]}"; do
  names | grep -qx -- "$name" || die "a fault of test/mutations.txt" "$name" "see scripts/mutate.sh --list" 2
done

rm -rf "$TREE"
mkdir -p "$TREE"
# With new times: what the last run has left was built from its last fault.
(cd "$ROOT" && tar -c --exclude=./build --exclude=./.git .) | tar -x -m -C "$TREE"
cmake -S "$TREE" -B "$WORK/build" -DCMAKE_BUILD_TYPE=Debug "-DNODE_API_HEADERS=$HEADERS" \
  "-DNODE_ADDON_API=$DEPS/npm/addon-api/node_modules/node-addon-api" >/dev/null
quietly "a build of the copy" cmake --build "$WORK/build" -j2

# A test that fails without a fault notices everything.
LOG=$WORK/without.log
all=$(for name in "${chosen[@]}"; do tests_of "$name" | tr , '\n'; done | sort -u)
! noticed "$all" || die "tests that pass without a fault" "one that fails:"$'\n'"$(tail -n 30 "$LOG")" "mend it first"

passed=0 failed=0
for name in "${chosen[@]}"; do
  LOG=$WORK/$name.log
  path=$(apply "$name")
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
  cp "$ROOT/$path" "$TREE/$path" # with a new time, so that it is built again
done
echo "$passed passed, $failed failed"
((failed == 0))
