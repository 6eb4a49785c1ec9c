// lmdb: batches of writes run in libuv's threads. For the transactions in them these threads call
// JavaScript.
'use strict';
const { open } = require('lmdb');
const cases = require('./cases');

const database = (dir) => open({ path: `${dir}/database`, noSync: true, mapSize: 1 << 28 });

async function work(dir) {
  const store = database(dir);
  const puts = [];
  for (let i = 0; i < 5000; i++) puts.push(store.put(`key ${i}`, { i, text: 'x'.repeat(i % 50) }));
  const done = (await Promise.all(puts)).filter(Boolean).length;
  const read = await store.transaction(() => {
    store.put('last', 1);
    return store.get('key 7');
  });
  let sum = 0;
  for (const { value } of store.getRange({ start: 'key' })) sum += value.i || 0;
  await store.close();
  return { done, read, sum };
}

async function busy(dir, swing) {
  const store = database(dir);
  // At process.exit() Node waits for libuv's threads. A thread with a transaction waits for
  // JavaScript, so it would wait for ever.
  const transactions = process.argv[2] !== 'exit';
  for (let n = 1; ; n++) {
    const writes = [];
    for (let i = 0; i < 50; i++) writes.push(store.put(`key ${n % 1000} ${i}`, n));
    if (transactions) writes.push(store.transaction(() => store.get('key 1 1')));
    await Promise.all(writes);
    if (n === 5) swing();
  }
}

cases({ work, busy, shared: true });
