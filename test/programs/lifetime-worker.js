// Workers in a row, each terminated while its threads call; the threads go on for `afterlife` ms.
// node lifetime-worker.js WORKERS THREADS AFTERLIFE
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
// In the main thread too, so that the addon is never unloaded here; mapped.bats is about that.
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);

async function main([workers, threads, afterlife]) {
  for (let i = 0; i < workers; i++) {
    const worker = new Worker(__filename, { workerData: { threads, afterlife } });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  }
}

if (isMainThread) {
  main(process.argv.slice(2).map(Number));
} else {
  const { threads, afterlife } = workerData;
  const tsfn = addon.create({ count: threads });
  addon.start(tsfn, 'mix', threads, afterlife);
  addon.waitAccepted(tsfn, threads);
  parentPort.postMessage('running');
}
