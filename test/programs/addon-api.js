// What C++ addons do with node-addon-api, through test/addons/typed.cc. Arguments: the case, and 'typed' or 'plain'.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/typed.node`);

const kind = process.argv[3];

function tell() {
  console.log(Object.entries(addon.report()).map(([name, count]) => `${name}=${count}`).join(' '));
}

// Runs until the condition holds, and tells; a run in which it never holds is ended from outside.
function tellOnce(condition) {
  if (condition(addon.report())) tell();
  else setTimeout(tellOnce, 5, condition);
}

// A callback that checks each thread's order.
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
  worker.once('exit', () => tellOnce(({ running }) => running === 0));
}

const untilFinalized = ({ finalized }) => finalized === 1;

const flood = (threads) => () => {
  addon.flood(kind, () => {}, threads);
  setTimeout(() => {}, 50);
};

const cases = {
  talk: () => {
    addon.talk(kind, inOrder(4), 4, 500, 0);
    tellOnce(untilFinalized);
  },

  // One producer: natively several of them freeze on a bounded queue (nodejs/node#58723).
  talkBounded: () => {
    addon.talk(kind, inOrder(1), 1, 500, 8);
    tellOnce(untilFinalized);
  },

  // Several: only guarded.
  talkCrowded: () => {
    addon.talk(kind, inOrder(8), 8, 500, 8);
    tellOnce(untilFinalized);
  },

  abort: () => {
    addon.queue(kind, () => console.log('never called'), 20);
    tellOnce(untilFinalized);
  },

  workerEnds: () => inWorker(flood(16)),

  workerTerminated: () => inWorker(flood(16), 'terminate'),

  // The main thread's own threads; the process ends once all are turned away, or else a static destructor or the
  // kernel ends them.
  mainEnds: flood(16),
};

cases[process.argv[2]]();
