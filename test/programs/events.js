// Every kind of event: the code that provokes it, and what the event must then contain, field by
// field.
// node events.js provoke CASE                  provokes it, and prints facts that the event must
//                                              agree with, as JSON
// node events.js check CASE (MODE LOG FACTS)…  checks the files that runs in these modes have
//                                              written and printed
'use strict';
const fs = require('fs');
const { Worker, isMainThread } = require('worker_threads');
const { create, createWatched, run, runOn, runAtTeardown, start, finished, turns } = require('./script.js');

const ADDON = `${fs.realpathSync(process.env.TEST_ADDONS)}/script.node`;

// --- Provoking

const quiet = { func: () => {}, finalize: 'silent', label: 'mine' };

const facts = { pid: process.pid, started: Date.now() };

// /proc/thread-self is the thread that reads it, so it is this one.
function thisThread() {
  const tid = Number(fs.readlinkSync('/proc/thread-self').split('/').pop());
  return { tid, name: fs.readFileSync('/proc/thread-self/comm', 'utf8').trim() };
}

// A thread of test/addons/script.c has the name that it was given.
function nativeThread(name) {
  const named = (tid) => fs.readFileSync(`/proc/self/task/${tid}/comm`, 'utf8').trim() === name;
  return { tid: Number(fs.readdirSync('/proc/self/task').find(named)), name };
}

function printFacts(handle, thread = thisThread()) {
  facts.func = `0x${handle.toString(16)}`;
  facts.thread = thread;
  facts.loopThread ??= process.pid;
  fs.writeSync(1, `${JSON.stringify(facts)}\n`);
}

// Does the operation on this thread, or on the native thread with that name, and prints the facts.
function misuse(handle, operation, thread) {
  facts.answer = thread === undefined ? run(handle, operation) : runOn(thread, handle, operation);
  printFacts(handle, thread === undefined ? undefined : nativeThread(thread));
}

// A finalized function, with this many counts out.
async function closed(threads) {
  const { handle, finalized } = createWatched({ ...quiet, threads: threads + 1 });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  return handle;
}

// Ends by process.exit(), so that the end of the env causes no event of its own. The timer prevents
// an event about what has kept the process alive.
function leave() {
  setTimeout(() => {}, 1e6);
  process.exit();
}

async function misuseOnce(handle, operation, thread) {
  misuse(await handle, operation, thread);
  leave();
}

// The guard learns the runtime's version at the first create.
function misuseBesideAnother(handle, operation) {
  create(quiet);
  return misuseOnce(handle, operation);
}

function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const spin = (ms) => {
  for (const end = Date.now() + ms; Date.now() < end;);
};

// Runs the rest of the case in a worker, whose thread prints the facts.
function inWorker() {
  const worker = new Worker(__filename, { argv: process.argv.slice(2) });
  worker.on('error', (error) => {
    throw error;
  });
}

// --- Expecting: an expected value that is a function decides. All others must be equal.

const PATIENCE_MS = 20000; // node may take this long to start
const natural = (value) => Number.isSafeInteger(value) && value >= 0;
const soon = (value) => natural(value) && value < PATIENCE_MS;
const isText = (value) => typeof value === 'string' && value.length > 5;
const frame = /^(\/.+\+)?0x[0-9a-f]+$/;
const isStack = (value) => Array.isArray(value) && value.length >= 1 && value.length <= 16 &&
  value.every((one) => frame.test(one)) && !value[0].includes('libtsfnguard');
const isOffset = (value) => /^0x[0-9a-f]+$/.test(value);

function differences(actual, expected, path = 'event') {
  if (typeof expected === 'function') {
    return expected(actual) ? [] : [`${path}: ${JSON.stringify(actual)} is not what ${expected} says`];
  }
  if (expected === null || typeof expected !== 'object' || actual === null || typeof actual !== 'object') {
    return actual === expected ? [] : [`${path}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`];
  }
  const names = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return [...names].flatMap((name) => {
    if (!Object.hasOwn(actual, name)) return [`${path}.${name} is missing`];
    if (!Object.hasOwn(expected, name)) return [`${path}.${name} should not be there`];
    return differences(actual[name], expected[name], `${path}.${name}`);
  });
}

