// rolldown: threads of a Rust runtime call plug-ins in JavaScript. The addon finds the functions by
// dlsym.
// node rolldown.js work|worker|alone|exit
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kind = isMainThread ? process.argv[2] : workerData;
const MODULES = 60;

// Builds a chain of modules that exist only in the plug-in, which also transforms each of them.
async function build() {
  const { rolldown } = await loaded();
  const bundle = await rolldown({
    input: 'virtual:0',
    plugins: [{
      name: 'virtual',
      resolveId: async (id) => (await null, id),
      load: async (id) => {
        await null;
        const i = Number(id.split(':')[1]);
        const rest = i < MODULES - 1 ? `import { n as next } from 'virtual:${i + 1}';` : 'const next = 0;';
        return `${rest} export const n = next + ONE;`;
      },
      transform: async (code) => (await null, { code: code.replace('ONE', '1') }),
    }],
  });
  const { output } = await bundle.generate({ format: 'cjs' });
  await bundle.close();
  const module = { exports: {} };
  new Function('module', 'exports', output[0].code)(module, module.exports);
  return module.exports.n;
}

async function work() {
  const sums = new Set();
  for (let i = 0; i < 5; i++) sums.add(await build());
  console.log(`sum=${[...sums]}`);
}

// Three builds at a time, for ever. Calls onBusy after the first few.
function keepBusy(onBusy) {
  let done = 0;
  const run = async () => {
    for (;;) {
      await build();
      if (++done === 6) onBusy();
    }
  };
  for (let i = 0; i < 3; i++) run();
}

async function terminated() {
  const workers = Array.from({ length: 2 }, () => new Worker(__filename, { workerData: kind }));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await Promise.all(workers.map((worker) => worker.terminate()));
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log('terminated');
}

// rolldown is an ES module, and import() does not use NODE_PATH.
const loaded = () => import(require('url').pathToFileURL(require.resolve('rolldown')));

async function main() {
  // The main thread loads the addon too, so that it stays loaded when a worker ends. In the case
  // `alone` it does not.
  if (isMainThread && kind !== 'alone') await loaded();
  if (!isMainThread) return keepBusy(() => parentPort.postMessage('busy'));
  if (kind === 'work') return work();
  if (kind !== 'exit') return terminated();
  keepBusy(() => {
    console.log('exiting');
    process.exit();
  });
}
main();
