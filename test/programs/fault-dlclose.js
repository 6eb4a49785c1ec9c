// The addon of a worker loads a plugin. The plugin creates the function, and contains its callbacks
// and its thread. The addon unloads the plugin in a cleanup hook, while the thread goes on.
// node fault-dlclose.js PLUGIN
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (isMainThread) {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.once('message', () => worker.terminate());
  worker.once('exit', () => setTimeout(() => {}, 600)); // longer than the thread goes on
} else {
  require(`${process.env.TEST_ADDONS}/faults.node`).plug(process.argv[2]);
  setTimeout(() => parentPort.postMessage('terminate me'), 20);
}
