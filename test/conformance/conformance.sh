#!/usr/bin/env bash
# Runs other people's Node-API tests without and with the guard. A test that passes without the
# guard must pass with it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/conformance/conformance.sh [--suite NAME]… [--runtime NAME]… [--test GLOB]… [--runs N] [--options TEXT]

  --suite NAME    node-18, node-20 or node-24: Node's own test/node-api, from Debian's source packages; without it all
  --runtime NAME  one that test/runtimes.sh lists; without it all of them
  --test GLOB     only the tests that match, as 'test_threadsafe_function/*'
  --runs N        how often each test runs natively and guarded (3)
  --options TEXT  the guard's options, as mode=diagnose:on.warn=abort

The sources are fetched to build/deps/conformance and built with cc and c++; $TG_LIB is the guard to test, without it
build/release/libtsfnguard.so. A test that passes natively in all runs must pass guarded in all runs. Status: 1 when
one does not, 3 when no source could be had.
END
}

HERE=$DEPS/conformance
LIBRARY=${TG_LIB:-$BUILD/release/libtsfnguard.so}
SECONDS_PER_TEST=120
SUITES=(node-18 node-20 node-24)

# describe SUITE: sets what depends on the suite: the Debian release that has its source, and the
# runtime whose headers it is built with.
describe() {
  case $1 in
    node-18) RELEASE=bookworm BUILT_FOR=node-18 ;;
    node-20) RELEASE=trixie BUILT_FOR=node-20 ;;
    node-24) RELEASE=forky BUILT_FOR=node-24.21 ;;
    *) die "a suite: ${SUITES[*]}" "$1" "correct the name" 2 ;;
  esac
}

# download HOME: downloads the package's original source into HOME.
download() {
  private_apt_open "$1" "deb-src [signed-by=$DEBIAN_KEYS] $(debian_mirror) $RELEASE main" &&
    private_apt "$1" source --only-source --tar-only --download-only nodejs
}

# unpack HOME TO: unpacks only what the tests need.
unpack() {
  local archives
  archives=("$1"/nodejs_*.orig.tar.*)
  tar -xf "${archives[0]}" -C "$2" --strip-components=1 --wildcards '*/test/node-api' '*/test/js-native-api/*.h' \
    '*/test/common' '*/test/fixtures'
}

# fetch SUITE: puts its source into $HERE/SUITE. Fails if it cannot get the source, with the reason
# on stderr.
fetch() {
  local to=$HERE/$1 home
  [[ ! -e $to/complete ]] || return 0
  have apt-get || { say "no apt-get here, which fetches source packages" && return 1; }
  [[ -n $(debian_mirror) ]] || { say "apt is not set up here with an archive of Debian's" && return 1; }
  (apt_need "$DEBIAN_KEYS:debian-archive-keyring") || return
  say "fetching the source of Debian's nodejs in $RELEASE"
  rm -rf "$to"
  mkdir -p "$to"
  home=$(mktemp -d)
  if download "$home" && unpack "$home" "$to"; then touch "$to/complete"; fi
  rm -rf "$home"
  [[ -e $to/complete ]]
}

runtime_path() { "$ROOT/test/runtimes.sh" | sed -n "s/^$1\t//p"; }

# build SUITE: builds all addons that can be built. If an addon cannot be built, its test fails
# without the guard too.
build() {
  local tree=$HERE/$1 node headers arguments=()
  node=$(runtime_path "$BUILT_FOR")
  [[ -n $node ]] || die "the runtime $BUILT_FOR, for its headers" "none" "run scripts/deps.sh runtimes"
  headers=$(dirname "$node")/../include/node
  find "$tree/test" -name binding.gyp -not -path '*/tpl/*' -print0 | sort -z |
    xargs -0 "$node" "$ROOT/test/conformance/targets.js" >"$tree/targets.new" ||
    die "the addons that the binding.gyp files of $1 name" "nothing, see above" "report it"
  cmp -s "$tree/targets.new" "$tree/targets.cmake" || mv "$tree/targets.new" "$tree/targets.cmake"
  # Removes a build tree that was configured from another copy of this repository, or before this
  # copy was moved.
  grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT/test/conformance\$" "$tree/build/CMakeCache.txt" ||
    rm -rf "$tree/build"
  say "building the test addons of $1"
  have ninja && arguments+=(-G Ninja)
  quietly "a configured $tree/build" cmake -S "$ROOT/test/conformance" -B "$tree/build" "-DTARGETS=$tree/targets.cmake" \
    "-DHEADERS=$headers" "${arguments[@]}"
  local keep_going=-k
  ! grep -q '^CMAKE_GENERATOR:.*Ninja' "$tree/build/CMakeCache.txt" || keep_going=-k0
  cmake --build "$tree/build" --parallel "$(nproc)" -- $keep_going >"$tree/build.log" 2>&1 </dev/null ||
    say "not all could be built, see $tree/build.log"
}

# tests SUITE: prints the paths of its tests below test/node-api: those that the suite's own runner
# would choose.
tests() {
  cd "$HERE/$1/test/node-api"
  find . -name 'test*.js' -printf '%P\n' | sort
}

