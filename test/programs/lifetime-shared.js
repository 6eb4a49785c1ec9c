// 8 threads share a thread_count of 1. The function ends by an abort or with its worker. Every
// thread goes on calling.
// node lifetime-shared.js abort|worker
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);

function share() {
  const tsfn = addon.create({ count: 1 });
  addon.start(tsfn, 'hammer', 8, 20000);
  addon.waitAccepted(tsfn, 80);
  return tsfn;
}

if (!isMainThread) {
  share();
  parentPort.postMessage('running');
} else if (process.argv[2] === 'worker') {
  const worker = new Worker(__filename);
  worker.once('message', () => worker.terminate());
} else {
  addon.abort(share());
}
