// The program of nodejs/node#55706: start the threads, live 100 ms, end naturally.
'use strict';
const addon = require(`${process.env.TEST_ADDONS}/issue55706.node`);
addon.start(32);
setTimeout(() => {}, 100);
