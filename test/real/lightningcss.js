// lightningcss: the threads of a Rust pool call bundleAsync's resolvers in JavaScript, and wait for
// the answers.
// node lightningcss.js work|worker|alone|exit
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kind = isMainThread ? process.argv[2] : workerData;
// The main thread loads the addon too, so that it stays loaded when a worker ends. In the case
// `alone` it does not.
if (isMainThread && kind !== 'alone') require('lightningcss');

const FILES = 20;

// Bundles files that exist only in the resolver. Each imports the next.
async function bundle() {
  const { code } = await require('lightningcss').bundleAsync({
    filename: '0.css',
    minify: true,
    resolver: {
      resolve: (specifier) => specifier,
      read: async (file) => {
        await null;
        const i = parseInt(file, 10);
        return `${i < FILES - 1 ? `@import "${i + 1}.css";` : ''} .c${i} { width: ${i}px }`;
      },
    },
  });
  return `${code}`.split('}').length - 1;
}

async function work() {
  const counts = new Set();
  for (let i = 0; i < 20; i++) counts.add(await bundle());
  console.log(`rules=${[...counts]}`);
}

// Eight bundles at a time, for ever. Calls onBusy after the first few.
function keepBusy(onBusy) {
  let done = 0;
  const run = async () => {
    for (;;) {
      await bundle();
      if (++done === 30) onBusy();
    }
  };
  for (let i = 0; i < 8; i++) run();
}

// Four workers at once, terminated while busy. (A fifth worker that starts afterwards may wait for
// ever, because the pool's threads that asked the four workers still wait for their answers.)
async function terminated() {
  const workers = Array.from({ length: 4 }, () => new Worker(__filename, { workerData: kind }));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await Promise.all(workers.map((worker) => worker.terminate()));
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log('terminated');
}

if (!isMainThread) {
  keepBusy(() => parentPort.postMessage('busy'));
} else if (kind === 'exit') {
  keepBusy(() => {
    console.log('exiting');
    process.exit();
  });
} else if (kind === 'work') work();
else terminated();
