// What the programs that drive test/addons/script.c share.
'use strict';
const { writeSync } = require('fs');
const addon = require(`${process.env.TEST_ADDONS}/script.node`);

// At once, as the addon writes its lines, so that those of JavaScript, of C and of threads stay in order, in workers
// and at exit too. Not through the addon, which could not be called while an exception of it is being handled.
function log(text) {
  writeSync(1, `${text}\n`);
}

// Creates with sensible arguments where none are given, and returns what create answered.
function tryCreate(options) {
  return addon.create({ name: 'script', func: (item, label) => log(`item ${item} of ${label}`), ...options });
}

// As tryCreate, and returns the handle.
function create(options) {
  const answer = tryCreate(options);
  if (answer.status !== 'ok') throw new Error(`create answered ${answer.status}`);
  return answer.handle;
}

// Creates one that is closed by its last release or an abort, and a promise of its finalizer.
function createWatched(options) {
  let handle;
  const finalized = new Promise((resolve) => {
    handle = create({ onFinalize: resolve, ...options });
  });
  return { handle, finalized };
}

async function turns(count) {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

async function until(condition) {
  while (!condition()) await turns(1);
}

// What a native thread's step came to, without blocking the loop.
async function finished(thread) {
  let outcome;
  await until(() => (outcome = addon.poll(thread)) !== null);
  return outcome;
}

// The program's command-line argument chooses one of its cases.
function main(cases) {
  const name = process.argv[2];
  if (!Object.hasOwn(cases, name)) throw new Error(`no case ${name}; there are ${Object.keys(cases).join(' ')}`);
  return cases[name](...process.argv.slice(3));
}

module.exports = { ...addon, log, tryCreate, create, createWatched, turns, until, finished, main };
