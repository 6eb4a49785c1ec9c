// The life of one thread-safe function, in which the probes fire a known number of times: create 1,
// call 12 (9 queued, 3 too late), dispatch 7, release 1, finalize 1 (with 2 items left), misuse 3.
// Prints the handle.
'use strict';
const { createWatched, run, turns, until, log } = require('./script.js');

let delivered = 0;

(async () => {
  const func = () => delivered++;
  const { handle, finalized } = createWatched({ func, max: 100, threads: 1, name: 'probed', finalize: 'silent' });
  log(handle.toString(16));
  for (let i = 0; i < 7; i++) run(handle, 'call', i);
  await until(() => delivered === 7);
  for (let i = 0; i < 2; i++) run(handle, 'call', i);
  run(handle, 'abort');
  await finalized;
  await turns(2);
  for (let i = 0; i < 3; i++) run(handle, 'call', i);
})();
