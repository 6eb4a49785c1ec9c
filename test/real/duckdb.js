// DuckDB: its query threads wait for a function that is written in JavaScript.
'use strict';
const { DuckDBInstance, DuckDBScalarFunction, INTEGER } = require('@duckdb/node-api');
const cases = require('./cases');

async function connect(instance, onChunk) {
  const connection = await instance.connect();
  connection.registerScalarFunction(DuckDBScalarFunction.create({
    name: 'plus_one',
    returnType: INTEGER,
    parameterTypes: [INTEGER],
    mainFunction: (info, input, output) => {
      onChunk();
      for (let i = 0; i < input.rowCount; i++) output.setItem(i, input.getColumnVector(0).getItem(i) + 1);
      output.flush();
    },
  }));
  return connection;
}

async function work() {
  let chunks = 0;
  const connection = await connect(await DuckDBInstance.create(':memory:', { threads: '4' }), () => chunks++);
  const query = 'SELECT sum(plus_one(i::INTEGER))::VARCHAR AS sum FROM range(100000) t(i)';
  const [{ sum }] = (await connection.runAndReadAll(query)).getRowObjects();
  return { sum, chunks };
}

async function busy(dir, swing) {
  const instance = await DuckDBInstance.create(':memory:', { threads: '4' });
  let chunks = 0;
  const connection = await connect(instance, () => ++chunks === 10 && swing());
  for (;;) await connection.run('SELECT sum(plus_one((i % 1000)::INTEGER)) FROM range(2000000) t(i)');
}

cases({ work, busy });
