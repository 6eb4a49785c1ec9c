// A server that restarts its worker every second. The worker uses three addons, and never ends by
// itself.
// node soak-restarts.js SECONDS, with $SCRATCH being an empty directory
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const pty = require('@lydell/node-pty');
const watcher = require('@parcel/watcher');
const { open } = require('lmdb');

const scratch = fs.realpathSync(process.env.SCRATCH);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Watches `directory`, writes to a database until it gets a message, and has a shell that outlives
// it.
async function work(directory) {
  const uses = { watcher: 0, lmdb: 0, pty: 0 };
  const used = (what) => {
    if (uses[what]++ === 0 && Object.values(uses).every((n) => n > 0)) parentPort.postMessage('working');
  };
  await watcher.subscribe(directory, () => used('watcher'), { backend: 'inotify' });
  parentPort.postMessage('subscribed');
  const untilEnd = `[ -e '${directory}' ] && [ ! -e '${directory}/end' ]`;
  pty.spawn('/bin/sh', ['-c', `trap '' HUP; echo started; while ${untilEnd}; do sleep 0.05; done`], {}).onData(() => used('pty'));
  const database = open({ path: path.join(scratch, 'database'), noSync: true });
  let resting = false;
  parentPort.once('message', () => (resting = true));
  for (let i = 0; !resting; i++) {
    await database.put(i % 1000, i);
    used('lmdb');
  }
  parentPort.postMessage('resting');
}

async function main() {
  const seconds = Number(process.argv[2]);
  const flat = require('./flat').watch(seconds);
  const end = Date.now() + seconds * 1000;
  // This avoids faults of the addons themselves (docs/real-addons.md). Each worker has its own
  // directory, because @parcel/watcher confuses a new thread with an old one that had the same id.
  // No file changes, no transaction runs and no shell ends while a worker is being terminated,
  // because all three addons then throw. The last three watched directories go on changing.
  const ended = [];
  const change = (directory) => fs.writeFileSync(path.join(directory, 'file'), `${Date.now()}`);
  const changing = setInterval(() => ended.slice(-3).forEach(change), 100);
  let restarts = 0;
  let worked = 0;
  for (; Date.now() < end; restarts++) {
    const directory = fs.mkdtempSync(path.join(scratch, 'watched-'));
    const worker = new Worker(__filename, { workerData: directory });
    const says = (what) => Promise.race([
      new Promise((resolve) => worker.once('message', (message) => resolve(message === what))),
      new Promise((resolve, reject) => worker.once('error', reject)),
      sleep(20000),
    ]);
    const subscribed = await says('subscribed');
    fs.mkdirSync(path.join(directory, 'the change'));
    const working = await says('working');
    worker.postMessage('rest');
    if (subscribed && working && await says('resting')) worked++;
    setTimeout(() => fs.writeFileSync(path.join(directory, 'end'), ''), 700);
    await worker.terminate();
    ended.push(directory);
  }
  clearInterval(changing);
  console.error(`${restarts} restarts, ${worked} workers worked`);
  console.log(`${worked === restarts ? 'all workers worked' : 'a worker did not work'}, ${flat()}`);
  process.exit();
}

if (isMainThread) main();
else work(workerData);
