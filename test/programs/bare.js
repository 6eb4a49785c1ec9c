// The program for Bare. It corresponds to other-runtimes.js, but Bare has no `process`,
// worker_threads or environment variables. It has `Bare` instead, with Bare.Thread.
// bare bare.js ADDONS abort|blocked|shared|flow|exit    as in other-runtimes.js; exit: the process
//                                                       ends under 4 threads
// bare bare.js ADDONS single                            one item through a queue of 1
// bare bare.js ADDONS threads COUNT                     consecutive Bare threads, each terminated
//                                                       under 4 threads
'use strict';
const { Thread } = Bare;
const [, , addons, name, count] = Bare.argv;
const addon = require(`${addons}/lifetime.node`);

const THREADS = 4;
const AFTERLIFE = 300;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The code of a Bare.Thread. Such a thread can load addons, but no files.
const inThread = (addons) => `
  const addon = Bare.Addon.load(new URL('file://${addons}/lifetime.node')).exports;
  const tsfn = addon.create({ count: 4 });
  addon.start(tsfn, 'mix', 4, 300);
  addon.waitAccepted(tsfn, 4);
  const running = new Int32Array(Bare.Thread.self.data);
  Atomics.store(running, 0, 1);
  Atomics.notify(running, 0);
`;

function mix(more) {
  const tsfn = addon.create({ count: THREADS + more });
  addon.start(tsfn, 'mix', THREADS, AFTERLIFE);
  addon.waitAccepted(tsfn, THREADS);
  return tsfn;
}

function block() {
  const tsfn = addon.create({ queue: 4, count: THREADS + 1 });
  addon.start(tsfn, 'produce', THREADS);
  addon.waitBlocked(tsfn);
  return tsfn;
}

// Waits until this many items have arrived. tell() joins the threads, and from then on nobody would
// take their items.
async function deliver(options, items) {
  let delivered = 0;
  const tsfn = addon.create({ ...options, callback: () => delivered++ });
  addon.start(tsfn, 'produce', options.count, items / options.count);
  while (delivered < items) await sleep(10);
}

const cases = {
  abort: () => addon.abort(mix(1)),
  blocked: () => addon.abort(block()),
  shared() {
    const tsfn = addon.create({ count: 1 });
    addon.start(tsfn, 'hammer', 8, 20000);
    addon.waitAccepted(tsfn, 80);
    addon.abort(tsfn);
  },
  flow: () => deliver({ queue: 50, count: 8 }, 16000),
  single: () => deliver({ queue: 1, count: 1 }, 1),
  exit() {
    mix(0);
    Bare.exit(); // the addon's destructor prints the report
  },
  threads() {
    for (let i = 0; i < count; i++) {
      const data = new SharedArrayBuffer(4);
      const thread = new Thread('/thread.js', { source: inThread(addons), data });
      Atomics.wait(new Int32Array(data), 0, 0);
      thread.terminate();
      thread.join();
    }
  },
};

async function main() {
  const alive = setInterval(() => {}, 1000);
  await cases[name]();
  await sleep(2 * AFTERLIFE); // the threads go on for AFTERLIFE, and finalizers need turns of the loop
  addon.tell();
  clearInterval(alive);
  Bare.exit();
}

main();
