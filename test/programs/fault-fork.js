// Children are forked without exec, while nobody (idle) or eight threads (busy) use the function.
// node fault-fork.js idle|busy exit|_exit|call|callAndExit TIMES
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
const [, , how, way, times] = process.argv;
const THREADS = 8;
const ITEMS = 5000;

addon.create(0, THREADS);
if (how === 'busy') addon.produce(THREADS, ITEMS, 'trying');
const ends = {};
for (let i = 0; i < Number(times); i++) {
  const end = addon.fork(way);
  ends[end] = (ends[end] ?? 0) + 1;
}
console.log(`children: ${Object.entries(ends).map(([end, count]) => `${count} ${end}`).sort().join(', ')}`);
if (how === 'idle') addon.produce(THREADS, ITEMS, 'trying');
process.once('exit', addon.tell);
