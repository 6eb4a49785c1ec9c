// The program of nodejs/node#55706: starts the threads, lives for 100 ms, and ends naturally.
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/issue55706.node`);
addon.start(32);
setTimeout(() => {}, 100);
