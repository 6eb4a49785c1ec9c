# shellcheck shell=bash
# lmdb: a million rows in asynchronous transactions, read back by another process.

cat >load.js <<'END'
const { open } = require('lmdb');
const db = open({ path: 'data', noSync: true });
async function main() {
  let last;
  for (let i = 0; i < 1e6; i++) {
    last = db.put(i, { i, text: `row ${i}` });
    if (i % 10000 === 9999) await last;
  }
  await last;
  await db.close();
  console.log('loaded');
}
main();
END
cat >read.js <<'END'
const { open } = require('lmdb');
const db = open({ path: 'data', readOnly: true });
let rows = 0, sum = 0, wrong = 0;
for (const { key, value } of db.getRange()) {
  rows++;
  sum += value.i;
  if (key !== value.i || value.text !== `row ${key}`) wrong++;
}
console.log({ rows, sum, wrong });
END
node load.js
node read.js
