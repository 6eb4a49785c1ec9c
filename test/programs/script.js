// What the programs that use test/addons/script.c share.
'use strict';
const { writeSync } = require('fs');
const addon = require(`${process.env.TEST_ADDONS}/script.node`);

// Writes at once, as the addon does. So lines of JavaScript, C and threads stay in order, in
// workers and at exit too. It does not use the addon, which cannot be called while an exception
// that it has thrown is being handled.
function log(text) {
  writeSync(1, `${text}\n`);
}

// Creates, with useful default arguments, and returns create's answer.
function tryCreate(options) {
  return addon.create({ name: 'script', func: (item, label) => log(`item ${item} of ${label}`), ...options });
}

// Like tryCreate, but returns the handle.
function create(options) {
  const answer = tryCreate(options);
  if (answer.status !== 'ok') throw new Error(`create answered ${answer.status}`);
  return answer.handle;
}

// Creates a function that is closed by its last release or an abort. Also returns a promise for its
// finalizer.
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

// The result of a native thread's step, without blocking the loop.
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
