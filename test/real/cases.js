// The cases that all addons here have: the addon's work, or an end while the addon is busy.
// node ADDON.js work|exit|quit|end|worker, with $SCRATCH being an empty directory
// A program calls cases({ work, busy }). work() returns what is printed. busy(dir, swing) keeps the
// addon busy for ever, and calls swing() as soon as it is fully busy.
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const dir = process.env.SCRATCH;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Each time the end comes at a different moment of the addon's work.
const soon = () => sleep(Math.random() * 60);

// Starts two busy workers, or as many as the addon can bear. Each worker has its own directory, or
// all share one.
let started = 0;
const startWorker = (shared) => new Promise((resolve, reject) => {
  const own = shared ? dir : path.join(dir, `worker-${started++}`);
  fs.mkdirSync(own, { recursive: true });
  const worker = new Worker(process.argv[1], { workerData: own });
  worker.once('message', () => resolve(worker));
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('a worker ended before it was busy')));
});
const start = ({ workers = 2, shared = false }) =>
  Promise.all(Array.from({ length: workers }, () => startWorker(shared)));

function exit() {
  console.log('exiting');
  process.exit();
}

const kinds = {
  async work({ work }) {
    console.log(JSON.stringify(await work(dir)));
  },
  // process.exit() in the busy thread.
  async exit({ busy }) {
    await new Promise((swing) => busy(dir, swing));
    await soon();
    exit();
  },
  // process.exit() while workers are busy.
  async quit(program) {
    await start(program);
    await soon();
    exit();
  },
  // The main thread ends by itself, and does not wait for its busy workers.
  async end(program) {
    for (const worker of await start(program)) worker.unref();
    await soon();
    console.log('ending');
  },
  // Busy workers are terminated, three times, or as often as the addon can stand.
  async worker(program) {
    for (let i = 0; i < (program.rounds || 3); i++) {
      const workers = await start(program);
      await soon();
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    await sleep(100);
    console.log('survived');
    process.exit();
  },
};

module.exports = (program) => {
  if (isMainThread) kinds[process.argv[2]](program);
  else program.busy(workerData, () => parentPort.postMessage('busy'));
};
