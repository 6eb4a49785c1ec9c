// Only workers load the addon. Each starts a thread and ends at once. The thread lives on for a
// while.
// node lifetime-mapped.js ADDON start|startAndFinish|create
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const [, , name, action] = process.argv;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function runWorker() {
  return new Promise((resolve) => {
    const worker = new Worker(__filename, { argv: [name, action] });
    worker.on('error', (error) => console.log(error.message.replace(/'.*\//, "'")));
    worker.on('message', console.log);
    worker.on('exit', resolve);
  });
}

async function main() {
  for (let i = 0; i < 3; i++) {
    await runWorker();
    await sleep(1000); // the thread ends earlier
  }
}

if (isMainThread) {
  main();
} else {
  require(`${process.env.TEST_ADDONS}/${name}.node`)[action]();
  parentPort.postMessage('loaded');
  setTimeout(() => process.exit(0), 20);
}
