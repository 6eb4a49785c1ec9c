// Loads an addon whose constructor joins a thread that uses a TSFN wrongly.
'use strict';
require(`${process.env.TEST_ADDONS}/constructor_thread.node`);
console.log('loaded');
