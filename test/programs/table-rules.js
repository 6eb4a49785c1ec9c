// The rules beside the contract's table: what an operation does to thread_count, credit, queue and
// loop. The argument names the case.
'use strict';
const { tryCreate, create, createWatched, run, runOn, start, finished, poll, fuzz, log, turns, main } =
  require('./script.js');

const silent = { func: () => {}, finalize: 'silent', label: 'mine' };

// Does the operations one after the other, and prints all answers in one line.
function say(what, handle, operations, thread) {
  const answers = operations.split(' ').map((operation) =>
    (thread === undefined ? run(handle, operation, 1) : runOn(thread, handle, operation, 1)));
  log(`${what}: ${answers.join(' ')}`);
}

function closing(threads) {
  const handle = create({ ...silent, threads: threads + 1 });
  run(handle, 'abort');
  return handle;
}

async function closed(threads) {
  const { handle, finalized } = createWatched({ ...silent, threads: threads + 1 });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  return handle;
}

// Runs `use` on a closing and on a closed handle with this many counts.
async function lateHandles(threads, use) {
  use('closing', closing(threads));
  use('closed', await closed(threads));
}

function countOf(handle, max) {
  let count = 0;
  while (count <= max && run(handle, 'release') === 'ok') count++;
  return count;
}

