// A thread calls exit() while eight other threads call. The addon's destructor joins those eight,
// and prints the result.
// node fault-exit.js
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/faults.node`);
addon.create(0, 8);
addon.produce(8, 0, 'forever');
addon.exitLater(50);
