#!/usr/bin/env bash
# Runs the tests under all runtimes with many repetitions, again and again for a while: soak.sh [--minutes N] [--repeat N].
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minutes=0
repeat=20
while (($#)); do
  [[ ${2:-} =~ ^[0-9]+$ ]] || die "[--minutes N] [--repeat N], each N a whole number" "$*" "correct the arguments" 2
  case $1 in
    --minutes) minutes=$((10#$2)) ;;
    --repeat) repeat=$((10#$2)) ;;
    *) die "[--minutes N] [--repeat N]" "$1" "correct the arguments" 2 ;;
  esac
  shift 2
done
[[ -e $BUILD/release/CTestTestfile.cmake ]] || die "the tests, built" "none in build/release" "run scripts/test.sh first"

# Without --minutes everything runs once.
cd "$ROOT"
export TG_REPEAT=$repeat
while :; do
  ctest --preset release --output-on-failure -L runtime
  ctest --preset release --output-on-failure -R '^(arm64|conformance)$'
  "$ROOT/test/fuzz/run.sh" $((repeat * 30)) || [[ $? -eq 77 ]]
  ((SECONDS < minutes * 60)) || break
done
