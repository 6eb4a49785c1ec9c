// A worker is in dlopen, in a constructor that waits until the main thread has created the addon's
// first function.
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker } = require('worker_threads');

const dir = fs.mkdtempSync(path.join(require('os').tmpdir(), 'first-create-'));
process.env.GATE = path.join(dir, 'gate');
process.env.INSIDE = path.join(dir, 'inside');
fs.writeFileSync(process.env.GATE, '');
const addon = require(`${process.env.TEST_ADDONS}/mapped_symbol.node`);
const slow = JSON.stringify(`${process.env.TEST_ADDONS}/slow_constructor.node`);
new Worker(`require(${slow})`, { eval: true }).on('exit', () => fs.rmSync(dir, { recursive: true }));

(function wait() {
  if (!fs.existsSync(process.env.INSIDE)) return setTimeout(wait, 5);
  addon.create();
  console.log('created');
  fs.unlinkSync(process.env.GATE);
})();
