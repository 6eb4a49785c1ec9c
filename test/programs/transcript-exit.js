// Ways to end within a callback: process.exit() and worker.terminate(), in the main thread and in a
// worker.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { create, createWatched, run, log, main } = require('./script.js');

// A function with items 1 to 5 waiting. `func` gets each.
function withItems(label, func) {
  const handle = create({
    label,
    func: (item) => {
      log(`item ${item} of ${label}`);
      process.nextTick(() => log(`  tick of ${item}`));
      func(item, handle);
    },
  });
  log(`calls: ${run(handle, 'call', 1, 5)}`);
  return handle;
}

function inWorker(onMessage = () => {}) {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.on('message', (message) => onMessage(worker, message));
  worker.on('exit', (code) => log(`worker exit ${code}`));
  return worker;
}

const cases = {
  exit: () => {
    process.on('exit', (code) => log(`exit ${code}`));
    withItems('exit', (item) => item === 2 && process.exit(3));
  },

  exitAndCall: () => {
    const handle = withItems('exitAndCall', (item) => item === 2 && process.exit());
    process.on('exit', () => {
      log(`in exit: ${run(handle, 'call', 9)} ${run(handle, 'getContext')} ${run(handle, 'abort')}`);
    });
  },

  exitInFinalizer: () => {
    createWatched({ label: 'other' });
    const handle = create({ label: 'exitInFinalizer', onFinalize: () => process.exit(4) });
    run(handle, 'release');
  },

  // The callback throws after it has set the exit code. The items behind it are still delivered.
  exitCode: () => {
    const handle = withItems('exitCode', () => { process.exitCode = 5; });
    run(handle, 'release');
  },

  workerExit: () => {
    if (isMainThread) inWorker();
    else withItems('workerExit', (item) => item === 2 && process.exit(3));
  },

  // The callback runs for ever, and the main thread terminates the worker.
  terminatedInCallback: () => {
    if (isMainThread) {
      inWorker((worker) => worker.terminate());
    } else {
      withItems('terminatedInCallback', (item) => {
        if (item !== 2) return;
        parentPort.postMessage('now');
        for (;;);
      });
    }
  },

  // The main thread's callback terminates a worker that has a function of its own, without items.
  terminateInCallback: () => {
    if (!isMainThread) {
      create({ label: 'worker', finalize: 'silent' });
      parentPort.postMessage('ready');
      return;
    }
    let handle;
    const worker = inWorker(() => {
      handle = withItems('main', (item) => item === 2 && worker.terminate().then((code) => {
        log(`terminated ${code}`);
        run(handle, 'release');
      }));
    });
  },

  // A worker that ends by itself. Its functions are unref'd, and have items that came too late to
  // be delivered.
  workerEnds: () => {
    if (isMainThread) {
      inWorker();
      return;
    }
    const handle = withItems('workerEnds', () => {});
    run(handle, 'unref');
  },

  mainEnds: () => {
    const handle = withItems('mainEnds', () => {});
    run(handle, 'unref');
    process.on('exit', () => log(`in exit: ${run(handle, 'call', 9)}`));
  },
};

main(cases);
