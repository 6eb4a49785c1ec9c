// A worker is terminated within the first of 3000 items of test/addons/unlooking.cc. This is more
// than Node delivers in one turn, so some items are left at the end of the env.
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, 'unlooking.node'));

const ITEMS = 3000;

if (isMainThread) {
  const worker = new Worker(__filename);
  worker.on('message', () => worker.terminate());
  worker.on('exit', () => {
    const { come, finalized } = addon.report();
    fs.writeSync(1, `come=${come} left=${ITEMS - come} finalized=${finalized}\n`);
  });
} else {
  setInterval(() => {}, 1000);
  addon.create(() => {
    parentPort.postMessage('within');
    for (;;);
  }, ITEMS);
}
