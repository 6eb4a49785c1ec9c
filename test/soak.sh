#!/usr/bin/env bash
# Runs the tests for hours: long stress, millions of functions, many repetitions on every runtime,
# long fuzzing.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/soak.sh [--stress SECONDS] [--real SECONDS] [--cycles N] [--repeat N] [--fuzz SECONDS] [--minutes N]

  --stress SECONDS  how long the stress test runs on each runtime (600)
  --real SECONDS    how long each of two programs uses real addons without a break (600)
  --cycles N        how many functions each runtime makes and releases in a row (16777216, which is where the
                    smallest handle table begins to run out of generations)
  --repeat N        how much more often than in scripts/test.sh all else is repeated (5)
  --fuzz SECONDS    how long the fuzz targets run in all (600)
  --minutes N       begin again until N minutes have passed; without it one round, which takes hours

Needs what scripts/test.sh builds. Status: 1 when something failed, after the round in which it did.
END
}

stress=600 real=600 cycles=$((1 << 24)) repeat=5 fuzz=600 minutes=0
while (($#)); do
  [[ $1 != -h && $1 != --help ]] || { usage && exit 0; }
  [[ ${2:-} =~ ^[0-9]{1,9}$ ]] || die "a whole number after $1" "${2:-nothing}" "correct it, see --help" 2
  number=$((10#$2))
  ((number > 0)) || [[ $1 == --minutes ]] || die "1 or more after $1" "$2" "correct it, see --help" 2
  case $1 in
    --stress) stress=$number ;;
    --real) real=$number ;;
    --cycles) cycles=$number ;;
    --repeat) repeat=$number ;;
    --fuzz) fuzz=$number ;;
    --minutes) minutes=$number ;;
    *) die "the arguments that --help lists" "$1" "correct them" 2 ;;
  esac
  shift 2
done
[[ -e $BUILD/release/CTestTestfile.cmake ]] || die "the tests, built" "none in build/release" "run scripts/test.sh first"

cd "$ROOT"
quietly "a build of what is there now" cmake --build --preset release
export TG_STRESS_SECONDS=$stress TG_CYCLES=$cycles TG_REPEAT=$repeat
failed=0
# A test may take hours here.
run() { ctest --preset release --output-on-failure --timeout 36000 "$@"; }
while :; do
  run -L 'runtime|real' || failed=1
  # These run without a break: on a runtime that frees a closed TSFN while threads use it, and on
  # one that does not.
  TG_SOAK_SECONDS=$real run -R '^node-(20|26)/real-soak$' || failed=1
  run -R '^(arm64|conformance)$' || failed=1
  test/fuzz/run.sh "$fuzz" || [[ $? -eq 77 ]] || failed=1
  ((failed == 0 && SECONDS < minutes * 60)) || break
done
((failed == 0)) || die "no failure" "one, see above" "repeat just that test with ctest -R, TG_REPEAT=$repeat set"
