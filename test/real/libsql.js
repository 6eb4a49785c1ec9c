// libsql: threads of tokio settle its promises.
'use strict';
const Database = require('libsql/promise');
const cases = require('./cases');

async function work(dir) {
  const database = new Database(`${dir}/database`);
  await database.exec('CREATE TABLE t (a INTEGER, b TEXT)');
  for (let i = 0; i < 100; i++) await database.exec(`INSERT INTO t VALUES (${i}, 'number ${i}')`);
  const rows = await (await database.prepare('SELECT a, b FROM t WHERE a > ? ORDER BY a')).all(97);
  const { sum } = await (await database.prepare('SELECT sum(a) AS sum FROM t')).get();
  database.close();
  return { sum, rows };
}

async function keepInserting(turn) {
  const database = new Database(':memory:');
  await database.exec('CREATE TABLE t (a INTEGER)');
  for (;;) {
    await database.exec('INSERT INTO t VALUES (1)');
    await (await database.prepare('SELECT count(*) FROM t')).all();
    turn();
  }
}

async function busy(dir, swing) {
  let turns = 0;
  const turn = () => ++turns === 50 && swing();
  for (let i = 0; i < 8; i++) keepInserting(turn);
}

cases({ work, busy });
