// SIGPROF is sent every millisecond, without SA_RESTART, to working threads and to blocked threads.
// node fault-signals.js QUEUE THREADS ITEMS
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
const [queue, threads, items] = process.argv.slice(2).map(Number);

addon.create(queue, threads);
addon.produce(threads, items, 'blocking');
if (queue !== 0) addon.waitBlocked(queue);
addon.storm();
// The threads are blocked, or the flood waits, for 200 ms. On a busy machine it takes longer until
// 50 signals have come.
const blocked = Date.now() + 200;
while (Date.now() < blocked || addon.signals() <= 50);
const timer = setInterval(() => {
  if (addon.ended() !== threads) return;
  clearInterval(timer);
  console.log(`signals: ${addon.calm() > 50 ? 'more than 50' : 'too few'}`);
}, 10);
process.once('exit', addon.tell);
