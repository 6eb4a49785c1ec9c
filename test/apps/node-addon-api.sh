# shellcheck shell=bash
# The tests of node-addon-api 7.1.0: thread-safe functions, asynchronous workers, and nearly all others.

TESTS=$MODULES/../../addon-api-tests/node_modules
export NODE_PATH=$TESTS
cp -r "$TESTS/koffi/vendor/node-addon-api/." .
# Of four bindings with the same functions, which differ in compiler options, only one is built,
# because that takes long enough. addon_build is removed because it builds another addon, with
# packages that are not here. error_terminating_environment is removed because it fails on newer
# Nodes without the guard, and expects a crash that the guard avoids (TSG030).
sed -i '/binding_noexcept\|binding_custom_namespace/d' test/common/index.js
rm -r test/addon_build test/error_terminating_environment.js test/maybe/index.js
export CXXFLAGS='-O0 -std=gnu++17' # one test is not valid in the C++ standard of newer Nodes
{
  node "$MODULES/node-gyp/bin/node-gyp.js" configure -C test --nodedir="$NODE_PREFIX"
  BUILDTYPE=Release make -j2 -C test/build binding binding_type_check
} >build.log 2>&1 || { tail -n 50 build.log >&2; exit 1; }
find test/build/Release -maxdepth 1 -name '*.node' | sort
node test
echo "npm test: $?"
