// For single.bats: the code of an application that pkg packs, with the addons of a package.
// app issue    the case of nodejs/node#55706
// app workers  five workers, each terminated while 4 threads call
// app wait     has a function open until it is killed
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const issue = require('@acme/sensor/issue55706.node');
const lifetime = require('@acme/sensor/lifetime.node');

async function terminateWorkers() {
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(__filename);
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
}

function callFromThreads() {
  const tsfn = lifetime.create({ count: 4 });
  lifetime.start(tsfn, 'mix', 4, 300);
  lifetime.waitAccepted(tsfn, 4);
  parentPort.postMessage('running');
}

const cases = {
  issue() {
    issue.start(32);
    setTimeout(() => {}, 100);
  },
  workers: terminateWorkers,
  wait() {
    lifetime.create({ count: 1 });
    console.log('waits');
  },
};

if (isMainThread) cases[process.argv[2]]();
else callFromThreads();
