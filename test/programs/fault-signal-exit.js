// A signal handler calls exit() in a thread that was calling.
// node fault-signal-exit.js MICROSECONDS
'use strict';
require(`${process.env.TEST_ADDONS}/signal_exit.node`).start(Number(process.argv[2]));
