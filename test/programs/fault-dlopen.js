// Loads an addon whose constructor joins a thread that misuses a TSFN.
'use strict';
require(`${process.env.TEST_ADDONS}/constructor_thread.node`);
console.log('loaded');
