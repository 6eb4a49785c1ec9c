// @lancedb/lancedb: a database of vectors in threads of tokio, which settle its promises.
'use strict';
const lancedb = require('@lancedb/lancedb');
const cases = require('./cases');

const rows = (n) => Array.from({ length: n }, (_, i) => ({ id: i, vector: [i, i + 1] }));

async function work(dir) {
  const database = await lancedb.connect(`${dir}/database`);
  const table = await database.createTable('t', rows(100));
  const [nearest] = await table.search([7, 8]).limit(1).toArray();
  return { rows: await table.countRows(), nearest: nearest.id };
}

async function busy(dir, swing) {
  const database = await lancedb.connect(`${dir}/database`);
  const table = await database.createTable('t', rows(100), { mode: 'overwrite' });
  let answers = 0;
  const ask = async () => {
    for (;;) {
      await table.search([3, 4]).limit(2).toArray();
      if (++answers === 20) swing();
    }
  };
  for (let i = 0; i < 8; i++) ask();
}

cases({ work, busy });