# run_once NODE TEST [LIBRARY]: runs one test, with its output in $OUTPUT. Prints pass, fail (why)
# or skip (why).
run_once() {
  local node=$1 test=$2 library=${3:-} file=test/node-api/$2 command flags=() status=0 environment=(-u NODE_OPTIONS)
  read -ra flags < <(sed -n 's#^// Flags: *##p' "$file") || true
  command=("$node" "${flags[@]}" "$file")
  # Globals that are newer than the suite must not count as leaks.
  environment+=(NODE_TEST_KNOWN_GLOBALS=0 "NODE_TEST_DIR=$SCRATCH")
  [[ -z $library ]] || environment+=("LD_PRELOAD=$library" "TSFN_GUARD_OPTIONS=require=1:$OPTIONS")
  env "${environment[@]}" timeout -k 5 $SECONDS_PER_TEST "${command[@]}" >"$OUTPUT" 2>&1 </dev/null || status=$?
  if ((status == 0)) && grep -q '^1\.\.0 # Skipped' "$OUTPUT"; then
    sed -n 's/^1\.\.0 # Skipped: /skip /p' "$OUTPUT" | head -n 1
  elif ((status == 0)); then
    echo pass
  else
    echo "fail $status"
  fi
}

# passes NODE TEST [LIBRARY]: sets $PASSES to the number of the $RUNS runs that pass, and $WHY to
# the last other answer.
passes() {
  local i answer
  PASSES=0 WHY=''
  for ((i = 0; i < RUNS; i++)); do
    answer=$(run_once "$@")
    if [[ $answer == pass ]]; then
      PASSES=$((PASSES + 1))
    else
      WHY=$answer
      cp "$OUTPUT" "$OUTPUT.last"
      [[ $answer != skip* ]] || break
    fi
  done
}

# judge SUITE RUNTIME NODE TEST: runs the test without and with the guard, and prints one line of
# the table.
judge() {
  local native native_why verdict=passed
  passes "$3" "$4"
  native=$PASSES native_why=$WHY
  if [[ $native_why == skip* ]]; then
    row "$1" "$2" "$4" - - "skipped: ${native_why#skip }"
    skipped=$((skipped + 1))
    return
  fi
  passes "$3" "$4" "$LIBRARY"
  if ((native < RUNS)); then
    verdict="skipped: natively $native_why"
    ((PASSES < RUNS)) || verdict+=", guarded it passes"
    skipped=$((skipped + 1))
  elif ((PASSES < RUNS)); then
    verdict="FAILED: guarded $WHY"
    failed=$((failed + 1))
    failures+=("--- $1 $2 $4 guarded, $WHY:" "$(tail -n 30 "$OUTPUT.last")")
  else
    passed=$((passed + 1))
  fi
  row "$1" "$2" "$4" "$native/$RUNS" "$PASSES/$RUNS" "$verdict"
}

row() { printf '%-10s %-11s %-70s %-7s %-8s %s\n' "$@"; }

matches() {
  local pattern
  ((${#patterns[@]})) || return 0
  # shellcheck disable=SC2053 # these are globs
  for pattern in "${patterns[@]}"; do [[ $1 != $pattern ]] || return 0; done
  return 1
}

suites=() runtimes=() patterns=()
RUNS=3 OPTIONS=''
while (($#)); do
  [[ $1 != -h && $1 != --help ]] || { usage && exit 0; }
  (($# > 1)) || die "the arguments that --help lists" "$1" "correct them" 2
  case $1 in
    --suite) suites+=("$2") ;;
    --runtime) runtimes+=("$2") ;;
    --test) patterns+=("$2") ;;
    --runs) RUNS=$2 ;;
    --options) OPTIONS=$2 ;;
    *) die "the arguments that --help lists" "$1" "correct them" 2 ;;
  esac
  shift 2
done
[[ $RUNS =~ ^[1-9][0-9]*$ ]] || die "a whole number after --runs" "$RUNS" "correct it" 2
((${#suites[@]})) || suites=("${SUITES[@]}")
[[ -e $LIBRARY ]] || die "$LIBRARY" "nothing there" "run scripts/test.sh first, or set TG_LIB"
for suite in "${suites[@]}"; do describe "$suite"; done

if ((!${#runtimes[@]})); then
  "$ROOT/scripts/deps.sh" runtimes
  "$ROOT/scripts/deps.sh" debian-node || true
  mapfile -t runtimes < <("$ROOT/test/runtimes.sh" | cut -f 1)
fi
apt_need cc:gcc c++:g++ cmake:cmake
have ninja || have make || apt_need ninja:ninja-build

ulimit -c 0
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
OUTPUT=$SCRATCH/output
passed=0 failed=0 skipped=0 failures=() unavailable=()
row suite runtime test native guarded ''
for suite in "${suites[@]}"; do
  describe "$suite"
  if ! fetch "$suite"; then
    unavailable+=("$suite: the source of Debian's nodejs in $RELEASE cannot be had, see above")
    continue
  fi
  build "$suite"
  mapfile -t names < <(tests "$suite")
  cd "$HERE/$suite"
  for runtime in "${runtimes[@]}"; do
    node=$(runtime_path "$runtime")
    [[ -n $node ]] || die "the runtime $runtime" "none" "test/runtimes.sh lists those there are"
    for name in "${names[@]}"; do
      ! matches "$name" || judge "$suite" "$runtime" "$node" "$name"
    done
  done
done

((!${#failures[@]})) || printf '%s\n' '' "${failures[@]}"
((!${#unavailable[@]})) || printf 'SKIPPED: %s\n' "${unavailable[@]}"
printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
((failed == 0)) || exit 1
((${#unavailable[@]} < ${#suites[@]})) || exit 3
((passed > 0)) || die "at least one test that passes natively" "none" "look at the table, and at --test"
