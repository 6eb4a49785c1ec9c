// Only workers load the addon, one after the other. Each does something with it and ends.
// node lifetime-unload.js ADDON nothing|startAndFinish|create|neighbour|once|linger|wait|start
//   [WORKERS]
//
// Each worker prints how often the addon has been initialized with its present static variables.
// This is 1 if the addon was unloaded with the previous worker.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const [, , name, action, workers = '3'] = process.argv;

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
  for (let i = 0; i < workers; i++) await runWorker();
  if (!['once', 'nothing', 'neighbour'].includes(action)) await sleep(500); // threads end earlier
}

function end(text) {
  parentPort.postMessage(text);
  setTimeout(() => process.exit(0), 20);
}

if (isMainThread) {
  main();
} else {
  const addon = require(`${process.env.TEST_ADDONS}/${name}.node`);
  const loads = `loads=${addon.loads()}`;
  if (action === 'once') {
    const status = addon.once(() => end(`${loads} delivered`));
    if (status !== 0) end(`${loads} refused with ${status}`);
  } else {
    if (action !== 'nothing') addon[action]();
    end(loads);
  }
}
