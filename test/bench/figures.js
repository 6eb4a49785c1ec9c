// What bench.js measures. One variant at a time does a measurement, in short slices, and yields
// figures.
//
// A measurement has: id; title; variants; slices (in each round); fresh: whether each slice needs a
// process of its own; run(server, context): does one slice, and returns an object of figures;
// units: the unit of each figure. A figure whose name begins with a dot is not shown.
'use strict';
const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { quantile } = require('./stats.js');

const ALL = ['native', 'guarded', 'diagnose', 'locked', 'typed', 'other'];
const GUARDED = ['native', 'guarded', 'diagnose', 'other'];
const MODES = ['native', 'guarded', 'diagnose'];

// Figures per item, from the addon's sums over all items.
function perItem([producer, loop, wall], items) {
  return { producer: producer / items, loop: loop / items, both: (producer + loop) / items, wall: wall / items };
}

function flood(producers, limit, callsJs, slices) {
  // A full queue puts threads to sleep, so those items take longer.
  const items = limit === 0 ? 20000 : 2000;
  const pinned = producers === 1 ? 1 : 0;
  const queue = limit === 0 ? 'unlimited' : `queue of ${limit}`;
  return {
    id: `flood-${producers}-${limit}-${callsJs ? 'js' : 'c'}`,
    title: `${producers} producer${producers > 1 ? 's' : ''}, ${queue}, ${callsJs ? 'JavaScript' : 'C no-op'}`,
    variants: ALL,
    slices,
    units: { producer: 'ns', loop: 'ns', both: 'ns', wall: 'ns' },
    run: async (server) =>
      perItem(await server('flood', producers, items, limit, callsJs ? 1 : 0, pinned), items),
  };
}

function burst(callsJs, slices) {
  const items = 20000;
  return {
    id: `burst-${callsJs ? 'js' : 'c'}`,
    title: `1 producer, then the loop, ${callsJs ? 'JavaScript' : 'C no-op'}`,
    variants: ALL,
    slices,
    units: { producer: 'ns', loop: 'ns', both: 'ns' },
    run: async (server) => {
      const { producer, loop, both } = perItem(await server('burst', items, callsJs ? 1 : 0), items);
      return { producer, loop, both };
    },
  };
}

function handOver(slices) {
  return {
    id: 'handover',
    title: 'one item at a time, each waited for, on one processor',
    variants: ALL,
    slices,
    units: { cpu: 'ns', sleeps: '' },
    run: async (server) => {
      const [producer, loop, , sleeps] = await server('handOver', 2000);
      return { cpu: (producer + loop) / 2000, sleeps: sleeps / 2000 };
    },
  };
}

function latency(samples, slices) {
  return {
    id: 'latency',
    title: 'from call to callback, 1,000 calls/s',
    variants: ALL,
    slices,
    units: { p50: 'us', p99: 'us' },
    run: async (server) => ({ times: await server('latency', samples, 1000000) }),
    // All samples of a round are merged, because a single slice has too few for a 99th percentile.
    merge: (results) => {
      const times = results.flatMap(({ times: some }) => some);
      return { p50: quantile(times, 0.5) / 1000, p99: quantile(times, 0.99) / 1000 };
    },
  };
}

const lifetimes = (slices) => [
  {
    id: 'cycle',
    title: 'create + release + finalize, one at a time',
    variants: ALL,
    slices,
    units: { loop: 'ns' },
    run: async (server) => ({ loop: (await server('cycles', 2000, 1))[1] / 2000 }),
  },
  {
    id: 'cycle-20000',
    title: 'create + release + finalize, 20,000 at once',
    variants: ALL,
    slices,
    units: { loop: 'ns' },
    run: async (server) => ({ loop: (await server('cycles', 20000, 20000))[1] / 20000 }),
  },
  {
    id: 'pair',
    title: 'acquire + release',
    variants: ALL,
    slices,
    units: { cpu: 'ns' },
    run: async (server) => ({ cpu: (await server('pairs', 50000))[0] / 50000 }),
  },
  {
    id: 'context',
    title: 'get_context',
    variants: ALL,
    slices,
    units: { cpu: 'ns' },
    run: async (server) => ({ cpu: (await server('contexts', 100000))[0] / 100000 }),
  },
];

const memory = () => [
  {
    id: 'memory-handle',
    title: 'resident memory of a live handle (100,000 of them)',
    variants: GUARDED,
    slices: 1,
    fresh: true,
    units: { bytes: 'B' },
    run: async (server) => {
      await server('hold', 1000); // allocates what is needed only once
      const [before] = await server('resident');
      await server('hold', 100000);
      return { bytes: ((await server('resident'))[0] - before) / 100000 };
    },
  },
  {
    id: 'memory-item',
    title: 'resident memory of a queued item (1,000,000 of them)',
    variants: GUARDED,
    slices: 1,
    fresh: true,
    units: { bytes: 'B' },
    run: async (server) => ({ bytes: (await server('queueUp', 1000000))[0] / 1000000 }),
  },
];

