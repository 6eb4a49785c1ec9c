// Exceptions that leave call_js_cb and finalize_cb. Arguments: the case, and how they are handled.
'use strict';
const { Worker, isMainThread } = require('worker_threads');
const { create, createWatched, run, log, turns, main } = require('./script.js');

function handle(who) {
  if (who === 'handled') {
    process.on('uncaughtException', (error, origin) => log(`uncaught ${error.message}, ${origin}`));
  }
  if (who === 'captured') process.setUncaughtExceptionCaptureCallback((error) => log(`captured ${error.message}`));
  if (who === 'rethrown') {
    process.on('uncaughtException', (error) => {
      log(`uncaught ${error.message}`);
      throw new Error('thrown by the handler');
    });
  }
  process.on('warning', (warning) => log(`warning ${warning.code}`));
  process.on('exit', (code) => log(`exit ${code}`));
}

function callTimes(handle, count) {
  for (let item = 1; item <= count; item++) run(handle, 'call', item);
  run(handle, 'release');
}

function throwing(item, label) {
  log(`item ${item} of ${label}`);
  process.nextTick(() => log(`  tick of ${item}`));
  queueMicrotask(() => log(`  microtask of ${item}`));
  if (item === 2) throw new Error(`thrown by item ${item}`);
}

const cases = {
  javaScript: () => callTimes(create({ label: 'javaScript', func: throwing }), 4),

  notAnError: () => callTimes(create({ label: 'notAnError', func: () => { throw null; } }), 2),

  callJs: () => callTimes(create({ label: 'callJs', callJs: 'throw' }), 2),

  byDefault: () => {
    let count = 0;
    const func = (...args) => throwing(++count, `${args.length} arguments`);
    callTimes(create({ label: 'byDefault', callJs: 'null', func }), 4);
  },

  inTick: () => callTimes(create({
    label: 'inTick',
    func: (item, label) => {
      log(`item ${item} of ${label}`);
      process.nextTick(() => { throw new Error(`thrown by the tick of ${item}`); });
    },
  }), 3),

  rejection: () => callTimes(create({
    label: 'rejection',
    func: (item, label) => {
      log(`item ${item} of ${label}`);
      Promise.reject(new Error(`rejected by ${item}`));
    },
  }), 3),

  finalizer: () => {
    callTimes(create({ label: 'finalizer', finalize: 'throw' }), 1);
    turns(10).then(() => log('later'));
  },

  finalizerJavaScript: () => {
    const onFinalize = () => { throw new Error('thrown by onFinalize'); };
    callTimes(create({ label: 'finalizerJavaScript', onFinalize }), 1);
    turns(10).then(() => log('later'));
  },

  // An exception in a worker is an error of the worker, or is handled there.
  inWorker: () => {
    if (!isMainThread) {
      callTimes(create({ label: 'inWorker', func: throwing }), 4);
      return;
    }
    const worker = new Worker(__filename, { argv: process.argv.slice(2) });
    const errors = []; // printed at the end, because they arrive while the worker still prints
    worker.on('error', (error) => errors.push(error.message));
    worker.on('exit', (code) => log(`worker exit ${code}, errors ${errors}`));
  },

  // An exception with more items behind it, in a function that stays open.
  stayingOpen: () => {
    const { handle, finalized } = createWatched({ label: 'stayingOpen', func: throwing });
    for (let item = 1; item <= 3; item++) run(handle, 'call', item);
    turns(10).then(() => {
      log('later');
      run(handle, 'call', 4);
      run(handle, 'release');
    });
    finalized.then(() => log('finalized'));
  },
};

if (process.argv[2] !== 'inWorker' || !isMainThread) handle(process.argv[3]);
main(cases);
