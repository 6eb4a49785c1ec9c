// Situations in which call_js_cb throws C++ exceptions (test/addons/throwing.cc; exceptions.bats).
// node throwing.js CASE [ADDON]
//   worker   a worker is terminated within the first of two items
//   quit     a worker calls process.exit() within it
//   through  a worker is terminated while call_js_cb waits for a C++ function, which then throws
//   drain    items are left at the end of the main thread, and are delivered without an env
//   live     JavaScript can still run
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, `${process.argv[3] || 'throwing'}.node`));

function report() {
  const line = Object.entries(addon.report()).map(([name, value]) => `${name}=${value}`).join(' ');
  fs.writeSync(1, `${line}\n`);
}

function main(scenario) {
  if (scenario === 'live') {
    setInterval(() => {}, 1000);
    return addon.create(() => {}, true);
  }
  if (scenario === 'drain') return process.on('exit', () => addon.create(() => {}, false));
  const ready = setInterval(() => addon.report().waiting && worker.terminate(), 10);
  const worker = new Worker(__filename, { argv: process.argv.slice(2), workerData: scenario });
  worker.on('message', () => worker.terminate());
  return worker.on('exit', () => {
    clearInterval(ready);
    report();
  });
}

function inWorker() {
  setInterval(() => {}, 1000);
  if (workerData === 'through') return addon.create(addon.throwAtEnd, false);
  return addon.create(() => {
    if (workerData === 'quit') process.exit();
    parentPort.postMessage('within');
    for (;;);
  }, false);
}

if (isMainThread) main(process.argv[2]);
else inWorker();