// The address of a function in the addon, as nm prints it.
function addressOf(name) {
  const line = process.env.ADDON_SYMBOLS.split('\n').find((one) => one.endsWith(` ${name}`));
  return parseInt(line, 16);
}

// Expects the calling code in the addon's function `perform`, or at the beginning of a callback.
function caller(callback) {
  const named = (value) => /^perform\+\d+$/.test(value);
  const inPerform = (value) => isOffset(value) && Number(value) - addressOf('perform') > 0 &&
    Number(value) - addressOf('perform') < 4096;
  const at = callback === undefined ? inPerform : `0x${addressOf(callback).toString(16)}`;
  const symbol = callback === undefined ? named : null;
  return { file: ADDON, offset: at, symbol, build_id: process.env.ADDON_BUILD_ID || null };
}

// Expects the function as the event shows it. `particular` has the fields that differ from those of
// a new function.
function expectedHandle(particular, diagnose) {
  const traced = diagnose ? {
    age_ms: soon,
    finalized_ms_ago: particular.finalized ? soon : null,
    queue_highest: particular.queue ?? 0,
  } : {};
  const handle = {
    number: natural,
    name: 'script',
    state: 'open',
    finalized: false,
    counts: 1,
    credit: 0,
    queue: 0,
    queue_limit: 0,
    blocked_callers: 0,
    referenced: true,
    addon: ADDON,
    ...traced,
    ...particular,
  };
  return diagnose ? handle : { ...handle, age_ms: null, finalized_ms_ago: null, queue_highest: null };
}

// On Node 18 a worker's number cannot be read.
function expectedEnv(worker, known, diagnose) {
  if (!diagnose) return { number: 1 };
  const unknown = worker !== 0 && process.getBuiltinModule === undefined;
  return { number: 1, worker: unknown ? null : worker, loop_thread: known.loopThread };
}

// The fields that all events have in common. `particular` has what differs in this event:
//   kind, severity
//   call: [function, mode, answer]
//   callback: if there was no call, the addon's callback in which it happened
//   quantity: {what: how many}
//   worker: 0 is the main thread
//   addon: another one, whose function is unknown
//   handle: the fields that differ from those of a new function
//   finalizing: it is being finalized
//   early: before main, when the thread has the program's name
function expectedEvent(code, particular, mode, known) {
  const diagnose = mode === 'diagnose';
  const { kind, severity, call, callback, quantity, handle, worker = 0, early, finalizing } = particular;
  const inAddon = (value) => isStack(value) && value[0].startsWith(`${ADDON}+0x`);
  const inRuntime = (value) => isStack(value) && !value[0].startsWith(ADDON);
  const event = {
    version: 1,
    type: 'event',
    time: (value) => value === new Date(value).toISOString() && Date.parse(value) >= known.started - PATIENCE_MS &&
      Date.parse(value) <= Date.now(),
    code,
    kind,
    severity,
    explanation: isText,
    runtime: early ? null : `node ${process.versions.node}`,
    natively: isText,
    action: (value) => value === 'none' || isText(value),
    addon: particular.addon ?? (call ?? callback ?? handle ? ADDON : null),
    seen: 1,
    suppressed: 0,
    // The package around the build directory, if any.
    package: (value) => value === null || isText(value),
    remedy: isText,
    page: `docs/misuse/${code}.md`,
    thread: { pid: known.pid, ...known.thread, ...(early ? { name: 'node' } : {}) },
  };
  if (early) event.detail = (value) => /^not armed in \/.+: needed .+, found .+; .+; it runs unguarded$/.test(value);
  if (quantity) event.quantity = quantity;
  if (call) event.call = { function: `napi_${call[0]}`, func: known.func, mode: call[1], answered: `napi_${call[2]}` };
  if (call || callback) event.caller = caller(callback);
  if (handle) Object.assign(event, { handle: expectedHandle(handle, diagnose), env: expectedEnv(worker, known, diagnose) });
  if (!diagnose) return event;
  event.stack = call ? inAddon : isStack;
  if (handle) event.created_at = inAddon;
  if (handle && (handle.finalized || finalizing)) event.finalized_at = inRuntime;
  return event;
}

