// What create refuses: each argument is wrong in turn. Prints the status, the last error info, and
// what was thrown.
'use strict';
const { create: createExactly } = require(`${process.env.TEST_ADDONS}/script.node`);
const { tryCreate, createWatched, createAtTeardown, run, log, main } = require('./script.js');

// An option that is missing is NULL.
function attemptExactly(what, options) {
  log(what);
  try {
    const { handle, exception } = createExactly({ finalize: 'silent', tell: 'yes', ...options });
    log(`  ${handle === 0n ? 'no handle' : 'a handle'}${exception ? `, pending ${exception.message}` : ''}`);
    if (handle !== 0n) log(`  ${run(handle, 'getContext')}, ${run(handle, 'abort')}`);
  } catch (error) {
    log(`  threw ${error.message}`);
  }
}

function attempt(what, options) {
  attemptExactly(what, { func: () => {}, name: 'script', ...options });
}

const noisy = (what) => ({
  toString: () => {
    log(`  toString of the ${what}`);
    return what;
  },
});

const failing = {
  toString: () => {
    log('  toString fails');
    throw new Error('no string');
  },
};

const cases = {
  refusals: () => {
    attempt('nothing wrong', {});
    attempt('NULL env', { env: 'null' });
    attemptExactly('NULL func', { name: 'script' });
    attemptExactly('NULL func and call_js_cb', { name: 'script', callJs: 'null' });
    attempt('NULL call_js_cb', { callJs: 'null' });
    for (const [what, value] of [['undefined', undefined], ['null', null], ['an object', {}], ['a string', 'f'],
      ['a number', 1], ['a class', class {}], ['a proxy', new Proxy(() => {}, {})]]) {
      attempt(`func is ${what}`, { func: value });
    }
    for (const [what, value] of [['undefined', undefined], ['null', null], ['a string', 'r'], ['a number', 1],
      ['true', true], ['a symbol', Symbol('s')], ['a function', () => {}], ['frozen', Object.freeze({})],
      ['the global', globalThis]]) attempt(`resource is ${what}`, { resource: value });
    attemptExactly('NULL name', { func: () => {} });
    for (const [what, value] of [['undefined', undefined], ['null', null], ['a number', 7], ['an object', {}],
      ['a symbol', Symbol('s')], ['empty', ''], ['long', 'n'.repeat(100000)], ['with NUL', 'a\0b'],
      ['not of one byte', 'Ünïcödé €𝄞'.repeat(9)], ['a lone surrogate', 'a\ud800'],
      ['an object with toString', noisy('name')], ['an object whose toString throws', failing]]) {
      attempt(`name is ${what}`, { name: value });
    }
    attempt('thread count 0', { threads: 0 });
    attempt('thread count 0 and NULL result', { threads: 0, result: 'null' });
    attempt('NULL result', { result: 'null' });
    attempt('NULL result, and the name an object with toString', { result: 'null', name: noisy('name') });
    attempt('NULL result, and the name a symbol', { result: 'null', name: Symbol('s') });
    attempt('func not a function and name a symbol', { func: {}, name: Symbol('s') });
    attempt('func not a function and resource null', { func: {}, resource: null });
    attempt('resource null and name an object with toString', { resource: null, name: noisy('name') });
    attempt('thread count 0 and func not a function', { threads: 0, func: {} });
    attempt('many threads', { threads: 0xffffffff });
    attempt('a large queue', { max: 0xffffffff });
    attempt('finalize_cb NULL', { finalize: 'null' });
  },

  // A refused create leaves nothing behind: no hooks, and no slots that would affect later creates.
  refusedOften: () => {
    for (let i = 0; i < 10000; i++) tryCreate({ func: 1, finalize: 'silent' });
    for (let i = 0; i < 10000; i++) tryCreate({ threads: 0, finalize: 'silent' });
    const { handle, finalized } = createWatched({ label: 'after all' });
    finalized.then(() => log('finalized'));
    log(`${run(handle, 'call', 1)} ${run(handle, 'release')}`);
  },

  atTeardown: () => {
    createAtTeardown('late');
    log('main is over');
  },

  atWorkerTeardown: () => {
    const { Worker, isMainThread } = require('worker_threads');
    if (!isMainThread) createAtTeardown('late in a worker');
    else new Worker(__filename, { argv: ['atWorkerTeardown'] }).on('exit', (code) => log(`worker exit ${code}`));
  },
};

main(cases);
