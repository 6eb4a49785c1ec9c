// One variant of the bench, a process of its own: does what bench.js asks for, one thing at a time.
// node server.js ADDON
'use strict';
const addon = require(process.argv[2]);
const callback = () => {};

process.on('message', async ([name, ...args]) => {
  if (name === 'end') process.kill(process.pid, 'SIGKILL'); // what it leaves behind is not measured
  process.send(await addon[name](...args, callback));
});
