// Programs for tsfn-guard top, used by top.bats. Each prints "ready" and lives until its stdin
// ends.
// node top.js CASE ARGS…
'use strict';
const { execFileSync } = require('child_process');
const { Worker, isMainThread, workerData } = require('worker_threads');
const { create, createWatched, run, runOn, start, turns, until, log, main } = require('./script.js');

const quiet = { func: () => {}, finalize: 'silent', label: 'mine' };

async function ready() {
  log('ready');
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve));
  process.exit(0);
}

// Items stay in a queue only if the loop does not turn. So another process waits for the end of
// stdin.
function readyWithoutTurning() {
  log('ready');
  execFileSync('cat', { stdio: ['inherit', 'ignore', 'inherit'] });
  process.exit(0);
}

async function createFinalized(threads) {
  const { handle, finalized } = createWatched({ ...quiet, threads: threads + 1, name: `finalized ${threads}` });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  return handle;
}

const cases = {
  // 5 functions are created and 2 finalized, one of which leaked. One has 5 of at most 8 items and
  // two threads, one is closing with 3 items, and one was found full by 4 calls. A stale handle is
  // used 3 times.
  known: async () => {
    const stale = await createFinalized(0);
    await createFinalized(2);
    const open = create({ ...quiet, threads: 2, max: 8, name: 'open' });
    const closing = create({ ...quiet, threads: 2, name: 'closing' });
    const full = create({ ...quiet, threads: 1, max: 1, name: 'full' });
    for (let i = 0; i < 5; i++) run(open, 'call', i);
    for (let i = 0; i < 3; i++) run(closing, 'call', i);
    run(closing, 'abort');
    run(closing, 'call', 3);
    for (let i = 0; i < 5; i++) run(full, 'call', i);
    for (let i = 0; i < 3; i++) run(stale, 'getContext');
    readyWithoutTurning();
  },

  // Ten calls every 20 ms, and a function that nobody calls.
  calling: () => {
    create({ ...quiet, threads: 1, name: 'idle' });
    const handle = create({ ...quiet, threads: 1, name: 'calling' });
    setInterval(() => run(handle, 'call', 1, 10), 20);
    return ready();
  },

  // Names that would control a terminal, forge a line, or break JSON.
  names: () => {
    for (const name of ['\x1b[31mred', 'two\nlines', 'quote " \\', 'grün€', '\u009b2J', 'x\u202eedon.\u2066', ''])
      create({ ...quiet, threads: 1, name });
    return ready();
  },

  // One function keeps the loop alive, one does not, one is closing, a thread waits for one, and
  // one is in a worker. For status.bats.
  alive: async () => {
    const worker = new Worker(__filename, { workerData: 'of a worker' });
    await new Promise((resolve) => worker.once('message', resolve));
    create({ ...quiet, threads: 1, name: 'referenced' });
    run(create({ ...quiet, threads: 1, name: 'unreferenced' }), 'unref');
    run(create({ ...quiet, threads: 1, name: 'closing' }), 'abort');
    const full = create({ ...quiet, threads: 2, max: 1, name: 'full' });
    run(full, 'call', 1);
    runOn('waits', full, 'getContext');
    start('waits', full, 'callBlocking', 2);
    readyWithoutTurning();
  },

  many: (count) => {
    for (let i = 0; i < count; i++) create({ ...quiet, threads: 1, name: `f${i}` });
    return ready();
  },

  // Like lmdb: functions are created, called once and finalized, as fast as possible.
  churn: async () => {
    let over = false;
    ready().then(() => (over = true));
    while (!over) {
      const all = Array.from({ length: 100 }, () => createWatched({ ...quiet, threads: 1, name: 'churn' }));
      for (const { handle } of all) {
        run(handle, 'call', 1);
        run(handle, 'release');
      }
      await Promise.all(all.map(({ finalized }) => finalized));
    }
  },

  workers: async (count) => {
    const all = Array.from({ length: count }, (_, i) => new Worker(__filename, { workerData: `worker ${i}` }));
    await Promise.all(all.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
    return ready();
  },

  // Waits for a message. Then the program is replaced by another one, or ends.
  end: () => ready(),
};

if (isMainThread) {
  main(cases);
} else {
  create({ ...quiet, threads: 1, name: workerData });
  require('worker_threads').parentPort.postMessage('ready');
  setInterval(() => {}, 1000);
}
