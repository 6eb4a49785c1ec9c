# shellcheck shell=bash
# bcrypt, rebuilt by node-gyp (make, python and the compiler inherit the guard), and its own tests under jest.

cp -r "$MODULES/bcrypt/." .
rm -rf prebuilds
node "$MODULES/node-gyp/bin/node-gyp.js" rebuild --nodedir="$NODE_PREFIX" >build.log 2>&1 || { cat build.log >&2; exit 1; }
find build/Release -maxdepth 1 -name '*.node' | sort
# The results of the tests, without their durations. On a busy machine a test takes longer than the
# usual five seconds, so the limit is raised.
TEST_TIMEOUT_SECONDS=600 node "$MODULES/jest/bin/jest.js" --rootDir . --testTimeout=600000 --verbose >/dev/null 2>jest.log || { cat jest.log >&2; exit 1; }
sed 's/ ([0-9.]* m\?s)//; /^Time:/d' jest.log | grep -v '^$' | sort
