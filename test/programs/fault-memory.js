// The queue of a function has to grow while the guard may be refused memory. A caller that is
// refused tries again.
// node fault-memory.js
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
const ITEMS = 200;
const TRIES = 10;

let refused = 0;
let status;
for (let i = 0; i < TRIES && (status = addon.create(0, 1)) !== 0; i++) refused++;
console.log(`create: status=${status} refused=${refused}`);
if (status === 0) {
  addon.produce(1, ITEMS, 'trying');
  addon.wait(); // nothing is delivered meanwhile
  process.once('exit', addon.tell);
}