// --- Whole programs. The driver's own copy of the addon runs them.

function program(id, title, slices, argumentsOf) {
  return {
    id,
    title,
    variants: MODES,
    slices,
    program: true,
    units: { wall: 'ms', cpu: 'ms', switches: '' },
    run: (run, context) => {
      const [wall, cpu, , switches] = run(...argumentsOf(context));
      return { wall: wall / 1e6, cpu: cpu / 1e6, switches };
    },
  };
}

// Counts a program's system calls. This is a measurement of its own, because counting takes time.
function systemCalls(id, title, argumentsOf) {
  return {
    id,
    title,
    variants: MODES,
    slices: 1,
    program: true,
    units: { calls: '' },
    run: (run) => {
      const file = path.join(os.tmpdir(), `tg-test-bench-strace-${process.pid}`);
      run('strace', '-fqc', '-Ucalls,name', `-o${file}`, ...argumentsOf());
      const calls = Number(/(\d+) total/.exec(fs.readFileSync(file, 'utf8'))[1]);
      fs.unlinkSync(file);
      return { calls };
    },
  };
}

const has = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

// The first of the processors that this process may run on.
const firstProcessor = () => /Cpus_allowed_list:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];

// The work of a real addon, on all processors. If `pinned` is set, also on a single processor,
// where each hand-off is a context switch, and the number of its system calls there.
function real(kind, modules, title, pinned) {
  const command = [process.execPath, `${__dirname}/real.js`, kind, modules];
  const onOne = ['taskset', '-c', firstProcessor(), ...command];
  return [
    program(`real-${kind}`, title, 1, () => command),
    ...(pinned && has('taskset') ? [program(`real-${kind}-pinned`, `${title}, on one processor`, 1, () => onOne)] : []),
    ...(pinned && has('strace') && has('taskset') ? [systemCalls(`real-${kind}-calls`, `${title}, on one processor`, () => onOne)] : []),
  ];
}

// lightningcss and edr wait for each answer before they send the next request.
const reals = (modules) => [
  ...real('lightningcss', modules, 'lightningcss, resolver in JavaScript', true),
  ...real('watcher', modules, '@parcel/watcher, a storm of files', false),
  ...real('lmdb', modules, 'lmdb, 200 batches of writes', true),
  ...(fs.existsSync(path.join(modules, '@nomicfoundation/edr-linux-x64-gnu'))
    ? real('edr', modules, 'edr, an async function of napi-rs 5,000 times', true)
    : []),
  ...real('server', modules, 'an HTTP server with @parcel/watcher, 500 requests', false),
];

const RESIDENT = "console.log(/VmRSS:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status'))[1])";

const programs = (slices, modules) => [
  program('start-true', 'start-up of true', 4 * slices, () => ['true']),
  program('start-node', 'start-up of node -e 0', slices, () => [process.execPath, '-e', '0']),
  {
    id: 'resident-node',
    title: 'resident memory of node -e 0',
    variants: MODES,
    slices: 2,
    program: true,
    units: { bytes: 'KiB' },
    run: () => ({ bytes: Number(execFileSync(process.execPath, ['-e', RESIDENT])) }),
  },
  ...(modules === undefined ? [] : reals(modules)),
];

// The measurements of every round.
function measurements({ quick, modules }) {
  const slices = quick ? 2 : 3;
  const matrix = [];
  for (const producers of quick ? [1, 8] : [1, 2, 4, 8, 32])
    for (const limit of [0, 64])
      for (const callsJs of [false, true])
        if (!quick || limit === 0 || !callsJs)
          // Measurements with a mark get more slices.
          matrix.push(flood(producers, limit, callsJs, limit === 0 && [1, 8].includes(producers) ? 2 * slices : slices));
  return [
    ...matrix,
    burst(false, slices),
    burst(true, slices),
    ...lifetimes(slices),
    handOver(slices),
    latency(quick ? 50 : 100, quick ? 2 : 10),
    ...memory(),
    ...programs(quick ? 2 : 5, modules),
  ];
}

// Calls in processes with more and more live handles, and in one in which many handles have come
// and gone. These processes live through all rounds.
function crowds({ quick }) {
  const counts = [1, 1000, 100000, 1000000];
  const churned = quick ? 1e6 : 1e7;
  const run = async (server) => {
    const [producer] = await server('burst', 20000, 0);
    return { producer: producer / 20000 };
  };
  const prepared = (id, title, prepare) => ({ id, title, variants: ['native', 'guarded'], prepare, run,
    units: { producer: 'ns' } });
  return [
    ...counts.map((count) =>
      prepared(`live-${count}`, `a call with ${count.toLocaleString('en')} live handle${count > 1 ? 's' : ''}`,
        (server) => server('hold', count - 1))),
    prepared('churned', `a call after ${churned.toLocaleString('en')} create/release cycles`, (server) =>
      server('cycles', churned, 1000)),
  ];
}

module.exports = { measurements, crowds };
