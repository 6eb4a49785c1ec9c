// A worker's addon loads a plugin, which makes the function and has its callbacks and its thread, and unloads it in
// a cleanup hook. The thread goes on.
// node fault-dlclose.js PLUGIN
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (isMainThread) {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.once('message', () => worker.terminate());
  worker.once('exit', () => setTimeout(() => {}, 600)); // as long as the thread goes on, and longer
} else {
  require(`${process.env.TEST_ADDONS}/faults.node`).plug(process.argv[2]);
  setTimeout(() => parentPort.postMessage('terminate me'), 20);
}