// --- The cases

// A thread uses a finalized function that has two counts.
function afterFinalize(operation, kind, call) {
  return {
    freedOnly: true,
    provoke: () => misuseOnce(closed(2), operation, 'user'),
    event: { kind, severity: 'fatal-avoided', call, handle: { state: 'closed', finalized: true, counts: 2 } },
  };
}

const cases = {
  TSG001: afterFinalize('call', 'call-after-finalize', ['call_threadsafe_function', 'napi_tsfn_nonblocking', 'closing']),
  TSG002: afterFinalize('acquire', 'acquire-after-finalize', ['acquire_threadsafe_function', null, 'closing']),
  TSG003: afterFinalize('release', 'release-after-finalize', ['release_threadsafe_function', 'napi_tsfn_release', 'ok']),
  TSG004: afterFinalize('getContext', 'get-context-after-finalize', ['get_threadsafe_function_context', null, 'ok']),
  TSG005: afterFinalize('ref', 'ref-after-finalize', ['ref_threadsafe_function', null, 'ok']),
  TSG006: afterFinalize('unref', 'unref-after-finalize', ['unref_threadsafe_function', null, 'ok']),

  TSG007: {
    provoke: () => misuseOnce(closed(0), 'call', 'user'),
    event: {
      kind: 'stale-handle',
      severity: 'fatal-avoided',
      call: ['call_threadsafe_function', 'napi_tsfn_nonblocking', 'closing'],
      handle: { state: 'stale', finalized: true, counts: 0 },
    },
  },

  TSG008: {
    provoke: () => misuseBesideAnother(0xdeadbeefdead0n, 'acquire'),
    event: {
      kind: 'never-a-handle',
      severity: 'fatal-avoided',
      call: ['acquire_threadsafe_function', null, 'invalid_arg'],
    },
  },

  TSG009: {
    provoke: () => misuseBesideAnother(0n, 'callBlocking'),
    event: {
      kind: 'null-handle',
      severity: 'fatal-avoided',
      call: ['call_threadsafe_function', 'napi_tsfn_blocking', 'invalid_arg'],
    },
  },

  TSG010: {
    provoke: () => misuseOnce(create(quiet), 'getContextNullResult'),
    event: {
      kind: 'null-result',
      severity: 'fatal-avoided',
      call: ['get_threadsafe_function_context', null, 'invalid_arg'],
      handle: {},
    },
  },

  // The call has consumed the last count.
  TSG011: {
    provoke: () => {
      const handle = create({ ...quiet, threads: 2 });
      run(handle, 'abort');
      run(handle, 'call');
      misuseOnce(handle, 'release');
    },
    event: {
      kind: 'release-after-closing',
      severity: 'warn',
      call: ['release_threadsafe_function', 'napi_tsfn_release', 'ok'],
      handle: { state: 'closing', counts: 0, credit: 1 },
    },
  },

  TSG012: {
    provoke: () => {
      const handle = create(quiet);
      run(handle, 'release');
      misuseOnce(handle, 'release');
    },
    event: {
      kind: 'over-release',
      severity: 'warn',
      call: ['release_threadsafe_function', 'napi_tsfn_release', 'invalid_arg'],
      handle: { counts: 0 },
    },
  },

  TSG013: {
    diagnoseOnly: true,
    provoke: () => {
      const handle = create(quiet);
      runOn('first', handle, 'call');
      misuseOnce(handle, 'call', 'second');
    },
    event: {
      kind: 'more-threads-than-counts',
      severity: 'warn',
      quantity: { threads: 2 },
      call: ['call_threadsafe_function', 'napi_tsfn_nonblocking', 'ok'],
      handle: { queue: 2 },
    },
  },

  TSG014: {
    provoke: () => {
      const handle = create(quiet);
      run(handle, 'release');
      misuseOnce(handle, 'call');
    },
    event: {
      kind: 'call-without-count',
      severity: 'warn',
      call: ['call_threadsafe_function', 'napi_tsfn_nonblocking', 'ok'],
      handle: { counts: 0, queue: 1 },
    },
  },

  TSG015: {
    provoke: () => {
      const handle = create({ ...quiet, max: 1 });
      run(handle, 'call');
      misuseOnce(handle, 'callBlocking');
    },
    event: {
      kind: 'blocking-call-on-own-loop',
      severity: 'hang-avoided',
      call: ['call_threadsafe_function', 'napi_tsfn_blocking', 'ok'],
      handle: { queue: 1, queue_highest: 2, queue_limit: 1 },
    },
  },

  // The queue stays full, because the main thread does not turn the loop until both threads sleep.
  TSG016: {
    provoke: async () => {
      const handle = create({ ...quiet, max: 1, threads: 3 });
      run(handle, 'call');
      for (const thread of ['first', 'second']) start(thread, handle, 'callBlocking');
      pause(200);
      misuse(handle, 'abort');
      for (const thread of ['first', 'second']) await finished(thread);
      leave();
    },
    event: {
      kind: 'blocked-callers-at-close',
      severity: 'fatal-avoided',
      quantity: { callers: 2 },
      call: ['release_threadsafe_function', 'napi_tsfn_abort', 'ok'],
      handle: { state: 'closing', counts: 2, queue: 1, queue_limit: 1, blocked_callers: 2 },
    },
  },

  TSG017: {
    provoke: () => misuseOnce(create(quiet), 'unref', 'user'),
    event: {
      kind: 'foreign-ref',
      severity: 'warn',
      call: ['unref_threadsafe_function', null, 'ok'],
      handle: {},
    },
  },

  // The count is released, so that this is the only event at the end.
  TSG018: {
    provoke: () => {
      const handle = create(quiet);
      run(handle, 'unref');
      runAtTeardown(handle, 'call release');
      printFacts(handle);
    },
    event: {
      kind: 'items-undelivered',
      severity: 'info',
      quantity: { items: 1 },
      callback: 'call_function',
      handle: { counts: 0, queue: 1, referenced: false },
    },
  },

  // In a worker. The event must contain the worker's thread and number.
  TSG019: {
    provoke: () => {
      if (isMainThread) return inWorker();
      const handle = create({ ...quiet, threads: 3 });
      run(handle, 'unref');
      facts.loopThread = thisThread().tid;
      return printFacts(handle);
    },
    event: {
      kind: 'never-released',
      severity: 'leak',
      quantity: { counts: 3 },
      callback: 'call_function',
      worker: 1,
      handle: { state: 'closed', finalized: true, counts: 3, referenced: false },
    },
  },

  TSG020: {
    diagnoseOnly: true,
    provoke: () => {
      const func = () => {
        printFacts(handle);
        process.exit();
      };
      const handle = create({ ...quiet, func });
      create(quiet);
      start('caller', handle, 'call', 0, 0, 50);
    },
    event: {
      kind: 'keeps-alive',
      severity: 'info',
      quantity: { TSFNs: 2 },
      handle: { queue_highest: 1 },
    },
  },

  TSG021: {
    diagnoseOnly: true,
    provoke: () => {
      const handle = create(quiet);
      for (let i = 0; i < 5; i++) run(handle, 'call');
      printFacts(handle);
      leave();
    },
    event: {
      kind: 'long-queue',
      severity: 'warn',
      quantity: { items: 4 },
      call: ['call_threadsafe_function', 'napi_tsfn_nonblocking', 'ok'],
      handle: { queue: 4 },
    },
  },

  TSG022: {
    diagnoseOnly: true,
    provoke: async () => {
      const handle = create({ ...quiet, onFinalize: () => spin(60) });
      run(handle, 'release');
      await turns(5);
      printFacts(handle);
      leave();
    },
    event: {
      kind: 'slow-finalizer',
      severity: 'warn',
      quantity: { milliseconds: (value) => value >= 59 && value < 30000 },
      callback: 'call_function',
      finalizing: true,
      handle: { state: 'closed', finalized: true, counts: 0 },
    },
  },

  TSG023: {
    diagnoseOnly: true,
    provoke: async () => {
      process.on('uncaughtException', () => {}); // on Node 18 this only causes a warning
      const handle = create({ ...quiet, callJs: 'throw' });
      run(handle, 'call');
      await turns(5);
      printFacts(handle);
      leave();
    },
    event: {
      kind: 'pending-exception',
      severity: 'warn',
      callback: 'call_throw',
      handle: { queue: 1 },
    },
  },

  // The worker ends while its first item is delivered. Node delivers the second one immediately
  // afterwards.
  TSG024: {
    diagnoseOnly: true,
    provoke: () => {
      if (isMainThread) return inWorker();
      facts.loopThread = thisThread().tid;
      const handle = create({
        ...quiet,
        func: () => {
          run(handle, 'release');
          printFacts(handle);
          process.exit();
        },
      });
      return run(handle, 'call', 1, 2);
    },
    event: {
      kind: 'javascript-forbidden',
      severity: 'info',
      callback: 'call_function',
      worker: 1,
      handle: { counts: 0, queue: 1, queue_highest: 2 },
    },
  },

  // Only a worker loads the addon. A thread that has given its count back is still in its code.
  TSG025: {
    provoke: async () => {
      if (isMainThread) {
        inWorker();
        return setTimeout(() => {}, 1000); // the thread ends earlier
      }
      require(`${process.env.TEST_ADDONS}/mapped_symbol.node`).linger();
      printFacts(0n);
      return setTimeout(() => process.exit(0), 20);
    },
    event: { kind: 'addon-pinned', severity: 'info', addon: `${process.env.TEST_ADDONS}/mapped_symbol.node` },
  },

  // The program cannot be guarded: there is too little address space, which is noticed before main.
  TSG026: {
    provoke: () => printFacts(0n),
    event: { kind: 'not-armed', severity: 'warn', early: true },
  },
};

