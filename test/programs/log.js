// Where the log goes when the program changes its directory and closes descriptors. The argument
// names the case.
'use strict';
const fs = require('fs');
const { createWatched, run, turns, log, main } = require('./script.js');

// Causes reports of one kind: releases of a function that is gone.
async function makeReports(count) {
  const { handle, finalized } = createWatched({ func: () => {}, finalize: 'silent' });
  run(handle, 'release');
  await finalized;
  await turns(2);
  for (let i = 0; i < count; i++) run(handle, 'release');
}

// Closes a descriptor, and opens the file so that it gets the same number.
function takeNumber(number, file) {
  fs.closeSync(number);
  const taken = fs.openSync(file, 'w');
  if (taken !== number) throw new Error(`${file} got ${taken}`);
}

main({
  // The number of stderr is used for another file.
  reused: async (file) => {
    takeNumber(2, file);
    fs.writeSync(2, 'DATA');
    await makeReports(2);
    fs.writeSync(2, 'MORE');
    log(fs.readFileSync(file, 'utf8'));
  },

  closed: async () => {
    fs.closeSync(2);
    await makeReports(2);
    log('lives');
  },

  // The number of a log that is given as fd:N.
  numbered: async (number, file) => {
    await makeReports(1);
    takeNumber(Number(number), file);
    await makeReports(1);
    fs.writeSync(Number(number), 'DATA');
    log(fs.readFileSync(file, 'utf8'));
  },

  moved: async (directory) => {
    process.chdir(directory);
    await makeReports(1);
    log(fs.readdirSync('.').join());
    process.exit();
  },

  // Sends a signal to itself, and waits until the log contains a dump.
  dumped: (number, file) => {
    fs.writeFileSync(file, '');
    process.kill(process.pid, Number(number));
    const end = Date.now() + 5000;
    const timer = setInterval(() => {
      const isDumped = fs.readFileSync(file, 'utf8').includes('"type":"dump"');
      if (!isDumped && Date.now() < end) return;
      log(isDumped ? 'dumped' : 'not dumped');
      clearInterval(timer);
    }, 1);
  },
});
