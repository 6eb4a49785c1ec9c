// JavaScript of the main thread uses a worker's handle: while the worker lives, and after it has
// ended. The argument says how it ends: 'terminate', or 'unref' (the main thread unrefs everything
// that keeps the worker alive).
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { create, run, log, turns } = require('./script.js');

function work() {
  const received = [];
  const func = (item, label) => {
    received.push(`${item} of ${label}`);
    if (received.length === 2) parentPort.postMessage(received);
  };
  parentPort.postMessage(create({ func, label: workerData, threads: 3 }));
}

async function use(end) {
  const worker = new Worker(__filename, { workerData: 'foreign' });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const handle = await new Promise((resolve) => worker.once('message', resolve));
  const received = new Promise((resolve) => worker.once('message', resolve));
  const say = (what, operations) =>
    log(`${what}: ${operations.split(' ').map((operation) => run(handle, operation, 1)).join(' ')}`);

  say('alive', 'call callBlocking acquire release ref getContext');
  log(`the worker received: ${(await received).join(', ')}`);
  if (end === 'terminate') worker.terminate();
  else say('alive', 'unref');
  await exited;
  await turns(10);
  say('ended, counts', 'getContext call acquire release call ref unref');
  say('ended, stale', 'getContext call call acquire release release release abort');
  log('over');
}

if (isMainThread) use(process.argv[2]);
else work();
