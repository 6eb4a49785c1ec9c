// Ways in which a process ends, for fast-exit.bats: node fast-exit.js CASE [before]. Usually the
// addon is loaded first. With `before` it is loaded only after the case has made its patches.
// exit=fast must not change what is printed.
'use strict';
const { fork } = require('child_process');
const { writeSync } = require('fs');
const { runInNewContext } = require('vm');
const { Worker } = require('worker_threads');

const say = (text) => writeSync(1, `${text}\n`);
const load = () => {
  const addon = require(`${process.env.TEST_ADDONS}/last_words.node`);
  addon.speak();
  return addon;
};
const onExit = (listener = () => {}) =>
  process.on('exit', (code) => {
    say(`exit ${code} ${process.exitCode}`);
    listener(code);
  });

// Does what the package signal-exit does: its own handlers run after the last listener, however the
// process ends.
function patchAsSignalExit() {
  const { emit, reallyExit } = process;
  let isSaid = false;
  const sayOnce = (code) => {
    if (!isSaid) say(`after all listeners ${code}`);
    isSaid = true;
  };
  process.emit = function (event, ...rest) {
    const result = emit.call(this, event, ...rest);
    if (event === 'exit') sayOnce(process.exitCode);
    return result;
  };
  process.reallyExit = (code) => {
    sayOnce(code);
    reallyExit.call(process, code);
  };
}

async function chain(length, then) {
  for (let i = 0; i < length; i++) await null;
  then();
}

