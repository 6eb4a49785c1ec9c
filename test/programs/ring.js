// Misuse that fills the ring, and then an abort: node ring.js TIMES. The last four events are of
// different kinds.
'use strict';
const { create, createWatched, run, runOn, turns, log } = require('./script.js');

const quiet = { func: () => {}, finalize: 'silent', label: 'mine' };

(async () => {
  const { handle, finalized } = createWatched({ ...quiet, name: 'Zlib\x1b[2J', threads: 1 });
  run(handle, 'abort');
  await finalized;
  await turns(2);
  const empty = create({ ...quiet, name: 'empty', threads: 1 });
  run(empty, 'release');
  for (let i = 0; i < Number(process.argv[2]); i++) run(0xdead0n, 'call');
  run(handle, 'getContext');
  run(0n, 'acquire');
  runOn('other', empty, 'release');
  run(0xdead0n, 'call');
  log('aborts');
  process.abort();
})();
