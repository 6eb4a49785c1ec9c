// Items of several threads, what runs between them, and what JavaScript sees around each:
// nextTicks, microtasks, AsyncLocalStorage, async ids. The threads are joined before the loop
// turns, so the order is always the same.
'use strict';
const { AsyncLocalStorage, AsyncResource, executionAsyncId, executionAsyncResource, triggerAsyncId, createHook } =
  require('async_hooks');
const { create, run, runOn, log, turns, main } = require('./script.js');

function callFromThreads(handle, count) {
  for (const thread of ['a', 'b', 'c']) log(`${thread}: ${runOn(thread, handle, 'call', 100, count)}`);
  for (const thread of ['c', 'b', 'a']) log(`${thread}: ${runOn(thread, handle, 'callBlocking', 200, count)}`);
}

// Logs the events of all async resources with these names. It writes at once, because console.log
// would create resources itself.
function watch(names, ids = new Set()) {
  const mine = (id) => ids.has(id);
  createHook({
    init(id, type, trigger, resource) {
      if (!names.includes(type)) return;
      ids.add(id);
      log(`init ${id} ${type} trigger ${trigger} resource ${JSON.stringify(resource)}`);
    },
    before(id) {
      if (mine(id)) log(`before ${id}, in ${executionAsyncId()}`);
    },
    after(id) {
      if (mine(id)) log(`after ${id}`);
    },
    destroy(id) {
      if (mine(id)) log(`destroy ${id}`);
    },
  }).enable();
}

const inside = (what) =>
  `${what} in ${executionAsyncId()} triggered by ${triggerAsyncId()} with ${JSON.stringify(executionAsyncResource())}`;

module.exports = { watch, inside };

const cases = {
  threads: () => {
    const handle = create({ label: 'threads' });
    callFromThreads(handle, 20);
    log(`release: ${run(handle, 'release')}`);
  },

  between: () => {
    let count = 0;
    const handle = create({
      label: 'between',
      func: (item) => {
        const number = ++count;
        log(`item ${item}, number ${number}`);
        process.nextTick(() => {
          log(`  tick of ${number}`);
          process.nextTick(() => log(`  tick in tick of ${number}`));
          Promise.resolve().then(() => log(`  microtask in tick of ${number}`));
        });
        queueMicrotask(() => {
          log(`  microtask of ${number}`);
          process.nextTick(() => log(`  tick in microtask of ${number}`));
        });
        (async () => {
          await null;
          log(`  after await of ${number}`);
        })();
        if (number === 5) log(`  call within: ${run(handle, 'call', 500)}`);
      },
    });
    callFromThreads(handle, 3);
    run(handle, 'release');
  },

  asyncLocalStorage: () => {
    const storage = new AsyncLocalStorage();
    const func = (item, label) => {
      log(`item ${item} of ${label}: ${storage.getStore()}`);
      storage.enterWith(`entered by ${item}`);
      setImmediate(() => log(`immediate of ${item}: ${storage.getStore()}`));
      Promise.resolve().then(() => log(`microtask of ${item}: ${storage.getStore()}`));
      process.nextTick(() => log(`tick of ${item}: ${storage.getStore()}`));
    };
    const bare = create({ label: 'bare', func });
    const within = storage.run('the store', () => create({ label: 'within', func }));
    const resource = storage.run('the resource', () => ({ made: 'here' }));
    const given = storage.run('the given', () => create({ label: 'given', func, resource }));
    for (const handle of [bare, within, given]) {
      storage.run('the caller', () => run(handle, 'call', 1));
      runOn('a', handle, 'call', 2);
      run(handle, 'release');
    }
  },

  asyncHooks: () => {
    watch(['mine', 'given', 'mocked']);
    const func = (item) => {
      log(inside(`item ${item}`));
      process.nextTick(() => log(inside(`tick of ${item}`)));
      Promise.resolve().then(() => log(inside(`microtask of ${item}`)));
    };
    const handles = [
      create({ label: 'no resource', name: 'mine', func }),
      create({ label: 'resource', name: 'given', resource: { answer: 42 }, func }),
      new AsyncResource('outer', { triggerAsyncId: 77 }).runInAsyncScope(
        () => create({ label: 'in a scope', name: 'mocked', func, resource: new Proxy({ proxied: 1 }, {}) })),
    ];
    log(inside('main'));
    for (const handle of handles) callFromThreads(handle, 2);
    for (const handle of handles) run(handle, 'release');
  },

  // The function never calls anything: closed by release, closed by abort with items, and revived
  // in between.
  asyncHooksOfClosing: async () => {
    watch(['released', 'aborted', 'revived', 'refused']);
    const released = create({ label: 'released', name: 'released' });
    const aborted = create({ label: 'aborted', name: 'aborted', threads: 1 });
    const revived = create({ label: 'revived', name: 'revived' });
    run(released, 'release');
    run(aborted, 'abort');
    log(`${run(revived, 'release')} ${run(revived, 'acquire')}`);
    await turns(10);
    log('half time');
    log(`${run(revived, 'call', 1)} ${run(revived, 'release')}`);
    await turns(10);
    log('end');
  },
};

if (require.main === module) main(cases);