const cases = {
  natural: () => onExit(),
  code: () => { process.exitCode = 5; onExit(); },
  text: () => { process.exitCode = '5'; onExit(); },
  negative: () => { process.exitCode = -1; onExit(); },
  listenerCode: () => onExit(() => { process.exitCode = 6; }),
  listenerCodeBack: () => { process.exitCode = 6; onExit(() => { process.exitCode = 0; }); },
  exit: () => { onExit(); process.exit(); },
  exitCode: () => { onExit(); process.exit(7); },
  exitCodeWins: () => { process.exitCode = 5; onExit(() => { process.exitCode = 9; }); process.exit(7); },
  exitInListener: () => { onExit(() => process.exit(8)); onExit(); },
  exitInExit: () => { onExit(() => process.exit(8)); process.exit(7); },
  exitLater: () => { onExit(); setTimeout(() => process.exit(7), 20); },
  lateListener: () => onExit(() => process.once('exit', () => say('late'))),
  noListeners: () => { onExit(); process.removeAllListeners(); },
  throwing: () => onExit(() => { throw new Error('by a listener'); }),
  throwingInExit: () => { onExit(() => { throw new Error('by a listener'); }); process.exit(7); },
  handled: () => {
    process.on('uncaughtException', () => say('handled'));
    onExit(() => { throw new Error('x'); });
    onExit();
  },
  microtasks: () => onExit(() => chain(5000, () => { say('chained'); process.exitCode = 3; })),
  microtasksInExit: () => { onExit(() => chain(3, () => say('chained'))); process.exit(2); },
  ticks: () => onExit(() => process.nextTick(() => say('tick'))),
  rejection: () => onExit(() => Promise.reject(new Error('by a listener'))),
  rejectionHandled: () => {
    process.on('unhandledRejection', () => { say('handled'); process.exitCode = 4; chain(10, () => say('chained')); });
    onExit(() => Promise.reject(new Error('x')));
  },
  unhandledRejection: () => { onExit(); Promise.reject(new Error('rejected')); },
  uncaught: () => { onExit(); throw new Error('thrown'); },
  uncaughtLater: () => { onExit(() => { process.exitCode = 9; }); setImmediate(() => { throw new Error('thrown'); }); },
  // Like the package deasync: it runs microtasks before the other listeners, which then add more
  // microtasks.
  runsMicrotasks: () => {
    onExit(() => { queueMicrotask(() => say('micro')); process._tickCallback(); say('after'); });
    onExit(() => queueMicrotask(() => say('more')));
  },
  beforeExit: () => {
    let rounds = 0;
    onExit();
    process.on('beforeExit', (code) => {
      say(`beforeExit ${code}`);
      if (++rounds < 3) setTimeout(() => say('work'), 1);
    });
  },
  patched: () => { patchAsSignalExit(); onExit(); },
  patchedExit: () => { patchAsSignalExit(); onExit(); process.exit(7); },
  // Tests replace reallyExit like this. The process goes on.
  stubbed: () => {
    const { reallyExit } = process;
    process.reallyExit = (code) => say(`not exiting with ${code}`);
    onExit();
    process.exit(7);
    process.reallyExit = reallyExit;
    setTimeout(() => say('went on'), 10);
  },
  worker: () => {
    onExit();
    new Worker('process.on("exit", () => console.log("worker exits")); process.exit(5)', { eval: true })
      .on('exit', (code) => say(`worker ${code}`));
  },
  busyWorker: () => { onExit(); new Worker('for (;;);', { eval: true }).on('online', () => process.exit(7)); },
  busyWorkerEnd: () => { onExit(); new Worker('for (;;);', { eval: true }).unref(); },
  workerAlone: () => {
    onExit();
    const script = `require(process.env.TEST_ADDONS + '/last_words.node').speak();
      require('worker_threads').parentPort.postMessage(0); setInterval(() => {}, 1000)`;
    const worker = new Worker(script, { eval: true });
    worker.on('message', () => { worker.unref(); process.exitCode = 5; });
  },
  term: () => { onExit(); process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000); },
  termHandled: () => {
    onExit();
    process.on('SIGTERM', () => process.exit(4));
    process.kill(process.pid, 'SIGTERM');
    setInterval(() => {}, 1000);
  },
  abort: () => { onExit(); process.abort(); },
  // A worker loads the addon while the main thread is in another context, as in test runners.
  vm: () => {
    onExit();
    const loaded = new Int32Array(new SharedArrayBuffer(4));
    const script = `require(process.env.TEST_ADDONS + '/last_words.node').speak();
      Atomics.store(require('worker_threads').workerData, 0, 1); setInterval(() => {}, 1000)`;
    new Worker(script, { eval: true, workerData: loaded });
    runInNewContext('while (Atomics.load(loaded, 0) === 0); for (let i = 0; i < 1000; i++); exit(7)',
      { loaded, exit: process.exit });
  },
  // A parent counts the messages that its child sends before it ends.
  child: () => { for (let i = 0; i < 20; i++) process.send(i); process.exit(7); },
  parent: () => {
    let messages = 0;
    fork(__filename, ['child']).on('message', () => messages++).on('close', (code) => {
      say(`${messages} messages, ${code}`);
      process.exit(3);
    });
  },
  // A megabyte, written at three different times.
  written: () => {
    for (let i = 0; i < 1024; i++) process.stdout.write(`${'x'.repeat(1023)}\n`);
    process.exitCode = 4;
  },
  writtenThenExit: () => { for (let i = 0; i < 1024; i++) console.log('x'.repeat(1023)); process.exit(5); },
  writtenByListener: () => process.on('exit', () => {
    for (let i = 0; i < 1024; i++) console.log('x'.repeat(1023));
    process.exitCode = 6;
  }),
  writtenByWorker: () => new Worker("for (let i = 0; i < 1024; i++) console.log('x'.repeat(1023))", { eval: true })
    .on('exit', () => setImmediate(() => process.exit(7))),
  raw: () => { process.stdin.setRawMode(true); process.exit(2); },
  // Output of C's stdio.
  printed: () => { load().print('of C'); process.exit(); },
  printedNatural: () => load().print('of C'),
  locked: () => { load().lock(); process.exit(3); },
};

const [, , name, before] = process.argv;
const run = cases[name];
if (run === undefined) throw new Error(`no case ${name}; there are ${Object.keys(cases).join(' ')}`);
// In the case `child` descriptor 3 is the channel to the parent.
if (name === 'child') require(`${process.env.TEST_ADDONS}/last_words.node`);
else if (name !== 'workerAlone' && name !== 'vm' && before === undefined) load();
try {
  run();
} finally {
  if (before !== undefined) load();
}
