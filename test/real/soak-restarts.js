// A server that restarts its worker, which uses three addons, each second; the worker never ends by itself.
// node soak-restarts.js SECONDS, in $SCRATCH, which is empty
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const pty = require('@lydell/node-pty');
const watcher = require('@parcel/watcher');
const { open } = require('lmdb');

const scratch = fs.realpathSync(process.env.SCRATCH);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Watches a directory, writes to a database, and has a shell that outlives it.
async function work() {
  const uses = { watcher: 0, lmdb: 0, pty: 0 };
  const used = (what) => {
    if (uses[what]++ === 0 && Object.values(uses).every((n) => n > 0)) parentPort.postMessage('working');
  };
  await watcher.subscribe(workerData, () => used('watcher'), { backend: 'inotify' });
  pty.spawn('/bin/sh', ['-c', "trap '' HUP; echo started; sleep 1"], {}).onData(() => used('pty'));
  const database = open({ path: path.join(scratch, 'database'), noSync: true });
  for (let i = 0; ; i++) {
    await database.put(i % 1000, i);
    used('lmdb');
  }
}

async function main() {
  const seconds = Number(process.argv[2]);
  const flat = require('./flat').watch(seconds);
  const end = Date.now() + seconds * 1000;
  // A directory for each worker, as @parcel/watcher takes a new thread of an old id for the old one, and crashes. It
  // does not change while its worker is being terminated, as a worker that is told then crashes too (both its own
  // faults); it changes before, and ever after the last three ended.
  const ended = [];
  let current;
  const change = (directory) => fs.writeFileSync(path.join(directory, 'file'), `${Date.now()}`);
  const changing = setInterval(() => [current, ...ended.slice(-3)].filter(Boolean).forEach(change), 20);
  let restarts = 0;
  let worked = 0;
  for (; Date.now() < end; restarts++) {
    const directory = (current = fs.mkdtempSync(path.join(scratch, 'watched-')));
    const worker = new Worker(__filename, { workerData: directory });
    const working = await Promise.race([
      new Promise((resolve) => worker.once('message', resolve)),
      new Promise((resolve, reject) => worker.once('error', reject)),
      sleep(10000),
    ]);
    if (working) worked++;
    current = undefined;
    await sleep(600); // the addon tells of a change after half a second at the latest
    await worker.terminate();
    ended.push(directory);
  }
  clearInterval(changing);
  console.error(`${restarts} restarts, ${worked} workers worked`);
  console.log(`${worked === restarts ? 'all workers worked' : 'a worker did not work'}, ${flat()}`);
  process.exit();
}

if (isMainThread) main();
else work();
