#!/usr/bin/env bash
# Fetches what the tests need, builds everything and runs all tests: test.sh [--label LABEL] [CTEST-ARGS…].
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

labels=()
if [[ ${1:-} == --label ]]; then
  (($# > 1)) || die "a label after --label" "nothing" "name one, as: scripts/test.sh --label unit" 2
  labels=(-L "$2")
  shift 2
elif [[ ${1:-} == -h || ${1:-} == --help ]]; then
  say "usage: scripts/test.sh [--label LABEL] [CTEST-ARGS…]"
  exit 0
fi

"$ROOT/scripts/deps.sh" test-tools
headers=$("$ROOT/scripts/deps.sh" headers | tail -n 1)

# The tests can do without these, with less tested; what is missing is listed below.
skipped=()
for name in addon-api fast-check runtimes other-runtimes musl-runtime debian-node real; do
  "$ROOT/scripts/deps.sh" "$name" || skipped+=("$name")
done

cd "$ROOT"
arguments=(-DBUILD_TESTING=ON -DTSFN_GUARD_WERROR=ON "-DNODE_API_HEADERS=$headers")
addon_api=$DEPS/npm/addon-api/node_modules/node-addon-api
[[ ! -e $addon_api/napi.h ]] || arguments+=("-DNODE_ADDON_API=$addon_api")
configure "${arguments[@]}"
cmake --build --preset release

say "runtimes the tests run under:"
"$ROOT/scripts/runtimes.sh" >&2
absent=$("$ROOT/scripts/runtimes.sh" --missing)
if [[ -n $absent || ${#skipped[@]} -gt 0 ]]; then
  say "SKIPPED, so not tested (${skipped[*]:-see below}; what failed is said above):"
  say "$absent"
fi
exec ctest --preset release --output-on-failure -j "$(nproc)" "${labels[@]}" "$@"
