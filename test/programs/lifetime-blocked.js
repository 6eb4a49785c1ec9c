// Threads blocked on a full queue.
// node lifetime-blocked.js abort|worker|natural THREADS   all of them are blocked when the function
//                                                         ends in this way
// node lifetime-blocked.js flow                           8 producers of 2,000 items on a queue of
//                                                         50, no teardown
// node lifetime-blocked.js recycle                        slots are reused while 200 threads wake
//                                                         up
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);

const ending = process.argv[2];
const threads = Number(process.argv[3]);

// The threads begin after the last turn of the loop, so nobody makes space.
function blockAtEnd() {
  const tsfn = addon.create({ queue: 4, count: threads });
  addon.unref(tsfn);
  addon.startInHook(tsfn, 'produce', threads, 0, 4);
}

function endWorker() {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.once('message', () => worker.terminate());
}

function abort() {
  const tsfn = addon.create({ queue: 4, count: threads + 1 });
  addon.start(tsfn, 'produce', threads);
  addon.waitBlocked(tsfn);
  addon.abort(tsfn);
}

function flow() {
  addon.start(addon.create({ queue: 50, count: 8 }), 'produce', 8, 2000);
}

// The threads share one count, which the abort takes. So only the sleeping threads keep the slot
// from being reused. They are kept from waking up while many other slots become free. The slot
// would then be the first to be reused, by a function that is open and has space in its queue.
async function recycle() {
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const createMany = (length) => Array.from({ length }, () => addon.create({ count: 1 }));
  const tsfn = addon.create({ queue: 1, count: 1 });
  addon.start(tsfn, 'produce', 200);
  addon.waitBlocked(tsfn);
  addon.freeze(tsfn);
  addon.abort(tsfn);
  await sleep(20);
  createMany(8000).forEach((gone) => addon.abort(gone));
  await sleep(100);
  const open = createMany(3000);
  addon.thaw();
  await sleep(100);
  open.forEach((over) => addon.abort(over));
}

if (isMainThread) {
  ({ abort, worker: endWorker, natural: blockAtEnd, flow, recycle })[ending]();
} else {
  blockAtEnd();
  setInterval(() => parentPort.postMessage('terminate me'), 10);
}
