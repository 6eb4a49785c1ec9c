# shellcheck shell=bash
# iconv, built by node-gyp, and its own tests, one of which uses workers. It uses no TSFN.

cp -r "$MODULES/iconv/." .
node "$MODULES/node-gyp/bin/node-gyp.js" rebuild --nodedir="$NODE_PREFIX" >build.log 2>&1 || { cat build.log >&2; exit 1; }
find build/Release -maxdepth 1 -name '*.node'
mkdir -p test/tmp # its tests write there, and npm packs no empty directory
node test/run-tests.js
echo "npm test: $?"