const cases = {
  // What each operation leaves of a thread_count of 5.
  counts: async () => {
    for (const operation of ['call', 'acquire', 'release', 'abort', 'getContext', 'ref', 'unref']) {
      const open = create({ ...silent, threads: 5 });
      run(open, operation);
      const left = [];
      left.push(operation === 'abort' ? 'closed' : countOf(open, 10));
      // If a call has consumed a count, one more release succeeds because of the credit. This one
      // is subtracted.
      await lateHandles(5, (state, handle) => {
        const credit = run(handle, operation) === 'closing' && operation === 'call' ? 1 : 0;
        left.push(countOf(handle, 10) - credit);
      });
      log(`${operation} leaves ${left.join(' ')}`);
    }
  },

  // Each napi_closing that consumed a count pays for one release, even if the handle has become
  // stale since then.
  credit: async () => {
    await lateHandles(2, (state, handle) => {
      say(`${state}, calls`, handle, 'call call');
      say(`${state}, releases`, handle, 'release abort release', 'other');
    });
    const { handle, finalized } = createWatched({ ...silent, threads: 3 });
    run(handle, 'abort');
    say('closing, then stale, calls', handle, 'call call');
    await finalized;
    await turns(2);
    say('closing, then stale, releases', handle, 'release release release');
  },

  // Without a count: each thread gets napi_closing once for each handle, whichever function it
  // calls first.
  oncePerThread: async () => {
    await lateHandles(1, (state, handle) => {
      say(`${state}, the count's`, handle, 'call');
      say(`${state}, this thread`, handle, 'call callBlocking call');
      for (const thread of ['a', 'b', 'c']) say(`${state}, thread ${thread}`, handle, 'call call acquire call', thread);
    });
    const handles = await Promise.all(Array.from({ length: 10 }, () => closed(0)));
    log(`ten handles: ${handles.map((handle) => runOn('a', handle, 'call')).join(' ')}`);
    log(`ten handles again: ${handles.map((handle) => runOn('a', handle, 'call')).join(' ')}`);
  },

  // A released count comes back in the same turn of the loop. The thread-safe function stays open.
  revive: async () => {
    const acquired = create({ label: 'acquired' });
    say('acquired', acquired, 'release acquire');
    await turns(5);
    say('acquired, later', acquired, 'call release');
    const called = create({ label: 'called' });
    say('called', called, 'release call release');
    const byThread = create({ label: 'by a thread' });
    say('by a thread', byThread, 'release', 'other');
    say('by a thread', byThread, 'acquire call call release release', 'other');
  },

  // Exactly max_queue_size items fit. Items that were already delivered do not count.
  queueFull: async (max) => {
    const handle = create({ label: 'full', max: Number(max), func: () => {} });
    log(`first: ${run(handle, 'call', 0, 1000)}`);
    log(`a thread: ${runOn('other', handle, 'call', 0, 1000)}`);
    await turns(Number(max) + 2);
    log(`after delivery: ${runOn('other', handle, 'call', 0, 1000)}`);
    log(`release: ${run(handle, 'release')}`);
  },

  // The queue is full, and nobody but this thread can empty it.
  ownLoop: async () => {
    const handle = create({ label: 'full', max: 1 });
    say('own loop', handle, 'call callBlocking call callBlocking');
    await turns(5);
    say('own loop', handle, 'call release');
  },

  // The loop sleeps, and another thread unrefs the only thing that keeps it alive.
  unrefByThread: () => {
    const handle = create({ label: 'unref' });
    start('other', handle, 'unref', 0, 0, 300);
    process.on('exit', () => {
      let outcome;
      while ((outcome = poll('other')) === null);
      log(`ends, the thread got ${outcome}`);
    });
  },

  // The function is unref'd, and another thread refs it. Then only the function keeps the loop
  // alive. An unref'd timer ends the program.
  refByThread: (keepTurning) => {
    const handle = create({ label: 'ref' });
    run(handle, 'unref');
    log(`the thread got ${runOn('other', handle, 'ref')}`);
    if (keepTurning === 'turning') setTimeout(() => log('the last timer is over'), 50);
    setTimeout(() => {
      log('still alive');
      run(handle, 'release');
    }, 400).unref();
  },

  // The last ref or unref counts, whether it was made by another thread or by the loop thread.
  lastRefCounts: () => {
    const handle = create({ label: 'ref' });
    const second = create({ label: 'second' });
    for (const operation of ['unref', 'ref', 'unref']) runOn('other', handle, operation);
    runOn('other', second, 'ref');
    run(second, 'unref');
    process.on('exit', () => log('ends'));
  },

  // An unref while the count is 0 is remembered, and takes effect if the count comes back in the
  // same turn.
  unrefWhileReleased: () => {
    const handle = create({ label: 'unref' });
    for (const operation of ['release', 'unref', 'acquire']) log(`${operation}: ${runOn('other', handle, operation)}`);
    process.on('exit', () => log('ends'));
  },

  nullResult: () => {
    const { status, message } = tryCreate({ result: 'null' });
    log(`create: ${status}, ${message}`);
    const handle = create({ ...silent });
    say('get_context', handle, 'getContextNullResult getContext release');
  },

  garbage: (seed, count) => {
    const handle = create(silent);
    fuzz(Number(seed), Number(count), handle);
    say('the real one', handle, 'getContext call release');
  },

  // Every operation during the drain and in the finalizer: with counts left, and without.
  drainAndFinalizer: async () => {
    const ops = 'call acquire release getContext getContextNullResult ref unref abort call call';
    for (const [label, threads] of [['counted', 4], ['uncounted', 1]]) {
      const { handle, finalized } = createWatched({ label, threads, drainOps: ops, finalizeOps: ops });
      run(handle, 'call', 7);
      run(handle, 'abort');
      await finalized;
    }
    await turns(2);
  },

  // Faults of every kind, each several times and from several threads. Each kind is reported in one
  // line.
  faults: async () => {
    const stale = await closed(0);
    const handle = create({ ...silent, name: 'an-open-one', threads: 9 });
    for (const thread of ['a', 'b']) {
      for (const operation of ['call', 'acquire', 'getContext', 'release', 'ref']) {
        runOn(thread, stale, operation);
        runOn(thread, 0n, operation);
        runOn(thread, 0x1234n, operation);
      }
      runOn(thread, handle, 'getContextNullResult');
      runOn(thread, handle, 'unref');
      runOn(thread, handle, 'ref');
    }
    for (let i = 0; i < 2; i++) {
      const full = create({ ...silent, name: 'a-full-one', max: 1, threads: 5 });
      say('own loop', full, 'call callBlocking');
      for (const thread of ['c', 'd', 'e']) start(thread, full, 'callBlocking');
      const pause = new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(pause, 0, 0, 300); // waits until they sleep; the loop must not turn
      say('several blocked', full, 'abort');
      for (const thread of ['c', 'd', 'e']) log(`blocked: ${await finished(thread)}`);
    }
    run(handle, 'abort');
  },

  // Everything that an addon may do: nothing is reported.
  quiet: async () => {
    const handle = create({ ...silent, max: 2, threads: 3 });
    say('all is well', handle, 'call acquire getContext ref unref ref call call release release', undefined);
    say('a thread', handle, 'call getContext acquire release release', 'other');
    await turns(5);
    say('abort', handle, 'call abort');
  },
};

main(cases);
