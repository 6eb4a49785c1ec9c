// Callbacks that are omitted, and the ways to close: what is called, with which arguments, and in
// which order.
'use strict';
const { executionAsyncId } = require('async_hooks');
const { watch } = require('./transcript-order.js');
const { create, tryCreate, createWatched, run, runOn, log, turns, main } = require('./script.js');
const raw = require(`${process.env.TEST_ADDONS}/script.node`);

function say(what, handle, operations) {
  log(`${what}: ${operations.split(' ').map((operation) => run(handle, operation, 7)).join(' ')}`);
}

const cases = {
  // The runtime calls the function, without arguments.
  defaultCallJs: () => {
    const handle = create({
      label: 'default',
      callJs: 'null',
      func: function (...args) {
        const receiver = this === undefined || this === globalThis ? 'no receiver' : typeof this;
        log(`called with ${args.length} arguments and ${receiver}`);
      },
    });
    run(handle, 'call', 1, 3);
    runOn('a', handle, 'call', 1, 2);
    run(handle, 'release');
  },

  defaultCallJsAborted: () => {
    const handle = create({ label: 'default', callJs: 'null', func: () => log('called') });
    run(handle, 'call', 1, 3);
    run(handle, 'abort');
  },

  noFunction: () => {
    const { handle } = raw.create({ name: 'noFunction', label: 'noFunction' });
    run(handle, 'call', 1, 2);
    run(handle, 'release');
  },

  // Without finalize_cb, while async_hooks are watching.
  noFinalizer: () => {
    watch(['noFinalizer']);
    const handle = create({ name: 'noFinalizer', finalize: 'null', label: 'noFinalizer' });
    run(handle, 'call', 1);
    run(handle, 'release');
    turns(10).then(() => log('end'));
  },

  // Another thread refs. The loop thread has to be woken for this.
  foreignRef: async () => {
    watch(['foreignRef']);
    const handle = create({ name: 'foreignRef', label: 'foreignRef' });
    log(runOn('a', handle, 'ref'));
    await turns(5);
    say('main', handle, 'call release');
  },

  // Closed while a count is left that nobody will ever give back.
  leakedCount: () => {
    watch(['leakedCount']);
    const handle = create({ name: 'leakedCount', label: 'leakedCount', threads: 2 });
    run(handle, 'abort');
    turns(10).then(() => log('end'));
  },

  abortWithItems: () => {
    const handle = create({ label: 'abortWithItems', threads: 2 });
    runOn('a', handle, 'call', 1, 3);
    say('abort', handle, 'abort call acquire');
    runOn('a', handle, 'call', 4);
  },

  abortInCallback: () => {
    const handle = create({
      label: 'abortInCallback',
      threads: 3,
      func: (item) => {
        log(`item ${item}`);
        if (item === 2) say('within', handle, 'abort acquire call getContext release release');
      },
    });
    run(handle, 'call', 1, 4);
  },

  releaseInLastCallback: () => {
    const handle = create({
      label: 'releaseInLastCallback',
      func: (item) => {
        log(`item ${item}`);
        if (item === 3) say('within', handle, 'release');
        process.nextTick(() => log(`tick of ${item}`));
      },
    });
    run(handle, 'call', 1, 3);
  },

  // The last release comes first, then a call in the same callback: the function is still open.
  releaseAndCallInCallback: () => {
    let again = true;
    const handle = create({
      label: 'releaseAndCall',
      func: (item) => {
        log(`item ${item}`);
        if (again) say('within', handle, 'release call');
        again = false;
      },
    });
    run(handle, 'call', 1);
  },

  // The runtime has decided to close before it delivers the last item.
  callInLastCallback: () => {
    const handle = create({
      label: 'callInLastCallback',
      func: (item) => {
        log(`item ${item}`);
        if (item === 2) say('within', handle, 'call call acquire release getContext ref unref');
      },
    });
    run(handle, 'call', 1, 2);
    say('before', handle, 'release');
  },

  // The finalizer creates another function, which is used at once.
  createInFinalizer: () => {
    const handle = create({
      label: 'first',
      onFinalize: () => {
        const func = (item) => log(`item ${item} of second in ${executionAsyncId() !== 0}`);
        const second = create({ label: 'second', func });
        say('second', second, 'call release');
      },
    });
    say('first', handle, 'call release');
  },

  // Many functions at once: the order of their items and of their finalizers.
  many: async () => {
    const handles = Array.from({ length: 20 }, (_, i) => create({ label: `number ${i}` }));
    for (const handle of handles) runOn('a', handle, 'call', 1, 2);
    for (const handle of handles.slice(0, 10)) run(handle, 'release');
    await turns(3);
    for (const handle of handles.slice(10).reverse()) run(handle, 'abort');
    await turns(3);
    log(tryCreate({ label: 'one more', finalize: 'silent' }).status);
    await turns(10);
    process.exit();
  },

  // Nested: within a callback, other functions are used, closed and created.
  nested: () => {
    const inner = create({ label: 'inner' });
    const outer = create({
      label: 'outer',
      func: (item) => {
        log(`item ${item} of outer`);
        say('inner', inner, item === 3 ? 'release' : 'call acquire release');
        if (item === 1) createWatched({ label: 'made within' }).finalized.then(() => log('never'));
        if (item === 3) process.exitCode = 0;
      },
    });
    run(outer, 'call', 1, 3);
    run(outer, 'release');
    turns(10).then(() => process.exit());
  },
};

main(cases);
