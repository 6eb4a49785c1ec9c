// What is done with an addon that a program here knows how to use: its work, or its end while it is busy.
// node ADDON.js work|exit|quit|end|worker, in $SCRATCH, which is empty. A program calls cases({ work, busy }):
// work() answers what is printed; busy(dir, swing) keeps the addon busy for ever and calls swing() when in full swing.
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const dir = process.env.SCRATCH;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// The end comes at another moment of the addon's work each time.
const soon = () => sleep(Math.random() * 60);

// Two workers in full swing, or as many as an addon stands; each has a directory, or all have one.
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
  // process.exit() in the thread that is busy.
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
  // The main thread ends by itself while workers are busy that it does not wait for.
  async end(program) {
    for (const worker of await start(program)) worker.unref();
    await soon();
    console.log('ending');
  },
  // Busy workers are terminated, three times over, or as many times as an addon stands.
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
