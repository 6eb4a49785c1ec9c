// Consecutive workers, each terminated while its threads call. The threads go on for `afterlife`
// ms.
// node lifetime-worker.js WORKERS THREADS AFTERLIFE
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
// The main thread loads it too, so that the addon is never unloaded here. mapped.bats tests
// unloading.
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
