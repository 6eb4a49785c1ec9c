// @lydell/node-pty: a thread a shell waits for its end and tells JavaScript; the TSFN's finalizer joins that thread.
// node node-pty.js work|worker|alone|hangup|exit
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kind = isMainThread ? process.argv[2] : workerData;
// In the main thread too, which keeps the addon loaded when a worker ends; but not where that is the case.
if (isMainThread && kind !== 'alone') require('@lydell/node-pty');
const shell = (script) => require('@lydell/node-pty').spawn('/bin/sh', ['-c', script], { cols: 80, rows: 24 });

async function work() {
  const told = Array.from({ length: 10 }, (_, i) => new Promise((resolve) => {
    let output = '';
    const terminal = shell(`echo shell ${i}; exit ${i}`);
    terminal.onData((data) => (output += data));
    terminal.onExit(({ exitCode }) => resolve(output.trim() === `shell ${i}` && exitCode === i));
  }));
  console.log(`ended=${(await Promise.all(told)).filter(Boolean).length}`);
}

// Four shells. Their terminals close when their env ends, which ends those shells that heed it.
function start(script, onStarted) {
  let started = 0;
  for (let i = 0; i < 4; i++) shell(script).onData(() => ++started === 4 && onStarted());
}

async function terminated() {
  const worker = new Worker(__filename, { workerData: kind });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log('terminated');
}

const heedless = "trap '' HUP; echo started; sleep 0.3";
if (!isMainThread) {
  start(kind === 'hangup' ? 'echo started; sleep 5' : heedless, () => parentPort.postMessage('started'));
} else if (kind === 'exit') {
  start(heedless, () => {
    console.log('exiting');
    process.exit();
  });
} else if (kind === 'work') work();
else terminated();
