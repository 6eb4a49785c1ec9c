// Addon code that runs while its environment ends, or that a function's own callbacks call.
// node lifetime-hooks.js CASE
'use strict';
const { Worker, isMainThread } = require('worker_threads');
const path = `${process.env.TEST_ADDONS}/lifetime.node`;
const addon = require(path);

// A function that does not keep the loop alive, with `count` counts.
function quiet(count, options) {
  const tsfn = addon.create({ count, ...options });
  addon.unref(tsfn);
  return tsfn;
}

// A function with `items` in its queue and `count` counts.
function filled(items, count, options) {
  const tsfn = addon.create({ count: count + 1, ...options });
  addon.start(tsfn, 'produce', 1, items);
  addon.join(tsfn);
  return tsfn;
}

// The same at the very end of the environment, when the loop no longer turns.
function filledAtEnd(items, count, options) {
  addon.startInHook(quiet(count + 1, options), 'produce', 1, items, items);
}

// The producers begin while the environment ends. So a wake-up is pending that is never delivered.
function between(addHook) {
  quiet(1);
  addHook();
  addon.startInHook(quiet(3), 'call', 3, 0, 1);
}

// The addon once more, with another napi_env of the same thread. Each of Jest's test files does
// this.
function other() {
  delete require.cache[require.resolve(path)];
  return require(path);
}

const cases = {
  // A hook of the addon, added before the create, joins the producers. These are calling, or are
  // blocked.
  hook() {
    addon.joinInHook();
    addon.start(quiet(3), 'call', 3);
    setTimeout(() => {}, 50);
  },
  hookBlocked() {
    addon.joinInHook();
    addon.startInHook(quiet(3, { queue: 2 }), 'produce', 3, 0, 2);
  },
  asyncHook() {
    addon.joinInAsyncHook();
    addon.start(quiet(3), 'call', 3);
    setTimeout(() => {}, 50);
  },
  asyncHookBlocked() {
    addon.joinInAsyncHook();
    addon.startInHook(quiet(3, { queue: 2 }), 'produce', 3, 0, 2);
  },
  // Such a hook, added between two creates. The producers of the newer function are rejected before
  // it runs.
  hookBetween() {
    between(addon.joinInHook);
  },
  asyncHookBetween() {
    between(addon.joinInAsyncHook);
  },
  nodeHookBetween() {
    between(addon.joinInNodeHook);
  },
  asyncNodeHookBetween() {
    between(addon.joinInAsyncNodeHook);
  },
  otherHookBetween() {
    between(other().joinAllInHook);
  },
  otherAsyncHookBetween() {
    between(other().joinAllInAsyncHook);
  },
  // Such a hook, added after the create. It runs while the function is still open.
  laterHook() {
    const tsfn = quiet(3);
    addon.joinInHook();
    addon.start(tsfn, 'produce', 3, 100);
  },
  laterHookBlocked() {
    const tsfn = quiet(3, { queue: 2 });
    addon.joinInHook();
    addon.startInHook(tsfn, 'produce', 3, 0, 2);
  },
  laterAsyncHookBlocked() {
    const tsfn = quiet(3, { queue: 2 });
    addon.joinInAsyncHook();
    addon.startInHook(tsfn, 'produce', 3, 0, 2);
  },
  // The producers are blocked already when the environment begins to end.
  laterHookBlockedBefore() {
    if (isMainThread) return new Worker(__filename, { argv: process.argv.slice(2) });
    const tsfn = quiet(3, { queue: 2 });
    addon.joinInHook();
    addon.start(tsfn, 'produce', 3);
    addon.waitBlocked(tsfn);
    return process.exit();
  },

  // A finalizer releases a function that is still alive.
  wrapped() {
    globalThis.kept = addon.wrap(quiet(1));
  },
  instanceData() {
    addon.instanceData(quiet(1));
  },
  finalizerNewer() {
    quiet(1, { releases: quiet(1) });
  },

  // finalize_cb joins threads that are blocked inside a call.
  joinAtEnd() {
    addon.startInHook(quiet(3, { queue: 2, joins: 1 }), 'produce', 3, 0, 2);
  },
  joinAtAbort() {
    const tsfn = addon.create({ count: 4, queue: 2, joins: 1 });
    addon.start(tsfn, 'produce', 3);
    addon.waitBlocked(tsfn);
    addon.abort(tsfn);
  },

  // finalize_cb joins threads that wait for the delivery of their item. The item is delivered with
  // a NULL env.
  awaitAtEnd() {
    addon.startInHook(quiet(4, { joins: 1 }), 'await', 4, 0, 4);
  },
  awaitAtAbort() {
    const tsfn = addon.create({ count: 5, joins: 1 });
    addon.start(tsfn, 'await', 4);
    addon.waitAccepted(tsfn, 4);
    addon.abort(tsfn);
  },

  // Items are left in the queue when the function ends.
  drainAtEnd() {
    filledAtEnd(10, 1);
  },
  drainAtAbort() {
    addon.abort(filled(10, 2));
  },
  drainInWorker() {
    if (isMainThread) new Worker(__filename, { argv: process.argv.slice(2) });
    else filledAtEnd(10, 1);
  },

  // All seven functions are used in call_js_cb, the drain and finalize_cb. First comes the item,
  // then the two calls that its delivery has made.
  probe() {
    let calls = 0;
    const callback = () => ++calls === 3 && setTimeout(() => addon.release(tsfn), 50);
    const tsfn = filled(1, 1, { probes: 1, callback });
  },
  probeAtEnd() {
    filledAtEnd(1, 1, { probes: 1 });
  },
  probeAtAbort() {
    addon.abort(filled(1, 2, { probes: 1 }));
  },

  // The callbacks take a lock that the threads hold while they call.
  lockAtEnd() {
    addon.start(quiet(4, { locks: 1 }), 'lock', 4);
    setTimeout(() => {}, 50);
  },
  lockAtAbort() {
    const tsfn = addon.create({ count: 5, locks: 1 });
    addon.start(tsfn, 'lock', 4);
    setTimeout(() => addon.abort(tsfn), 50);
  },
};

cases[process.argv[2]]();
