// Programs with known metrics. metrics.bats reads the file. The argument names the case.
'use strict';
const { readFileSync, statSync, symlinkSync } = require('fs');
const { create, createWatched, run, turns, log, main } = require('./script.js');

const path = process.env.METRICS;
const quiet = { func: () => {}, finalize: 'silent', label: 'mine' };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function createFinalized(threads) {
  const { handle, finalized } = createWatched({ ...quiet, threads: threads + 1 });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  return handle;
}

// Leaves 4 functions created and 2 finalized, one of which leaked; an open function with 5 items,
// and a closing one with 3; 3 uses of a stale handle, and 2 over-releases.
async function leaveKnown() {
  const stale = await createFinalized(0);
  await createFinalized(2);
  const open = create({ ...quiet, threads: 2 });
  const closing = create({ ...quiet, threads: 2 });
  for (let i = 0; i < 5; i++) run(open, 'call', i);
  for (let i = 0; i < 3; i++) run(closing, 'call', i);
  run(closing, 'abort');
  for (let i = 0; i < 3; i++) run(stale, 'getContext');
  const empty = create({ ...quiet, threads: 1 });
  run(empty, 'release');
  for (let i = 0; i < 2; i++) run(empty, 'release');
}

const cases = {
  // Ends within the first second, so only the write at exit can have counted everything.
  known: async (way) => {
    if (way === 'sigterm') {
      process.on('SIGTERM', () => leaveKnown().then(() => process.exit(0)));
      process.kill(process.pid, 'SIGTERM');
      await sleep(10000);
    }
    await leaveKnown();
    if (way === 'exit') process.exit(0);
    if (way === 'throw') throw new Error('thrown on purpose');
  },

  nothing: () => {},

  // Prints the file as it is before the first misuse, and leaves it as it is after that.
  before: async () => {
    log(readFileSync(path, 'utf8').trimEnd());
    run(await createFinalized(0), 'getContext');
    process.exit(0);
  },

  // 5 calls are accepted, by two functions, 2 find the queue full, and 3 come too late.
  calls: async () => {
    const full = create({ ...quiet, max: 2, threads: 1 });
    const other = create({ ...quiet, threads: 4 });
    for (let i = 0; i < 4; i++) run(full, 'call', i);
    for (let i = 0; i < 3; i++) run(other, 'call', i);
    run(other, 'abort');
    for (let i = 0; i < 3; i++) run(other, 'call', i);
    process.exit(0);
  },

  // For some seconds there are a create, a delivery, a finalizer and an event in every turn.
  busy: async (seconds) => {
    const end = Date.now() + seconds * 1000;
    let count = 0;
    for (; Date.now() < end; count++) {
      const { handle, finalized } = createWatched({ ...quiet, threads: 1 });
      run(handle, 'call', 1);
      run(handle, 'abort');
      await finalized;
      run(handle, 'release');
      await turns(1);
    }
    log(count);
    process.exit(0);
  },

  // After the create, items are only delivered. First it waits for more than a second, and says
  // whether the file was written anew without a delivery, which must not happen. Then it calls, and
  // says whether a delivery has written the file. It calls repeatedly, because a slow first write
  // makes the guard wait for longer.
  deliveries: async () => {
    const written = () => statSync(path).mtimeMs;
    const handle = create({ ...quiet, threads: 1 });
    const before = written();
    await sleep(1200);
    log(`by waiting: ${written() !== before}`);
    for (const start = Date.now(); written() === before && Date.now() < start + 20000; await sleep(100)) {
      run(handle, 'call', 1);
      await turns(3);
    }
    log(`by a delivery: ${written() !== before}`);
    process.exit(0);
  },

  // Somebody else has made a link at the path of the temporary file.
  planted: (victim) => {
    symlinkSync(victim, `${path}.${process.pid}.tmp`);
    create({ ...quiet, threads: 1 });
    process.exit(0);
  },

  // The file stays in its place when the program changes its directory.
  elsewhere: async () => {
    process.chdir('/');
    create({ ...quiet, threads: 1 });
    process.exit(0);
  },
};

main(cases);
