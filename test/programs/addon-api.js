// What C++ addons do with node-addon-api, using test/addons/typed.cc. Arguments: the case, and
// 'typed' or 'plain'.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/typed.node`);

const kind = process.argv[3];

function printReport() {
  console.log(Object.entries(addon.report()).map(([name, count]) => `${name}=${count}`).join(' '));
}

// Prints the report once the condition holds. If it never holds, the run ends at its time limit.
function printReportOnce(condition) {
  if (condition(addon.report())) printReport();
  else setTimeout(printReportOnce, 5, condition);
}

// A callback that checks that each thread's items are in order.
function inOrder(threads) {
  const next = new Array(threads).fill(0);
  return (thread, number) => {
    if (number !== next[thread]++) console.log(`thread ${thread}: ${number} out of order`);
  };
}

function inWorker(work, end) {
  if (!isMainThread) {
    work();
    parentPort.postMessage('started');
    return;
  }
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  if (end === 'terminate') worker.once('message', () => setTimeout(() => worker.terminate(), 50));
  worker.once('exit', () => printReportOnce(({ running }) => running === 0));
}

const untilFinalized = ({ finalized }) => finalized === 1;

const flood = (threads) => () => {
  addon.flood(kind, () => {}, threads);
  setTimeout(() => {}, 50);
};

const cases = {
  talk: () => {
    addon.talk(kind, inOrder(4), 4, 500, 0);
    printReportOnce(untilFinalized);
  },

  // One producer, because several of them freeze on a bounded queue without the guard
  // (nodejs/node#58723).
  talkBounded: () => {
    addon.talk(kind, inOrder(1), 1, 500, 8);
    printReportOnce(untilFinalized);
  },

  // With several producers, which is only run guarded.
  talkFullQueue: () => {
    addon.talk(kind, inOrder(8), 8, 500, 8);
    printReportOnce(untilFinalized);
  },

  abort: () => {
    addon.queue(kind, () => console.log('never called'), 20);
    printReportOnce(untilFinalized);
  },

  workerEnds: () => inWorker(flood(16)),

  workerTerminated: () => inWorker(flood(16), 'terminate'),

  // These are threads of the main thread. The process ends when all of them are rejected. Otherwise
  // a static destructor or the kernel ends them.
  mainEnds: flood(16),
};

cases[process.argv[2]]();
