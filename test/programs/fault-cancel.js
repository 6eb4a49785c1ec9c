// Four threads are blocked on a full queue, and one of them is cancelled. The others pass all of
// their items.
// node fault-cancel.js
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
const THREADS = 4;
const ITEMS = 500;

addon.create(2, THREADS);
addon.produce(THREADS, ITEMS, 'blocking');
addon.waitBlocked(2);
addon.cancel(0);
const timer = setInterval(() => {
  if (addon.ended() !== THREADS) return;
  clearInterval(timer);
  addon.wait();
  addon.release(); // the count that the cancelled thread has left
  console.log(`cancelled=${addon.cancelled()}`);
}, 10);
process.once('exit', addon.tell);
