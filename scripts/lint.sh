#!/usr/bin/env bash
# Checks the C and C++ sources with clang-format, clang-tidy and cppcheck, and checks which file
# includes which. Fails if one of these finds anything.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$ROOT/scripts/deps.sh" test-tools
cd "$ROOT"
if [[ ! -e build/release/compile_commands.json ]]; then
  headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)
  quietly "a configured build/release" configure "-DNODE_API_HEADERS=$headers"
fi
mapfile -t formatted < <(find src include test -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp')
mapfile -t sources < <(find src -name '*.c')

summary=()
failed=0
check() {
  local name=$1
  shift
  if "$@"; then summary+=("$name: clean"); else summary+=("$name: FINDINGS, see above") && failed=1; fi
}
check clang-format clang-format --dry-run -Werror "${formatted[@]}"
# Almost all of the time goes to clang's analyzer, which follows the paths of a function up to a
# number of steps. In the tier `full`, that is clang's default number. Otherwise it is a third of
# that. -Wno-ignored-…: clang does not know GCC's options for link-time optimization.
nodes=75000
[[ -z ${TG_FULL:-} ]] || nodes=225000
tidy() {
  printf '%s\0' "${sources[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-ignored-optimization-argument --extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes=$nodes} \
    -p build/release
}
check clang-tidy tidy
check cppcheck cppcheck --quiet -j "$(nproc)" --std=c11 --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
  -I src -I include src
check includes scripts/includes.py
printf '%s\n' "" "${summary[@]}"
exit $failed
