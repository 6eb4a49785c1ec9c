# shellcheck shell=bash
# A cluster of four servers that watch files with @parcel/watcher; each in turn is told to go and is replaced.

mkdir files
cat >server.js <<'END'
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const path = require('path');
const watcher = require('@parcel/watcher');

const dir = fs.realpathSync('files');
const SERVERS = 4;

async function serve() {
  const seen = new Set();
  const subscription = await watcher.subscribe(dir, (error, events) => events.forEach((event) => {
    if (event.type === 'create') seen.add(path.basename(event.path));
    if (seen.size === 50) process.send('saw all');
  }));
  const server = http.createServer((request, response) => response.end(`hello ${request.url.slice(1)}`));
  server.listen(0, () => process.send(server.address().port));
  process.on('message', async () => {
    await subscription.unsubscribe();
    server.close();
    process.disconnect();
  });
}

const next = (worker) => new Promise((resolve) => worker.once('message', resolve));

async function lead() {
  const workers = Array.from({ length: SERVERS }, () => cluster.fork());
  const ports = await Promise.all(workers.map(next));
  const all = Promise.all(workers.map(next));
  for (let i = 0; i < 50; i++) fs.writeFileSync(path.join(dir, `${i}`), '');
  console.log(await all);
  for (let i = 0; i < SERVERS; i++) {
    const ended = new Promise((resolve) => workers[i].once('exit', (code, signal) => resolve(`exit ${code} ${signal}`)));
    workers[i].send('go');
    console.log(await ended);
    workers[i] = cluster.fork();
    ports[i] = await next(workers[i]);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) =>
      fetch(`http://127.0.0.1:${ports[i]}/${n}`).then((answer) => answer.text())));
    console.log(answers.every((text, n) => text === `hello ${n}`));
  }
  const ends = workers.map((worker) => new Promise((resolve) => worker.once('exit', (code) => resolve(code))));
  workers.forEach((worker) => worker.send('go'));
  console.log(await Promise.all(ends));
}

if (cluster.isPrimary) lead();
else serve();
END
node server.js
