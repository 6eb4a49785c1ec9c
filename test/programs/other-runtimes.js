// The program for Bun and Deno. Unlike the lifetime-*.js programs it waits for a worker's `exit`
// event, because on Bun 1.3 the promise of terminate() may never settle. And the addon prints its
// report before the process ends, because Bun runs no destructor.
// node other-runtimes.js workers|blockedWorkers COUNT    consecutive workers, each terminated under
//                                                        4 threads
// node other-runtimes.js abort|blocked|shared|flow       the same functions ended by abort, or by
//                                                        their producers
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/lifetime.node`);

const THREADS = 4;
const AFTERLIFE = 300;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function mix(more) {
  const tsfn = addon.create({ count: THREADS + more });
  addon.start(tsfn, 'mix', THREADS, AFTERLIFE);
  addon.waitAccepted(tsfn, THREADS);
  return tsfn;
}

function block(more) {
  const tsfn = addon.create({ queue: 4, count: THREADS + more });
  addon.start(tsfn, 'produce', THREADS);
  addon.waitBlocked(tsfn);
  return tsfn;
}

async function workers(kind, count) {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(__filename, { workerData: kind });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    await new Promise((resolve) => worker.once('message', resolve));
    worker.terminate();
    await ended;
  }
}

const cases = {
  workers: (count) => workers('mix', count),
  blockedWorkers: (count) => workers('block', count),
  abort: () => addon.abort(mix(1)),
  blocked: () => addon.abort(block(1)),
  shared() {
    const tsfn = addon.create({ count: 1 });
    addon.start(tsfn, 'hammer', 8, 20000);
    addon.waitAccepted(tsfn, 80);
    addon.abort(tsfn);
  },
  async flow() {
    let delivered = 0;
    const tsfn = addon.create({ queue: 50, count: 8, callback: () => delivered++ });
    addon.start(tsfn, 'produce', 8, 2000);
    while (delivered < 16000) await sleep(10); // tell() joins the threads, and from then on nobody would make space
  },
};

async function main([name, count]) {
  setInterval(() => {}, 1000); // on Bun 1.3 a worker that is being terminated does not keep the process alive
  await cases[name](Number(count));
  await sleep(2 * AFTERLIFE); // the threads go on for AFTERLIFE, and finalizers need turns of the loop
  addon.tell();
  process.exit();
}

if (isMainThread) {
  main(process.argv.slice(2));
} else {
  // The function keeps the worker's loop alive.
  ({ mix, block })[workerData](0);
  parentPort.postMessage('running');
}
