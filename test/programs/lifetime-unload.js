// Only workers load the addon, one after the other, and end once they have done something with it.
// node lifetime-unload.js ADDON nothing|startAndFinish|create|neighbour|once|linger|wait|start [WORKERS]
//
// Each worker tells how often the addon was initialized since its static variables began: once, where it was unloaded with
// the last worker.
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
  if (!['once', 'nothing', 'neighbour'].includes(action)) await sleep(500); // threads live shorter
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
