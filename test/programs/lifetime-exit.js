// Processes and workers that end without a finalizer, or within a callback.
// node lifetime-exit.js static|anonymous|blocked|within|worker-exit|worker-terminate
'use strict';
const { Worker, workerData, parentPort } = require('worker_threads');
const load = (name) => require(`${process.env.TEST_ADDONS}/${name}.node`);

// A static std::jthread calls until it gets napi_closing. Static destructors join it.
function staticThread(kind) {
  const addon = load('static_thread');
  if (kind === 'static') addon.start();
  else addon.startAnonymous(() => {}); // created by code that is in no file
  setTimeout(() => process.exit(0), 100);
}

// The addon's destructor joins three threads that are blocked on a full queue.
function blocked(addon) {
  const tsfn = addon.create({ queue: 4, count: 3 });
  addon.start(tsfn, 'produce', 3);
  addon.waitBlocked(tsfn);
  process.exit(0);
}

// Three threads call on a bounded queue. Once the queue is full and all threads are blocked, the
// third delivery ends everything.
function endWithin(addon, end) {
  let calls = 0;
  const endAtThird = () => {
    if (++calls !== 3) return;
    addon.waitBlocked(tsfn);
    end();
  };
  const tsfn = addon.create({ queue: 4, count: 3, callback: endAtThird });
  addon.start(tsfn, 'produce', 3);
}

function inWorker(addon) {
  const worker = new Worker(__filename, { workerData: process.argv[2] });
  worker.on('message', () => worker.terminate());
  worker.on('exit', (code) => console.log(`worker: ${code}`));
}

const isStatic = ['static', 'anonymous'].includes(process.argv[2]);
const addon = isStatic ? null : load('lifetime');
const askToTerminate = () => {
  parentPort.postMessage('terminate me');
  for (;;); // the callback never returns by itself
};
if (workerData === 'worker-exit') endWithin(addon, () => process.exit(7));
else if (workerData === 'worker-terminate') endWithin(addon, askToTerminate);
else if (isStatic) staticThread(process.argv[2]);
else if (process.argv[2] === 'blocked') blocked(addon);
else if (process.argv[2] === 'within') endWithin(addon, () => process.exit(0));
else inWorker(addon);
