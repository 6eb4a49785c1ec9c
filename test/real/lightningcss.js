// lightningcss: bundleAsync asks resolvers in JavaScript from threads of a Rust pool, which wait for the answers.
// node lightningcss.js work|worker|alone|exit
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kind = isMainThread ? process.argv[2] : workerData;
// In the main thread too, which keeps the addon loaded when a worker ends; but not where that is the case.
if (isMainThread && kind !== 'alone') require('lightningcss');

const FILES = 20;

// A bundle of files that exist in the resolver only, each importing the next.
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

// Eight bundles at a time, for ever; says so after the first few.
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

// Four workers at once, terminated while busy. (A fifth, started afterwards, may wait for ever: the threads of the pool
// that asked the four still wait for their answers.)
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
