// Does random sequences of the seven functions on real thread-safe functions
// (test/addons/script.c), and compares them with reference.js: every answer, every delivery (order,
// live or NULL env), every finalizer.
//
//   property.js main|worker   stdout must go to the file $EVENTS; FAST_CHECK is a path from which
//                             the package fast-check can be required
//
// There are $RUNS sequences, which depend on $SEED. A failure prints its seed and path. With these,
// SEED=… REPLAY=path repeats only that sequence.
'use strict';
const fs = require('fs');
const { createRequire } = require('module');
const { Worker, isMainThread, workerData } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/script.node`);
const { Reference } = require('./reference.js');

// Writes at once, like the addon, so that all lines are in order.
const log = (text) => fs.writeSync(1, `${text}\n`);

const deadlock = process.env.DEADLOCK || 'overflow';
const late = process.env.LATE === '1';
const OPERATIONS = ['call', 'callBlocking', 'acquire', 'release', 'abort', 'getContext', 'getContextNullResult', 'ref',
  'unref'];
const MAX_FUNCTIONS = 8; // fewer than the 16 for which a thread remembers that it got "closing"
const GARBAGE = [(handle) => 0n, (handle) => handle + 8n, (handle) => handle + 1n, (handle) => handle + (1n << 35n),
  (handle) => 16n, (handle) => BigInt.asUintN(64, handle - (1n << 45n))];

// The last digit of an item says what its callback does with its own function.
const operationOf = (item) => OPERATIONS[item % 10];

// One sequence, on real functions and on their references side by side. If `real` is false, the
// sequence is done on the references only, because another thread does it on the real functions.
class Session {
  constructor(name, loopThread, real = true) {
    Object.assign(this, { name, loopThread, real });
    this.references = [];
    this.handles = [];
    this.items = 0;
  }

  step(step) {
    if (step.type === 'create') this.create(step);
    else if (this.references.length === 0) return;
    else if (step.type === 'garbage') this.garbage(step);
    else if (step.type === 'do') this.perform(step);
  }

  create({ max, threads, drainOps, finalizeOps }) {
    const index = this.references.length;
    if (index === MAX_FUNCTIONS) return;
    const label = `${this.name}-${index}`;
    const options = { label, max, threads, drainOps: drainOps.join(' '), finalizeOps: finalizeOps.join(' ') };
    if (this.real) {
      const func = (item) => this.onItem(index, item);
      const { status, handle } = addon.create({ ...options, name: 'property', func });
      if (status !== (threads === 0 ? 'invalid_arg' : 'ok')) throw new Error(`create answered ${status}`);
      this.handles[index] = handle;
      log(`handle ${handle} of ${label}`);
    }
    if (threads !== 0) this.references.push(new Reference(options, deadlock, this.loopThread, late));
  }

  perform({ operation, thread, target, nested }) {
    const index = target % this.references.length;
    const reference = this.references[index];
    const caller = thread === 'js' ? this.loopThread : thread;
    if (operation === 'callBlocking' && reference.wouldWait(caller)) operation = 'call';
    const item = ++this.items * 10 + nested;
    const prefix = `${caller} ${operation} ${reference.label}: `;
    if (this.real) log(prefix + this.run(thread, this.handles[index], operation, item));
    reference.record(prefix + reference.perform(operation, caller, item));
  }

  run(thread, handle, operation, item) {
    return thread === 'js' ? addon.run(handle, operation, item) : addon.runOn(thread, handle, operation, item);
  }

  garbage({ operation, thread, target, kind }) {
    if (!this.real) return;
    const handle = GARBAGE[kind](this.handles[target % this.references.length]);
    const answer = this.run(thread, handle, operation, 0);
    if (answer.replace(/ NULL$/, '') !== 'invalid_arg') throw new Error(`${operation} of garbage ${handle}: ${answer}`);
  }

  // The real function's own callback.
  onItem(index, item) {
    const { label } = this.references[index];
    log(`item ${item} of ${label}`);
    const operation = operationOf(item);
    if (operation === undefined) return;
    log(`item ${item} of ${label}: ${operation} ${addon.run(this.handles[index], operation, 9)}`);
  }

  settleReferences() {
    for (const reference of this.references)
      reference.settle((item) => {
        const operation = operationOf(item);
        if (operation === undefined) return;
        const answer = reference.perform(operation, this.loopThread, 9);
        reference.record(`item ${item} of ${reference.label}: ${operation} ${answer}`);
      });
  }
}

// ---- Comparing the lines that the addon writes; each line names its function ----

const events = isMainThread ? fs.openSync(process.env.EVENTS, 'r') : null;
let position = 0;
let lines = [];

function readLines() {
  const buffer = Buffer.alloc(65536);
  let text = '';
  for (let size; (size = fs.readSync(events, buffer, 0, buffer.length, position)) !== 0; position += size)
    text += buffer.toString('latin1', 0, size);
  lines.push(...text.split('\n').filter(Boolean));
}

const linesOf = (label) => lines.filter((line) => line.match(/\S+-\d+/g)?.some((word) => word === label));
const happened = (label) => linesOf(label).filter((line) => !line.startsWith('handle '));
const handleOf = (label) => BigInt(linesOf(label).filter((line) => line.startsWith('handle ')).pop().split(' ')[1]);

// A map from item to answer, for the items whose callback could not call JavaScript any more.
const dispatchedAtEnd = (label) =>
  new Map(linesOf(label).flatMap((line) => {
    const match = /^item (\d+) of \S+: (pending_exception|cannot_run_js)$/.exec(line);
    return match ? [[Number(match[1]), match[2]]] : [];
  }));

const count = (session) => session.references.reduce((sum, { events }) => sum + events.length, 0);
const seen = (session) => session.references.reduce((sum, { label }) => sum + happened(label).length, 0);

// Lets the loop turn until everything that must happen has happened, and then a little longer, to
// notice what must not happen.
async function settle(session) {
  session.settleReferences();
  for (let turn = 0; turn < 500; turn++) {
    await new Promise(setImmediate);
    readLines();
    if (seen(session) >= count(session)) break;
  }
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  compare(session);
}

function compare(session) {
  readLines();
  for (const { label, events } of session.references) {
    const real = happened(label);
    const at = events.findIndex((event, i) => event !== real[i]);
    if (at === -1 && real.length === events.length) continue;
    const where = at === -1 ? events.length : at;
    throw new Error(`${label}, event ${where}: real "${real[where]}", reference "${events[where]}"\n` +
      `  before: ${events.slice(0, where).join('; ')}`);
  }
}

// ---- The two properties ----

let runs = 0;

async function onThisThread(steps) {
  lines = [];
  const session = new Session(`m${runs++}`, 'js');
  try {
    for (const step of steps) step.type === 'settle' ? await settle(session) : session.step(step);
    await settle(session);
  } finally {
    // Closes whatever is left. Otherwise it would disturb the next sequence, or keep the process
    // alive.
    for (let target = 0; target < session.references.length; target++)
      session.step({ type: 'do', operation: 'abort', thread: 'js', target, nested: 9 });
    session.settleReferences();
  }
  await settle(session);
}

// Does the steps `before` in a worker, which then ends without a turn of its loop, and the steps
// `after` when it has ended.
async function inWorker([before, after]) {
  lines = [];
  const name = `w${runs++}`;
  const worker = new Worker(__filename, { workerData: { name, steps: before } });
  await new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
  readLines();
  const session = new Session(name, 'worker', false);
  for (const step of before) session.step(step);
  for (const reference of session.references) reference.tearDown(dispatchedAtEnd(reference.label));
  compare(session);
  session.handles = session.references.map(({ label }) => handleOf(label));
  session.real = true;
  session.loopThread = 'js'; // the loop thread of another env
  for (const step of after) session.step(step);
  compare(session);
}

function steps(fc, types, maxLength) {
  const operation = fc.constantFrom('call', 'call', 'call', 'call', 'acquire', 'release', 'release', ...OPERATIONS);
  const thread = fc.constantFrom('js', 'native-1', 'native-2');
  const target = fc.nat(MAX_FUNCTIONS - 1);
  const inCallback = fc.array(operation, { maxLength: 2 });
  const kinds = {
    create: { weight: 2, arbitrary: fc.record({ type: fc.constant('create'), max: fc.nat(3), threads: fc.nat(4),
      drainOps: inCallback, finalizeOps: inCallback }) },
    do: { weight: 12, arbitrary: fc.record({ type: fc.constant('do'), operation, thread, target, nested: fc.nat(9) }) },
    garbage: { weight: 1, arbitrary: fc.record({ type: fc.constant('garbage'), operation, thread, target,
      kind: fc.nat(GARBAGE.length - 1) }) },
    settle: { weight: 2, arbitrary: fc.constant({ type: 'settle' }) },
  };
  return fc.array(fc.oneof(...types.map((type) => kinds[type])), { maxLength, size: 'max' });
}

async function main() {
  const fc = createRequire(process.env.FAST_CHECK)('fast-check');
  const parameters = { seed: Number(process.env.SEED), numRuns: Number(process.env.RUNS) };
  if (process.env.REPLAY) Object.assign(parameters, { path: process.env.REPLAY, endOnFailure: true });
  const property = process.argv[2] === 'worker'
    ? fc.asyncProperty(fc.tuple(steps(fc, ['create', 'do', 'garbage'], 40), steps(fc, ['do', 'garbage'], 40)), inWorker)
    : fc.asyncProperty(steps(fc, ['create', 'do', 'garbage', 'settle'], 60), onThisThread);
  await fc.assert(property, parameters);
  console.error(`${runs} sequences`);
}

if (isMainThread) {
  main().catch((error) => {
    console.error(error.message, error.cause?.message ?? '');
    process.exit(1);
  });
} else {
  const session = new Session(workerData.name, 'worker');
  for (const step of workerData.steps) session.step(step);
  process.exit();
}
