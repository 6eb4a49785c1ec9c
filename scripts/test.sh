#!/usr/bin/env bash
# Fetches what the tests need, builds everything and runs the tests of a tier, see usage below.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/test.sh [--tier NAME] [--label LABEL] [CTEST-ARGS…]

  --tier NAME    quick    the unit tests, and the most important others on two runtimes: three minutes
                 default  what CI runs: every test of a promise; 20 minutes on two idle cores
                 full     every test on every runtime, with repetitions and large configurations: hours
  --label LABEL  only these of them: unit, general, runtime, real, fuzz, model, sanitizers, bench

All other arguments go to ctest, for example -R 'node-20/exit'. A single test of any tier: ctest --preset release -R NAME.
END
}

tier=default labels=()
while [[ ${1:-} == --tier || ${1:-} == --label || ${1:-} == -h || ${1:-} == --help ]]; do
  [[ $1 != -h && $1 != --help ]] || { usage && exit 0; }
  (($# > 1)) || die "a name after $1" "nothing" "name one, see scripts/test.sh --help" 2
  if [[ $1 == --label ]]; then labels=(-L "$2"); else tier=$2; fi
  shift 2
done
[[ $tier == quick || $tier == default || $tier == full ]] ||
  die "the tier quick, default or full" "$tier" "correct the name" 2

"$ROOT/scripts/deps.sh" test-tools
headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)

# Without these, the tests run, but test less. What is missing is listed below.
skipped=()
for name in addon-api fast-check runtimes node-12 other-runtimes bare musl-runtime musl-node debian-node herd7 promtool postject pkg real; do
  "$ROOT/scripts/deps.sh" "$name" || skipped+=("$name")
done

cd "$ROOT"
arguments=(-DBUILD_TESTING=ON -DTSFN_GUARD_WERROR=ON "-DNODE_API_HEADERS=$headers")
addon_api=$DEPS/npm/addon-api/node_modules/node-addon-api
[[ ! -e $addon_api/napi.h ]] || arguments+=("-DNODE_ADDON_API=$addon_api")
configure "${arguments[@]}"
cmake --build --preset release

say "runtimes the tests run under:"
"$ROOT/test/runtimes.sh" >&2
absent=$("$ROOT/test/runtimes.sh" --missing)
if [[ -n $absent || ${#skipped[@]} -gt 0 ]]; then
  say "SKIPPED, so not tested (${skipped[*]:-see below}; what failed is said above):"
  say "$absent"
fi
# test/matrix.cmake says why -j is three times the number of cores.
exec ctest --preset "$tier" --output-on-failure -j $((3 * $(nproc))) "${labels[@]}" "$@"
