// lmdb creates a TSFN for each write transaction. One transaction follows the other, for SECONDS.
// node soak-lmdb.js SECONDS, with $SCRATCH being an empty directory
'use strict';
const { open } = require('lmdb');

const seconds = Number(process.argv[2]);
const KEYS = 10000;

async function main() {
  const flat = require('./flat').watch(seconds);
  const database = open({ path: `${process.env.SCRATCH}/database`, noSync: true });
  const end = Date.now() + seconds * 1000;
  let puts = 0;
  while (Date.now() < end || puts < KEYS) {
    await database.put(puts % KEYS, puts);
    puts++;
  }
  let wrong = 0;
  for (let i = 1; i <= KEYS; i++) if (database.get((puts - i) % KEYS) !== puts - i) wrong++;
  await database.close();
  console.error(`${puts} transactions, ${Math.round(puts / seconds)} a second`);
  console.log(`wrong=${wrong}, ${flat()}`);
}
main();
