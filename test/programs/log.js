// Where the log goes when the program moves about and closes things. The argument names the case.
'use strict';
const fs = require('fs');
const { createWatched, run, turns, log, main } = require('./script.js');

// Reports of one kind: releases of a function that is gone.
async function makeReports(count) {
  const { handle, finalized } = createWatched({ func: () => {}, finalize: 'silent' });
  run(handle, 'release');
  await finalized;
  await turns(2);
  for (let i = 0; i < count; i++) run(handle, 'release');
}

// Closes a descriptor and opens a file, until the file has its number.
function takeNumber(number, file) {
  fs.closeSync(number);
  const taken = fs.openSync(file, 'w');
  if (taken !== number) throw new Error(`${file} got ${taken}`);
}

main({
  // With stderr's number in other hands.
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

  // The number of a log given as fd:N.
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

  // Sends itself a signal, and waits until a dump is in the log.
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
