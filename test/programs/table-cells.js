// The contract's table, for one state: every operation on a handle in that state, from the loop
// thread and from another thread. Each operation has a fresh handle. Prints "operation: answer on
// the loop thread, answer elsewhere". Arguments: the state, and optionally one operation, which is
// then the only one.
'use strict';
const { create, createWatched, run, runOn, log, turns, main } = require('./script.js');

const operations = ['call', 'callBlocking', 'acquire', 'release', 'abort', 'getContext', 'getContextNullResult',
  'ref', 'unref'];
const REST = 4096; // this many slots are free before the oldest is reused

const quiet = { func: () => {}, finalize: 'silent', label: 'mine' };

async function closed(threads) {
  const { handle, finalized } = createWatched({ ...quiet, threads });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  return handle;
}

// In every state with counts, thread_count is 2 before the operation.
const states = {
  open: () => create({ ...quiet, threads: 2 }),

  // The abort was requested, and the loop cannot turn before the operation is done.
  closing: () => {
    const handle = create({ ...quiet, threads: 3 });
    run(handle, 'abort');
    return handle;
  },

  closed: () => closed(3),

  stale: () => closed(1),

  // Now the slot serves another thread-safe function, whose context must not be seen.
  reused: async () => {
    const handle = await closed(1);
    const other = { ...quiet, label: 'other' };
    const rest = Array.from({ length: REST }, () => create(other));
    for (const one of rest) run(one, 'abort');
    await turns(4);
    while (run(handle, 'getContext').startsWith('ok')) create(other);
    return handle;
  },

  null: () => 0n,

  garbage: () => 0xdeadbeefdead0n,
};

async function table(state, chosen) {
  for (const operation of chosen === undefined ? operations : [chosen]) {
    const here = run(await states[state](), operation, 1);
    const there = runOn('other', await states[state](), operation, 1);
    log(`${operation}: ${here}, ${there}`);
  }
  process.exit();
}

main(Object.fromEntries(Object.keys(states).map((state) => [state, (chosen) => table(state, chosen)])));
