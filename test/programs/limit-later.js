// The address space is limited only when the process is already running.
// node limit-later.js size        creates a function and prints the virtual size in MiB
// node limit-later.js limit MIB   sets the limit, and then uses memory, a worker and the function
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { Worker } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, 'faults.node'));
const [scenario, limit] = process.argv.slice(2);

const status = addon.create(0, 1);
if (scenario === 'size') {
  addon.release();
  const [, kilobytes] = /^VmSize:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  console.log(Math.round(kilobytes / 1024));
} else {
  execFileSync('prlimit', ['--pid', `${process.pid}`, `--as=${limit * 2 ** 20}`]);
  const kept = [];
  for (let i = 0; i < 200; i++) kept.push(new Array(50000).fill({ i }));
  kept.push(Buffer.alloc(64 << 20));
  new Worker('1', { eval: true }).on('exit', (code) => {
    console.log(`status=${status} worker=${code} kept=${kept.length}`);
    addon.produce(1, 1, 'trying'); // the thread then releases
    addon.wait();
  });
  process.once('exit', addon.tell);
}
