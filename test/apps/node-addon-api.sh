# shellcheck shell=bash
# The tests of node-addon-api 7.1.0, with C++ exceptions: thread-safe functions, asynchronous workers, and all others.

cp -r "$MODULES/../../addon-api-tests/node_modules/koffi/vendor/node-addon-api/." .
# Four bindings with the same functions differ in options of the compiler. One of them takes long enough.
sed -i "/binding_noexcept\|binding_custom_namespace/d" test/common/index.js
export CXXFLAGS='-O0 -std=gnu++17' # without the standard that newer Nodes ask for, in which one test is not C++
node "$MODULES/node-gyp/bin/node-gyp.js" configure -C test --nodedir="$NODE_PREFIX" >build.log 2>&1 &&
  BUILDTYPE=Release make -j2 -C test/build binding >>build.log 2>&1 || { tail -n 50 build.log >&2; exit 1; }
find test/build/Release -maxdepth 1 -name '*.node'
node test
echo "npm test: $?"
