// Only workers load the guard, one after another. Then the main thread loads it. Run this where
// tsfn-guard can be required.
'use strict';
const { Worker, isMainThread } = require('worker_threads');

function use(where) {
  const guard = require(require.resolve('tsfn-guard/register', { paths: [process.cwd()] }));
  const addon = require(`${process.env.TEST_ADDONS}/bindings.node`);
  console.log(`${where}: armed ${guard.stats().armed}, ${addon.describe('load')}`);
}

async function main() {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => new Worker(__filename).on('exit', resolve));
  use('main');
}

if (isMainThread) main();
else use('worker');
