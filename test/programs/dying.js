// Node-API where JavaScript is over (test/addons/dying.c; unthrowable.bats).
// node dying.js CASE WHAT
//   worker  a worker is terminated within a call of the addon, which does it then
//   within  the same within JavaScript that the addon has called
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
  const ready = setInterval(() => addon.report() === '' && worker.terminate(), 10);
  worker.on('exit', () => {
    clearInterval(ready);
    say(addon.report());
  });
}

const spin = () => {
  for (;;);
};

// The worker ends although JavaScript would go on for ever.
function inWorker() {
  if (scenario === 'within') addon.whenInterrupted(what, spin);
  else addon.whenOver(what);
  spin();
}

if (!isMainThread) inWorker();
else if (scenario === 'worker' || scenario === 'within') watchWorker();
else if (scenario === 'main') addon.atEnd(what);
else say(addon.now(what));
