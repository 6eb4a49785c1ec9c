#!/usr/bin/env bash
# Builds the core and its unit tests with a sanitizer and runs them: sanitize.sh asan-ubsan|tsan.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

case ${1:-} in
  asan-ubsan | tsan) preset=$1 ;;
  *) die "asan-ubsan or tsan" "${1:-nothing}" "name one of the two" 2 ;;
esac

headers=${NODE_API_HEADERS:-$("$ROOT/scripts/deps.sh" headers | tail -n 1)}
cd "$ROOT"
generator=()
have ninja || generator=(-G 'Unix Makefiles')
quietly "a configured build/$preset" cmake --preset "$preset" "${generator[@]}" "-DNODE_API_HEADERS=$headers"
quietly "a built build/$preset" cmake --build --preset "$preset" --target unit_tests
exec ctest --preset "$preset" --output-on-failure -j $((2 * $(nproc))) # in half cores, see test/matrix.cmake
