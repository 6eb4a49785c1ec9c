#!/usr/bin/env bash
# Runs the fuzz targets: run.sh [SECONDS] for people, run.sh --target NAME --runs N for CTest. See
# the usage below.
set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat >&2 <<'END'
usage: test/fuzz/run.sh [SECONDS]                   all targets, SECONDS in all (60); what they learn is kept in
                                                    build/release/fuzz/corpus, where the next run goes on
       test/fuzz/run.sh --target NAME --runs N      N inputs of one target from a fixed seed: repeatable

Status 1: something was found; what was tried is in build/release/fuzz/found. Status 77: no clang with libFuzzer.
END
}

TARGETS=(guard options image addon report triage)
build=${TG_BUILD:-$BUILD/release}
fuzz=$build/fuzz
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

# The longest input that makes sense, in bytes.
declare -A LONGEST=([guard]=500 [options]=2000 [image]=8192 [addon]=8192 [report]=4096 [triage]=4096)

need_targets() {
  local target
  for target in "${TARGETS[@]}"; do
    [[ -x $fuzz/fuzz_$target ]] && continue
    say "SKIPPED: fuzz_$target was not built; needed: clang with libFuzzer (Debian: clang-14 and libclang-rt-14-dev)," \
      "and CMake run again"
    exit 77
  done
}

# fuzz TARGET CORPUS OPTION…: runs the target, and adds the inputs that it learns to CORPUS.
fuzz() {
  local target=$1 corpus=$2 seeds=$here/corpus/$1
  shift 2
  [[ $target != @(image|addon) ]] || seeds=$fuzz/seeds/image
  [[ $target != triage ]] || seeds=$here/../triage
  mkdir -p "$corpus" "$fuzz/found"
  # A reader that finds nothing even in an intact image would pass with any input.
  [[ $target != @(image|addon) ]] || FUZZ_IMAGE_IS_WHOLE=1 "$fuzz/fuzz_$target" "$seeds"/* 2>/dev/null ||
    { say "fuzz_$target: the symbols of the images in $seeds are not found" && return 1; }
  say "fuzz_$target: $*"
  "$fuzz/fuzz_$target" -max_len="${LONGEST[$target]}" -len_control=0 -timeout=20 -verbosity=0 -close_fd_mask=1 \
    -artifact_prefix="$fuzz/found/$target-" "$@" "$corpus" "$seeds" && return
  say "FOUND by fuzz_$target, see above; again, step by step: FUZZ_TRACE=1 $fuzz/fuzz_$target $fuzz/found/$target-…"
  return 1
}

for_people() {
  local seconds=$1 target status=0
  [[ ! -e $build/CMakeCache.txt ]] || cmake --build "$build" --target fuzzers >&2
  need_targets
  for target in "${TARGETS[@]}"; do
    fuzz "$target" "$fuzz/corpus/$target" -max_total_time=$((seconds / ${#TARGETS[@]} + 1)) || status=1
  done
  return $status
}

for_ctest() {
  local corpus status=0
  TARGETS=("$1")
  need_targets
  corpus=$(mktemp -d)
  fuzz "$1" "$corpus" -seed=1 -runs="$2" || status=1
  rm -rf "$corpus"
  return $status
}

if [[ ${1:-} == --target && ${3:-} == --runs && -n ${LONGEST[${2:-}]:-} && ${4:-} =~ ^[0-9]+$ ]]; then
  for_ctest "$2" "$4"
elif [[ $# -le 1 && ${1:-60} =~ ^[0-9]+$ ]]; then
  for_people "$((10#${1:-60}))"
else
  usage
  [[ ${1:-} == -h || ${1:-} == --help ]] || exit 2
fi
