// SIGPROF is sent every millisecond, without SA_RESTART, to working threads and to blocked threads.
// node fault-signals.js QUEUE THREADS ITEMS
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
const [queue, threads, items] = process.argv.slice(2).map(Number);

addon.create(queue, threads);
addon.produce(threads, items, 'blocking');
if (queue !== 0) addon.waitBlocked(queue);
addon.storm();
const blocked = Date.now() + 200; // the threads are blocked, or the flood waits, until then
while (Date.now() < blocked);
const timer = setInterval(() => {
  if (addon.ended() !== threads) return;
  clearInterval(timer);
  console.log(`signals: ${addon.calm() > 50 ? 'more than 50' : 'too few'}`);
}, 10);
process.once('exit', addon.tell);
