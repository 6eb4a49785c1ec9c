# shellcheck shell=bash
# A Vite build with rolldown: 500 modules, and a plug-in in JavaScript, which rolldown calls through TSFNs.

mkdir -p src
for i in $(seq 500); do echo "export const value$i = __BASE__ + $i;" >"src/module$i.js"; done
{
  for i in $(seq 500); do echo "import { value$i } from './module$i.js';"; done
  printf 'console.log(0'
  for i in $(seq 500); do printf ' + value%d' "$i"; done
  echo ');'
} >src/main.js
echo '<!doctype html><title>small</title><script type="module" src="/src/main.js"></script>' >index.html
cat >vite.config.mjs <<'END'
let transformed = 0;
export default {
  build: { modulePreload: { polyfill: false } }, // the bundle is run by node below
  plugins: [{
    name: 'base',
    transform(code, id) {
      if (!/module\d+\.js$/.test(id)) return null;
      transformed++;
      return { code: code.replace('__BASE__', '1000'), map: null };
    },
    buildEnd() { console.log(`transformed ${transformed}`); },
  }],
};
END
node "$MODULES/vite/bin/vite.js" build --logLevel error
sums dist
cp dist/assets/*.js run.mjs
node run.mjs
