// 16 threads, 200 functions, and three workers at a time that come and go. All of them use and
// misuse each other's functions at random. The last line of the output says what went wrong, and
// the line before it what was done.
// node stress.js SEED SECONDS [PATIENCE [stall]]
'use strict';
const fs = require('fs');
const { Worker, isMainThread, workerData } = require('worker_threads');
const addon = require(`${process.env.TEST_ADDONS}/stress.node`);

const THREADS = 16;
const WORKERS = 3;
const MiB = 2 ** 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const turning = () => setInterval(() => addon.turn(() => {}), 1);

// How a worker ends: terminated from outside, by exit() from within, or naturally if the threads
// allow it.
function live({ end, ms }) {
  const timer = turning();
  setTimeout(() => {
    if (end === 'exit') process.exit(0);
    if (end === 'terminate') return;
    clearInterval(timer);
    if (end === 'abort') addon.abortAll();
    else addon.unrefAll();
  }, ms);
}

async function runWorker(random) {
  const end = ['terminate', 'exit', 'abort', 'unref'][random(4)];
  const ms = 20 + random(100);
  const worker = new Worker(__filename, { workerData: { end, ms }, execArgv: [] });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.on('error', (error) => console.log('worker:', error));
  const timer = setTimeout(() => worker.terminate(), end === 'terminate' ? 50 + ms : 500);
  await ended;
  clearTimeout(timer);
}

// JavaScript's own choices also come from the seed.
function seeded(state) {
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const descriptors = () => fs.readdirSync('/proc/self/fd').length;

// The smallest sample of a part of the time. Growth raises it, but a short burst does not.
function least(samples, from, to) {
  const part = samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  return Math.min(...part);
}

async function main([seed, seconds, patience = 20, stall]) {
  console.log(`seed=${seed}`);
  const random = seeded(Number(seed));
  await runWorker(random); // opens and maps everything that then stays open and mapped
  addon.begin(Number(seed), THREADS, Number(patience));
  const before = descriptors();
  let workers = 0;
  let timer = turning();
  const end = Date.now() + seconds * 1000;
  if (stall) addon.stall();
  const comeAndGo = async () => {
    for (; Date.now() < end; workers++) await runWorker(random);
  };
  const sample = async (samples) => {
    for (; Date.now() < end; await sleep(100)) samples.push(process.memoryUsage.rss());
    return samples;
  };
  const [samples] = await Promise.all([sample([]), ...Array.from({ length: WORKERS }, comeAndGo)]);

  addon.stop();
  while (addon.running() || addon.figures().finalized !== addon.figures().created) {
    addon.abortAll(); // a thread may be blocked, and a thread inside a call may have revived a function
    await sleep(1);
    addon.turn();
  }
  clearInterval(timer);
  const figures = addon.figures();
  const grown = Math.round((least(samples, 0.75, 1) - least(samples, 0.25, 0.5)) / MiB);
  console.log({ workers, ...figures, grown, rss: Math.round(samples.at(-1) / MiB) });
  const lost = figures.accepted - figures.live - figures.drained;
  const opened = descriptors() - before;
  console.log(Object.entries({ ...addon.faults(), lost, opened }).map((pair) => pair.join('=')).join(' '));
}

if (isMainThread) main(process.argv.slice(2));
else live(workerData);