const codes = Object.keys(cases);

// --- Running

function readLog(path) {
  const lines = fs.readFileSync(path, 'utf8').split('\n');
  if (lines.pop() !== '') throw new Error('the log does not end with a line end');
  for (const line of lines) {
    if (Buffer.byteLength(line) >= 4096) throw new Error(`a line has more than 4096 bytes: ${line}`);
  }
  return lines.map((line) => JSON.parse(line)).filter((one) => one.type === 'event');
}

// Whether the runtime frees a function while counts are out.
function freesClosed() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major < 24 || (major === 24 && minor < 14) || (major === 25 && minor < 4);
}

function isTold({ diagnoseOnly, freedOnly }, mode) {
  return (!diagnoseOnly || mode === 'diagnose') && (!freedOnly || freesClosed());
}

function check(code, mode, log, factsFile) {
  const { event, afterwards = [] } = cases[code];
  const events = fs.existsSync(log) ? readLog(log) : [];
  const seen = events.map((one) => one.code).join(' ');
  const wanted = isTold(cases[code], mode) ? [code, ...afterwards].join(' ') : '';
  if (seen !== wanted) throw new Error(`${mode}: needed the events ${wanted || '(none)'}, found ${seen || '(none)'}`);
  if (wanted === '') return;
  const actual = events[0];
  const known = JSON.parse(fs.readFileSync(factsFile, 'utf8').split('\n').find((line) => line.startsWith('{')));
  const wrong = differences(actual, expectedEvent(code, event, mode, known));
  if (wrong.length !== 0) throw new Error(`${wrong.join('\n')}\nin ${JSON.stringify(actual)}`);
}

const [verb, code, ...runs] = process.argv.slice(2);
if (!codes.includes(code)) throw new Error(`needed a code, one of ${codes.join(' ')}; found ${code}`);
if (verb === 'provoke') cases[code].provoke();
else if (verb === 'check') for (let i = 0; i < runs.length; i += 3) check(code, ...runs.slice(i, i + 3));
else throw new Error(`needed provoke or check; found ${verb}`);
