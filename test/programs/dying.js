// Calls of Node-API when JavaScript is over (test/addons/dying.c; unthrowable.bats, quirks.bats).
// node dying.js CASE WHAT: the addon does WHAT
//   worker  in a worker that is terminated during a call of the addon
//   within  the same, but during JavaScript that the addon has called
//   ends    at once, in a worker that then ends by itself
//   collect at once; then objects are collected (--expose-gc)
//   main    in a cleanup hook at the end of the main thread
//   live    while JavaScript still runs
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, 'dying.node'));

const [scenario, what] = process.argv.slice(2);
const say = (line) => fs.writeSync(1, `${line}\n`);

function watchWorker() {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  const ready = setInterval(() => {
    if (addon.report() === undefined) return;
    clearInterval(ready);
    worker.terminate();
  }, 10);
  worker.on('exit', () => say(addon.report()));
}

// The worker ends by itself.
function watchEnd() {
  new Worker(__filename, { argv: process.argv.slice(2) }).on('exit', () => say(`finalized=${addon.finalized()}`));
}

// The objects that the addon has registered are collected. Instance data stays, because it belongs
// to the env.
function collect() {
  say(addon.now(what));
  globalThis.gc();
  setTimeout(() => say(`finalized=${addon.finalized()}`), 100);
}

const spin = () => {
  for (;;);
};

// The worker is terminated while JavaScript runs for ever.
function inWorker() {
  if (scenario === 'ends') return addon.now(what);
  if (scenario === 'within') addon.whenInterrupted(what, () => {
    addon.isRunning();
    spin();
  });
  else addon.whenOver(what);
  return spin();
}

process.on('unhandledRejection', () => {});
if (!isMainThread) inWorker();
else if (scenario === 'worker' || scenario === 'within') watchWorker();
else if (scenario === 'ends') watchEnd();
else if (scenario === 'collect') collect();
else if (scenario === 'main') addon.atEnd(what);
else say(addon.now(what));
