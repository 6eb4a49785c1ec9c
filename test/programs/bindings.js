// Prints which object contains the seven functions, for every way to find them, in the main thread
// and in a worker. With the arguments "fork" and "cluster" it does so in such children instead.
'use strict';
const { isMainThread, Worker } = require('worker_threads');
const cluster = require('cluster');
const addon = require(`${process.env.TEST_ADDONS}/bindings.node`);

function describe(where) {
  for (const way of ['load', 'default', 'program']) console.log(`${where} ${way}: ${addon.describe(way)}`);
}

const kind = process.argv[2];
if (!isMainThread) {
  describe('worker');
} else if (process.send) {
  describe(cluster.isWorker ? 'cluster' : 'fork');
  process.disconnect();
} else if (kind === 'fork') {
  require('child_process').fork(__filename);
} else if (kind === 'cluster') {
  cluster.fork();
} else {
  describe('main');
  new Worker(__filename);
}
