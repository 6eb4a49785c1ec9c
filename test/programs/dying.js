// Node-API where JavaScript is over (test/addons/dying.c; unthrowable.bats, quirks.bats).
// node dying.js CASE WHAT
//   worker  a worker is terminated within a call of the addon, which does it then
//   within  the same within JavaScript that the addon has called
//   ends    at once in a worker, which then ends by itself
//   collect at once, and then objects are collected (--expose-gc)
//   main    in a cleanup hook at the end of the main thread
//   live    where JavaScript still runs
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

// A worker that ends by itself.
function watchEnd() {
  new Worker(__filename, { argv: process.argv.slice(2) }).on('exit', () => say(`finalized=${addon.finalized()}`));
}

// What the line has registered is collected; instance data belongs to the env.
function collect() {
  say(addon.now(what));
  globalThis.gc();
  setTimeout(() => say(`finalized=${addon.finalized()}`), 100);
}

const spin = () => {
  for (;;);
};

// The worker ends although JavaScript would go on for ever.
function inWorker() {
  if (scenario === 'ends') return addon.now(what);
  if (scenario === 'within') addon.whenInterrupted(what, spin);
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
