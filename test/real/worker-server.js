// A server that starts a worker for every request. Only the worker loads @parcel/watcher and lmdb.
// It is terminated when it has answered. There are 30 requests, one after the other.
// node worker-server.js serve, with $SCRATCH being an empty directory
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const REQUESTS = 30;

// In the worker: writes and reads a value, and waits until it sees a change of a file.
async function answer(number) {
  const dir = path.join(fs.realpathSync(process.env.SCRATCH), `request-${number}`);
  fs.mkdirSync(dir);
  const store = require('lmdb').open({ path: `${dir}.database`, noSync: true, mapSize: 1 << 24 });
  await store.put('number', number);
  let seen;
  const change = new Promise((resolve) => (seen = resolve));
  await require('@parcel/watcher').subscribe(dir, (error, events) => {
    if (error) throw error;
    seen(events.length);
  }, { backend: 'inotify' });
  fs.writeFileSync(path.join(dir, 'file'), '');
  parentPort.postMessage({ number: store.get('number'), changes: (await change) > 0 });
}

// The first message of a worker, or the reason why there was none.
function ask(worker) {
  return new Promise((resolve) => {
    worker.once('message', ({ number, changes }) => resolve(`${number} ${changes}`));
    worker.once('error', (error) => resolve(`error: ${error.message}`));
    worker.once('exit', (status) => resolve(`exit ${status}`));
  });
}

function serve() {
  let number = 0;
  const server = http.createServer(async (request, response) => {
    const worker = new Worker(__filename, { workerData: number++ });
    const text = await ask(worker);
    await worker.terminate();
    response.end(text);
  });
  server.listen(0, '127.0.0.1', async () => {
    let served = 0;
    for (let i = 0; i < REQUESTS; i++) {
      const got = await get(server.address().port);
      if (got === `${i} true`) served++;
      else console.log(`request ${i}: ${got}`);
    }
    console.log(`served ${served} of ${REQUESTS}`);
    server.close();
  });
}

const get = (port) => new Promise((resolve, reject) => {
  http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
    let text = '';
    response.on('data', (part) => (text += part));
    response.on('end', () => resolve(text));
  }).on('error', reject);
});

if (isMainThread) serve();
else answer(workerData);
