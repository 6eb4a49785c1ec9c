// A program that does nothing wrong. It creates functions, calls them from threads that each hold a
// count, releases and finalizes them. The argument says where: 'main', or 'worker', which ends by
// itself.
'use strict';
const { Worker, isMainThread } = require('worker_threads');
const { createWatched, run, runOn, start, finished, turns, log } = require('./script.js');

const threads = ['first', 'second', 'third'];

// The creator gives each thread its count.
async function given() {
  const { handle, finalized } = createWatched({ func: () => {}, finalize: 'silent', threads: threads.length });
  for (const thread of threads) runOn(thread, handle, 'call', 0, 100);
  for (const thread of threads) runOn(thread, handle, 'release');
  await finalized;
}

// Each thread acquires its own count, and waits if the queue is full.
async function acquired() {
  let delivered = 0;
  const { handle, finalized } = createWatched({ func: () => delivered++, finalize: 'silent', max: 10 });
  for (const thread of threads) runOn(thread, handle, 'acquire');
  for (const operation of ['unref', 'ref', 'getContext', 'call']) run(handle, operation);
  for (const thread of threads) start(thread, handle, 'callBlocking', 0, 100);
  for (const thread of threads) await finished(thread);
  for (const thread of threads) runOn(thread, handle, 'release');
  run(handle, 'release');
  await finalized;
  log(`delivered ${delivered}`);
}

// Aborted when no thread uses it any more.
async function aborted() {
  const { handle, finalized } = createWatched({ func: () => {}, finalize: 'silent' });
  run(handle, 'call');
  run(handle, 'abort');
  await finalized;
}

async function work() {
  await given();
  await acquired();
  await aborted();
  await turns(2);
}

if (isMainThread && process.argv[2] === 'worker') new Worker(__filename, { argv: ['worker'] });
else work();
