// What tsfn-guard/register shows of functions that live, that close and that are misused, in the
// main thread, and in a worker that also loads it. Run this where tsfn-guard can be required.
'use strict';
const { Worker, isMainThread } = require('worker_threads');
const guard = require(require.resolve('tsfn-guard/register', { paths: [process.cwd()] }));
const { create, createWatched, run, log } = require('./script.js');

const quiet = { func: () => {}, finalize: 'silent', label: 'mine', threads: 1 };

function show(where) {
  const { created, queued, functions, events } = guard.stats();
  log(`${where}: created ${created}, open ${functions.open}, leaked ${functions.leaked}, queued ${queued}, \
events ${JSON.stringify(events)}`);
}

async function main() {
  const { version, armed, mode, runtime } = guard.stats();
  log(JSON.stringify({ version, armed, mode, runtime }));
  show('at first');
  create({ ...quiet, name: 'open' });
  const over = createWatched({ ...quiet, name: 'over' });
  show('two');
  run(over.handle, 'release');
  await over.finalized;
  await new Promise(setImmediate);
  run(over.handle, 'release');
  run(0xdead0n, 'call');
  show('misused');
  for (const event of guard.events()) {
    const { code, kind, severity, func, answered, name, quantity } = event;
    log(JSON.stringify({ code, kind, severity, func: func !== null, answered, name, quantity }));
    const facts = [event.time instanceof Date && Math.abs(Date.now() - event.time) < 60000, event.thread === process.pid];
    log(`${facts} ${event.sequence} ${event.addon.split('/').pop()}`);
  }
  const worker = new Worker(__filename);
  await new Promise((resolve) => worker.on('exit', resolve));
  log(`the worker's event is here too: ${guard.events()[2].code}`);
  process.exit();
}

if (isMainThread) {
  main();
} else {
  create({ ...quiet, name: 'worker' });
  run(0n, 'acquire');
  show('worker');
  process.exit();
}
