// A producer that is blocked on a full queue is cancelled and joined (test/addons/cancelled.cc).
// node fault-cancel-blocked.js CASE [TYPE]
//   exit    then the program exits
//   go-on   then the function is used up and ends, and another one is created
//   worker  then the worker that owns the function ends
'use strict';
const fs = require('fs');
const path = require('path');
const { Worker, isMainThread, workerData } = require('worker_threads');
const addon = require(path.join(process.env.TEST_ADDONS, 'cancelled.node'));
const [scenario, type = 'deferred'] = isMainThread ? process.argv.slice(2) : workerData;

const say = (text) => fs.writeSync(1, `${text}\n`);

function cancel() {
  addon.start(type);
  addon.cancel();
  say(`cancelled=${addon.stop()} ${addon.report()}`);
}

function when(text, then) {
  if (addon.report().includes(text)) return then();
  return setImmediate(when, text, then);
}

function goOn(round, last) {
  addon.start(type);
  addon.cancel();
  const cancelled = addon.stop();
  const released = addon.release();
  when(`finalized=${round}`, () => {
    say(`cancelled=${cancelled} released=${released} ${addon.report()}`);
    if (round < last) goOn(round + 1, last);
  });
}

// The thread ends only when the queue has space, for which the loop must turn.
function disabled() {
  addon.start(type);
  addon.cancel();
  when('delivered=2', () => say(`cancelled=${addon.stop()} ${addon.report()}`));
}

if (scenario === 'worker' && isMainThread) {
  new Worker(__filename, { workerData: [scenario, type] }).on('exit', (code) => say(`exit=${code} ${addon.report()}`));
} else if (scenario === 'go-on') {
  goOn(1, 3);
} else if (type === 'disabled') {
  disabled();
} else {
  cancel();
  if (scenario === 'exit') process.exit(0);
}
