# shellcheck shell=bash
# The tests of node-addon-api 7.1.0: thread-safe functions, asynchronous workers, and nearly all others.

TESTS=$MODULES/../../addon-api-tests/node_modules
export NODE_PATH=$TESTS
cp -r "$TESTS/koffi/vendor/node-addon-api/." .
# Four bindings with the same functions differ in options of the compiler; one of them takes long enough.
# addon_build builds another addon with packages that are not here. error_terminating_environment fails on newer Nodes
# without the guard, and wants a crash that the guard avoids (TSG030).
sed -i '/binding_noexcept\|binding_custom_namespace/d' test/common/index.js
rm -r test/addon_build test/error_terminating_environment.js test/maybe/index.js
export CXXFLAGS='-O0 -std=gnu++17' # with the standard that newer Nodes ask for, one of the tests is not C++
{
  node "$MODULES/node-gyp/bin/node-gyp.js" configure -C test --nodedir="$NODE_PREFIX"
  BUILDTYPE=Release make -j2 -C test/build binding binding_type_check
} >build.log 2>&1 || { tail -n 50 build.log >&2; exit 1; }
find test/build/Release -maxdepth 1 -name '*.node' | sort
node test
echo "npm test: $?"
