// @parcel/watcher: one thread of the addon watches for all envs, and calls each subscriber's
// JavaScript.
// node parcel-watcher.js work|idle|busy|stuck|alone|exit, with $SCRATCH being an empty directory
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const dir = fs.realpathSync(process.env.SCRATCH);
const kind = isMainThread ? process.argv[2] : workerData;
// The main thread loads the addon too, so that it stays loaded when the worker ends. In the case
// `alone` it does not.
if (isMainThread && kind !== 'alone') require('@parcel/watcher');

const subscribe = (onEvents) =>
  require('@parcel/watcher').subscribe(dir, (error, events) => {
    if (error) throw error;
    onEvents(events);
  }, { backend: 'inotify' });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// act() changes one file. This gives one event, because the addon waits 50 ms for more.
async function work() {
  const seen = { create: 0, update: 0, delete: 0 };
  let onOurs;
  const subscription = await subscribe((events) => {
    const ours = events.filter((event) => path.basename(event.path).startsWith('ours'));
    for (const { type } of ours) seen[type]++;
    if (ours.length > 0) onOurs();
  });
  const change = async (act) => {
    const next = new Promise((resolve) => (onOurs = resolve));
    act();
    await next;
  };
  for (let i = 0; i < 5; i++) {
    const file = path.join(dir, `ours-${i}`);
    // With contents there would be two events, sometimes in two batches.
    await change(() => fs.writeFileSync(file, ''));
    await change(() => fs.appendFileSync(file, 'more'));
    await change(() => fs.unlinkSync(file));
  }
  await subscription.unsubscribe();
  console.log(`create=${seen.create} update=${seen.update} delete=${seen.delete}`);
}

// A subscribed worker is terminated. Then the directory changes, and the main thread must get the
// events. In the case `alone` the main thread has not loaded the addon. Without the guard it can no
// longer load it: this addon registers itself from a constructor, and is never unmapped.
async function terminated() {
  const worker = new Worker(__filename, { workerData: kind });
  await new Promise((resolve) => worker.once('message', resolve));
  if (kind === 'stuck') await changeOften();
  await worker.terminate();
  if (kind !== 'alone') return work();
  for (let i = 0; i < 15; i++) {
    fs.writeFileSync(path.join(dir, 'alone'), `${i}`);
    await sleep(100);
  }
  console.log('changed');
}

// Events come all the time. Meanwhile a worker is terminated, or the main thread exits.
async function keepBusy() {
  await subscribe(() => {});
  for (let i = 0; ; i++) {
    fs.writeFileSync(path.join(dir, `busy-${i % 10}`), `${i}`);
    if (i === 100) isMainThread ? exit() : parentPort.postMessage('busy');
    await sleep(1);
  }
}

// A subscribed worker that does not get to handle its events. They wait when it is terminated, and
// the loop still delivers them in the same turn.
async function getStuck() {
  await subscribe(() => {});
  parentPort.postMessage('stuck');
  setTimeout(() => {
    for (;;);
  });
}

async function changeOften() {
  for (let i = 0; i < 6; i++) {
    await sleep(100);
    fs.writeFileSync(path.join(dir, 'stuck'), `${i}`);
  }
  await sleep(100);
}

function exit() {
  console.log('exiting');
  process.exit();
}

const inMain = { work, exit: keepBusy };
const inWorker = { busy: keepBusy, stuck: getStuck };
if (isMainThread) (inMain[kind] || terminated)();
else if (inWorker[kind]) inWorker[kind]();
else subscribe(() => {}).then(() => parentPort.postMessage('idle'));
