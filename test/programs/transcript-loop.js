// What the event loop notices: whether a function keeps it alive, backpressure, and whether other
// things get their turn.
'use strict';
const { create, createWatched, run, start, runOn, finished, log, turns, main } = require('./script.js');

process.on('exit', () => log('exit'));

const cases = {
  // A thread calls and releases after 200 ms. Nothing else lives that long.
  keptAlive: () => {
    const handle = create({
      label: 'keptAlive',
      func: (item) => {
        log(`item ${item}`);
        runOn('a', handle, 'release');
      },
    });
    start('b', handle, 'call', 1, 1, 200);
  },

  unref: () => {
    const handle = create({ label: 'unref' });
    log(run(handle, 'unref'));
    log('main is over');
  },

  // ref and unref are not counted: one unref undoes many refs, and one ref undoes many unrefs.
  notCounted: () => {
    const ended = create({ label: 'ended' });
    for (const operation of ['ref', 'ref', 'unref', 'unref', 'ref', 'unref']) log(run(ended, operation));
    const alive = create({ label: 'alive' });
    for (const operation of ['unref', 'unref', 'ref']) log(run(alive, operation));
    setTimeout(() => {
      log('released');
      run(alive, 'release');
    }, 100).unref();
  },

  // In callbacks, in ticks, and after closing has begun.
  inCallback: () => {
    const handle = create({
      label: 'inCallback',
      func: (item) => {
        log(`item ${item}: ${run(handle, 'unref')}`);
        if (item === 2) process.nextTick(() => {
          log(`ref: ${run(handle, 'ref')}, abort: ${run(handle, 'abort')}, ref: ${run(handle, 'ref')}`);
        });
        else setTimeout(() => log(`call: ${run(handle, 'call', 2)}`), 20);
      },
    });
    run(handle, 'call', 1);
  },

  unrefWithItems: async () => {
    const handle = create({ label: 'unrefWithItems' });
    run(handle, 'call', 1, 3);
    run(handle, 'unref');
    await turns(3);
    run(handle, 'release');
  },

  // A producer reaches the limit again and again, and everything arrives in order.
  backpressure: async (max) => {
    const received = [];
    const handle = create({ label: 'backpressure', max: Number(max), func: (item) => received.push(item) });
    start('a', handle, 'callBlocking', 1, 300);
    log(await finished('a'));
    await turns(Number(max) + 10); // otherwise the thread's last items may still fill the queue
    run(handle, 'call', 1000);
    run(handle, 'release');
    await turns(Number(max) + 10);
    log(received.join(' '));
  },

  // If the queue is full, a nonblocking caller is refused until the loop has taken an item.
  refusedUntilSpace: async () => {
    const handle = create({ label: 'refusedUntilSpace', max: 3 });
    for (let round = 0; round < 3; round++) {
      log(runOn('a', handle, 'call', round * 10, 5));
      await turns(4);
    }
    run(handle, 'release');
  },

  // Every item queues another, so the queue is never empty. Nevertheless timers and immediates must
  // run.
  flood: () => {
    let timers = 0;
    let immediates = 0;
    const handle = create({
      label: 'flood',
      func: (item) => {
        if (timers < 3 || immediates < 3) run(handle, 'call', item + 1);
        else if (run(handle, 'release') === 'ok') log('the flood is over, after three timers and three immediates');
      },
    });
    const timer = setInterval(() => {
      if (++timers <= 3) log(`timer ${timers}`);
      if (timers >= 3) clearInterval(timer);
    }, 30);
    setImmediate(function again() {
      if (++immediates < 3) setImmediate(again);
    });
    run(handle, 'call', 1);
  },

  // Another thread calls 300,000 times while a timer waits.
  floodByThread: async () => {
    let items = 0;
    let previous = -1;
    let inOrder = true;
    const { handle, finalized } = createWatched({
      label: 'floodByThread',
      func: (item) => {
        items++;
        if (item !== previous + 1) inOrder = false;
        previous = item;
      },
    });
    let early = false;
    setTimeout(() => { early = items < 300000; }, 1);
    start('a', handle, 'call', 0, 300000);
    log(await finished('a'));
    run(handle, 'release');
    await finalized;
    log(`${items} items, in order ${inOrder}, a timer in the middle ${early}`);
  },
};

main(cases);
