// @lydell/node-pty: for each shell, a thread waits for its end and reports it to JavaScript. The
// TSFN's finalizer joins that thread.
// node node-pty.js work|worker|alone|hangup|exit, with $SCRATCH being an empty directory
'use strict';
const fs = require('fs');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kind = isMainThread ? process.argv[2] : workerData.kind;
// The main thread loads the addon too, so that it stays loaded when a worker ends. In the case
// `alone` it does not.
if (isMainThread && kind !== 'alone') require('@lydell/node-pty');
const shell = (script) => require('@lydell/node-pty').spawn('/bin/sh', ['-c', script], { cols: 80, rows: 24 });

async function work() {
  const results = Array.from({ length: 10 }, (_, i) => new Promise((resolve) => {
    let output = '';
    // After the end of a shell node-pty reads its output for only 200 ms, which is too short on
    // a busy machine.
    const terminal = shell(`echo shell ${i}; sleep 1; exit ${i}`);
    terminal.onData((data) => (output += data));
    terminal.onExit(({ exitCode }) => resolve(output.trim() === `shell ${i}` && exitCode === i));
  }));
  console.log(`ended=${(await Promise.all(results)).filter(Boolean).length}`);
}

// A shell that ignores hang-ups. It runs until there is a file `end` in dir, or dir is gone.
const dir = isMainThread ? fs.mkdtempSync(`${process.env.SCRATCH}/`) : workerData.dir;
const heedless = `trap '' HUP; echo started; while [ -e '${dir}' ] && [ ! -e '${dir}/end' ]; do sleep 0.05; done`;

// Starts four shells. When their env ends, their terminals close. This ends the shells that do not
// ignore hang-ups.
function start(script, onStarted) {
  let started = 0;
  for (let i = 0; i < 4; i++) shell(script).onData(() => ++started === 4 && onStarted());
}

async function terminated() {
  const worker = new Worker(__filename, { workerData: { kind, dir } });
  await new Promise((resolve) => worker.once('message', resolve));
  // By then the worker already waits for its shells.
  setTimeout(() => fs.writeFileSync(`${dir}/end`, ''), 1500);
  await worker.terminate();
  console.log('terminated');
}

if (!isMainThread) {
  start(kind === 'hangup' ? 'echo started; sleep 5' : heedless, () => parentPort.postMessage('started'));
} else if (kind === 'exit') {
  start(heedless, () => {
    console.log('exiting');
    fs.writeFileSync(`${dir}/end`, '');
    process.exit();
  });
} else if (kind === 'work') work();
else terminated();
