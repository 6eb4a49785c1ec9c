// What the exit summary, the dump and related options must report. The argument names the case.
'use strict';
const { spawnSync } = require('child_process');
const { once } = require('events');
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { create, createWatched, run, runOn, start, finished, turns, log, main } = require('./script.js');

const quiet = { func: () => {}, finalize: 'silent' };

// Leaves one function that was released too often and is gone, one that was finalized with a count
// out, and two that are alive.
async function leave() {
  const released = createWatched(quiet);
  run(released.handle, 'release');
  run(released.handle, 'release');
  const aborted = createWatched({ ...quiet, name: 'leaked', threads: 2 });
  run(aborted.handle, 'abort');
  await Promise.all([released.finalized, aborted.finalized]);
  await turns(2);
  return ['alive', 'alive'].map((name) => create({ ...quiet, name }));
}

main({
  normal: async () => {
    for (const handle of await leave()) run(handle, 'unref');
    log('the end');
  },

  exit: async () => {
    await leave();
    console.log('the end');
    process.exit(3);
  },

  exception: async () => {
    await leave();
    setImmediate(() => {
      throw new Error('the end');
    });
  },

  handledSignal: async () => {
    await leave();
    process.on('SIGTERM', () => process.exit(4));
    process.kill(process.pid, 'SIGTERM');
  },

  signal: async (name) => {
    await leave();
    process.kill(process.pid, name);
  },

  // Lives until SIGTERM. One of the four functions is closing, and keeps nothing alive.
  idle: async () => {
    const handles = [1, 2, 3].map((number) => create({ ...quiet, name: `idle ${number}` }));
    run(handles[2], 'unref');
    const closing = create({ ...quiet, name: 'closing', threads: 2, onFinalize: () => log('ready') });
    run(closing, 'abort');
    process.on('SIGTERM', () => process.exit(4));
  },

  // Threads call until all of their items are delivered.
  busy: async () => {
    let delivered = 0;
    const names = ['first', 'second', 'third'];
    const { handle, finalized } = createWatched({ ...quiet, func: () => delivered++, max: 20, threads: names.length });
    for (const name of names) start(name, handle, 'callBlocking', 0, 30000);
    log('ready');
    for (const name of names) await finished(name);
    for (const name of names) runOn(name, handle, 'release');
    await finalized;
    log(`delivered ${delivered}`);
  },

  // A worker ends while a count is out. The main thread gives it back afterwards.
  late: async () => {
    if (!isMainThread) {
      const handle = create(quiet);
      run(handle, 'unref');
      parentPort.postMessage(handle);
      return;
    }
    const worker = new Worker(__filename, { argv: process.argv.slice(2) });
    const over = once(worker, 'exit');
    const [handle] = await once(worker, 'message');
    await over;
    run(handle, 'release');
  },

  // Names that would break a line or control a terminal.
  odd: () => {
    const handle = create({ ...quiet, name: 'a"b\\c\nd\u001b[2J\u009b\ud800é' });
    run(handle, 'release');
    runOn('t"\n\\', handle, 'release');
    process.exit();
  },

  // Many events, after Node has made stderr non-blocking.
  many: async () => {
    process.stderr.write('the beginning\n');
    const { handle, finalized } = createWatched(quiet);
    run(handle, 'release');
    await finalized;
    await turns(2);
    for (let i = 0; i < 400; i++) run(handle, 'release');
    process.exit();
  },

  // What the program and its children see of the guard.
  environment: () => {
    const script = 'printf "child: %s\\n" "${LD_PRELOAD-none}" "${TSFN_GUARD_OPTIONS-none}"';
    for (const name of ['LD_PRELOAD', 'TSFN_GUARD_OPTIONS']) log(`program: ${process.env[name] ?? 'none'}`);
    log(spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).stdout.trimEnd());
    const { status, stderr } = spawnSync(process.execPath, ['-p', '1'], { encoding: 'utf8' });
    log(`a node: status ${status}, says '${stderr.trimEnd()}'`);
  },
});
