// The process of one variant of the bench. It does what bench.js asks for, one request at a time.
// node server.js ADDON
'use strict';
const addon = require(process.argv[2]);
const callback = () => {};

process.on('message', async ([name, ...args]) => {
  if (name === 'end') process.kill(process.pid, 'SIGKILL'); // what it would do at exit is not measured
  process.send(await addon[name](...args, callback));
});
